# SPDX-License-Identifier: MIT
#
# Instrumented builds: SAN=ubsan, SAN=kasan, SAN=kcsan, SAN="ubsan kasan",
# SAN="ubsan kcsan".
# doc/sanitizers.md tells what they find.

WITH_UBSAN := $(filter ubsan,$(SAN))
WITH_KASAN := $(filter kasan,$(SAN))
WITH_KCSAN := $(filter kcsan,$(SAN))

ifneq ($(filter-out ubsan kasan kcsan,$(SAN)),)
$(error SAN=$(SAN): ubsan, kasan and kcsan are what there is)
endif
ifneq ($(and $(WITH_KASAN),$(WITH_KCSAN)),)
$(error SAN=$(SAN): the compilers know either kasan or kcsan)
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
$(BUILD)/obj/kern/slab.o $(BUILD)/obj/kern/slab_debug.o \
$(BUILD)/obj/kern/slab_pages.o: \
        CFLAGS := $(filter-out $(KASAN_FLAGS),$(CFLAGS))
else
SRCS     := $(filter-out arch/x86/kasan%.c,$(SRCS))
endif

# ----------------------------------------------------------------- KCSAN

ifneq ($(WITH_KCSAN),)
CPPFLAGS += -DCONFIG_KCSAN
# A call for each access; accesses that are volatile, as READ_ONCE() is, have
# calls of their own.
KCSAN_FLAGS := -fsanitize=thread
ifneq ($(IS_CLANG),)
KCSAN_FLAGS += -mllvm -tsan-distinguish-volatile=1 \
               -mllvm -tsan-instrument-func-entry-exit=0
else
# gcc warns that fences are not understood; ours are not meant to be.
KCSAN_FLAGS += --param tsan-distinguish-volatile=1 \
               --param tsan-instrument-func-entry-exit=0 -Wno-tsan
endif
CFLAGS   += $(KCSAN_FLAGS)
endif

# The checking forms are in kern/san/kasan.c and kern/san/kcsan.c.
ifneq ($(WITH_KASAN)$(WITH_KCSAN),)
$(BUILD)/obj/lib/string.o: CPPFLAGS += -Dmemcpy=__memcpy \
        -Dmemmove=__memmove -Dmemset=__memset
endif

# The run-time parts see what the compiler makes of the others.
ifneq ($(SAN),)
$(BUILD)/obj/kern/san/%.o $(BUILD)/obj/arch/x86/kasan%.o: \
        CFLAGS := $(filter-out $(KASAN_FLAGS) $(KCSAN_FLAGS) \
                    -fsanitize=%,$(CFLAGS))
endif
