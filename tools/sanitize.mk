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
SRCS     += kern/san/report.c
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

# ----------------------------------------------------------------- KASAN

ifneq ($(WITH_KASAN),)
CPPFLAGS += -DCONFIG_KASAN
KASAN_OFFSET := 0xdffffc0000000000
# A call for each access, so that it can be left out for addresses that have
# no shadow; red zones around globals and variables on the stack.
KASAN_FLAGS := -fsanitize=kernel-address
ifneq ($(IS_CLANG),)
KASAN_FLAGS += -mllvm -asan-mapping-offset=$(KASAN_OFFSET) \
               -mllvm -asan-instrumentation-with-call-threshold=0 \
               -mllvm -asan-stack=1 -mllvm -asan-globals=1 \
               -mllvm -asan-use-after-scope=1
else
KASAN_FLAGS += -fsanitize-address-use-after-scope \
               -fasan-shadow-offset=$(KASAN_OFFSET) --param asan-stack=1 \
               --param asan-globals=1 \
               --param asan-instrumentation-with-call-threshold=0
endif
CFLAGS   += $(KASAN_FLAGS)

# Reads and writes objects that are free.
$(BUILD)/obj/kern/slab.o $(BUILD)/obj/kern/slab_debug.o: \
        CFLAGS := $(filter-out $(KASAN_FLAGS),$(CFLAGS))
# The checking forms are in kern/san/kasan.c.
$(BUILD)/obj/lib/string.o: CPPFLAGS += -Dmemcpy=__memcpy \
        -Dmemmove=__memmove -Dmemset=__memset
else
SRCS     := $(filter-out arch/x86/kasan%.c,$(SRCS))
endif

# The run-time parts see what the compiler makes of the others.
ifneq ($(SAN),)
$(BUILD)/obj/kern/san/%.o $(BUILD)/obj/arch/x86/kasan%.o: \
        CFLAGS := $(filter-out $(KASAN_FLAGS) -fsanitize=%,$(CFLAGS))
endif
