# SPDX-License-Identifier: MIT
#
# Instrumented builds: SAN=ubsan, SAN=kasan, SAN="ubsan kasan".
# doc/sanitizers.md tells what they find.

WITH_UBSAN := $(filter ubsan,$(SAN))
WITH_KASAN := $(filter kasan,$(SAN))

ifneq ($(filter-out ubsan kasan,$(SAN)),)
$(error SAN=$(SAN): ubsan and kasan are what there is)
endif

ifneq ($(SAN),)
CPPFLAGS += -DCONFIG_SANITIZER
OBJS     += $(BUILD)/obj/kern/san/report.o
# Instrumented functions are larger, on the stack too, and what is made of
# them confuses the analysis of uninitialised variables.
CFLAGS   += -Wframe-larger-than=4096
ifeq ($(IS_CLANG),)
CFLAGS   += -Wno-maybe-uninitialized
endif
endif

# ----------------------------------------------------------------- UBSAN

ifneq ($(WITH_UBSAN),)
CPPFLAGS += -DCONFIG_UBSAN
# The size of an object is known to KASAN, and better; objects of the linker
# script have none.
CFLAGS   += -fsanitize=undefined -fno-sanitize=object-size
ifneq ($(IS_CLANG),)
CFLAGS   += -fno-sanitize=function
endif
endif

# The run-time parts see what the compiler makes of the others.
$(BUILD)/obj/kern/san/%.o: CFLAGS += -fno-sanitize=all
