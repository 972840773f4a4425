# SPDX-License-Identifier: MIT
#
# musl, without what talks to Linux: OUT/musl.list, the objects of libc.a, and
# OUT/crt/*.o.  Made by user/sdk.mk, when the source is there:
#
#   make -f user/musl.mk MUSL=SOURCE OUT=FOLDER CC=COMPILER
#
# What is built is what musl's own Makefile builds: src/*/*.c, each replaced by
# src/*/x86_64/*.[csS] if there is one.  Of those, files with the instruction
# "syscall" are left out; user/musl/arch stands before arch/x86_64 for headers.

Q ?= @

# Functions that only make sense as assembly, or with a call of their own; ours
# are in user/lib/posix.
LEFT_OUT := $(addprefix src/process/x86_64/,vfork.s) \
            $(addprefix src/signal/x86_64/,restore.s) \
            $(addprefix src/thread/x86_64/,__set_thread_area.s \
                __unmapself.s clone.s syscall_cp.s)
REPLACED := $(addprefix src/thread/,__unmapself.c clone.c)

FOLDERS := $(patsubst $(MUSL)/%/,%,$(wildcard $(MUSL)/src/*/ \
             $(MUSL)/src/malloc/mallocng/))
of       = $(patsubst $(MUSL)/%,%,$(wildcard $(addprefix $(MUSL)/,$(1))))
ARCHED  := $(filter-out $(LEFT_OUT),$(call of,$(FOLDERS:=/x86_64/*.[csS])))
PLAIN   := $(filter-out $(REPLACED) \
             $(addsuffix .c,$(basename $(subst /x86_64/,/,$(ARCHED)))), \
             $(call of,$(FOLDERS:=/*.c)))
SRCS    := $(PLAIN) $(ARCHED)
OBJS    := $(addprefix $(OUT)/,$(addsuffix .o,$(basename $(SRCS))))
CRT     := $(addprefix $(OUT)/crt/,crt1.o rcrt1.o Scrt1.o crti.o crtn.o)

CFLAGS := -std=c99 -ffreestanding -nostdinc -fexcess-precision=standard \
          -frounding-math -fno-strict-aliasing -D_XOPEN_SOURCE=700 \
          -Iuser/musl/arch -I$(MUSL)/arch/x86_64 -I$(MUSL)/arch/generic \
          -I$(OUT)/include -I$(MUSL)/src/include -I$(MUSL)/src/internal \
          -I$(HEADERS) -I$(MUSL)/include -O2 -pipe -fno-omit-frame-pointer \
          -momit-leaf-frame-pointer -fno-unwind-tables \
          -fno-asynchronous-unwind-tables -ffunction-sections \
          -fdata-sections -fno-stack-protector -fcf-protection=none -fPIE \
          -Wa,--noexecstack -w
ifneq ($(findstring clang,$(CC)),)
CFLAGS += --target=x86_64-linux-gnu
MEMOPS := -fno-builtin
else
MEMOPS := -fno-tree-loop-distribute-patterns
endif

$(OUT)/musl.list: $(OBJS) $(CRT)
	@echo $(OBJS) > $@

# Headers that musl makes of nothing but its version.
$(OUT)/include/version.h: $(MUSL)/VERSION
	@mkdir -p $(@D)
	@echo '#define VERSION "$(shell cat $(MUSL)/VERSION)"' > $@

$(sort $(dir $(OBJS) $(CRT))):
	@mkdir -p $@

.SECONDEXPANSION:
$(OBJS) $(CRT): $(OUT)/include/version.h $(OUT)/flags \
                $(wildcard user/musl/arch/*.h) | $$(@D)/

$(OUT)/%.o: $(MUSL)/%.c
	$(Q)$(CC) $(CFLAGS) $(EXTRA) -c $< -o $@

$(OUT)/%.o: $(MUSL)/%.s
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

$(OUT)/%.o: $(MUSL)/%.S
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

$(CRT): EXTRA := -DCRT
$(OUT)/src/string/mem%.o: EXTRA := $(MEMOPS)

.PHONY: force
$(OUT)/flags: force
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CFLAGS)' > $@
