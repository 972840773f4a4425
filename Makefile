# SPDX-License-Identifier: MIT
#
# Portolan.  "make help" tells what can be made.

CC    ?= gcc
SAN   ?=
DEBUG ?=
V     ?=
Q     := $(if $(V),,@)

ifeq ($(origin CC),default)
CC := gcc
endif

# Each variant has a build folder of its own; the plain one is build/.
VARIANT := $(filter-out gcc,$(CC)) $(SAN) $(if $(DEBUG),debug) \
           $(if $(LATENCY),latency) \
           $(if $(RETPOLINE),retpoline)
VARIANT := $(strip $(VARIANT))
EMPTY   :=
SPACE   := $(EMPTY) $(EMPTY)
BUILD   ?= build$(if $(VARIANT),/$(subst $(SPACE),-,$(VARIANT)))

LD      := ld
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo 0)

# --------------------------------------------------------------- sources

SRC_DIRS := lib kern vm ipc arch/x86 test test/lib test/kern test/vm test/ipc \
            test/arch test/sharing
SRCS     := $(foreach d,$(SRC_DIRS),$(wildcard $(d)/*.c $(d)/*.S))
SRCS     += $(foreach s,$(SAN),$(wildcard kern/san/$(s)*.c))
ifeq ($(DEBUG),)
SRCS     := $(filter-out kern/lock_check.c kern/lock_cmd.c,$(SRCS))
endif
ifeq ($(DEBUG)$(LATENCY),)
SRCS     := $(filter-out kern/latency.c kern/latency_cmd.c,$(SRCS))
endif
# ----------------------------------------------------------------- flags

IS_CLANG := $(findstring clang,$(CC))

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
            -Wframe-larger-than=2048 -Werror
CPPFLAGS := -I. -Iinclude -I$(BUILD)/gen
CFLAGS   := -std=gnu11 -O2 -g -ffreestanding -fno-pic -mcmodel=kernel \
            -mno-red-zone -mgeneral-regs-only -fno-omit-frame-pointer \
            -fno-optimize-sibling-calls -fno-strict-aliasing -fno-common \
            -fno-stack-protector -fno-asynchronous-unwind-tables \
            -fcf-protection=none -ffile-prefix-map=$(CURDIR)/= $(WARNINGS)
ifneq ($(IS_CLANG),)
CFLAGS   += --target=x86_64-linux-gnu
else
CFLAGS   += -fno-pie
endif

ifneq ($(RETPOLINE),)
CPPFLAGS += -DCONFIG_RETPOLINE
CFLAGS   += $(if $(IS_CLANG),-mretpoline-external-thunk, \
              -mindirect-branch=thunk-extern -mindirect-branch-register)
SRCS     += arch/x86/retpoline/thunks.S
endif

ifneq ($(DEBUG),)
CPPFLAGS += -DCONFIG_DEBUG
endif
ifneq ($(DEBUG)$(LATENCY),)
CPPFLAGS += -DCONFIG_LATENCY
endif

include tools/sanitize.mk

GEN_SRCS := $(BUILD)/gen/font_glyphs.c $(BUILD)/gen/ipc/calls.c
OBJS     := $(patsubst %,$(BUILD)/obj/%.o,$(basename $(SRCS))) \
            $(GEN_SRCS:.c=.o)

LDFLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack \
           --build-id=none -T arch/x86/portolan.lds
LIBGCC   = $(shell gcc -print-libgcc-file-name)

# gcc would turn the loops of memset() into calls of memset().
ifeq ($(IS_CLANG),)
$(BUILD)/obj/lib/string.o: CFLAGS += -fno-tree-loop-distribute-patterns
endif
$(BUILD)/obj/kern/main.o: CPPFLAGS += -DCONFIG_VERSION='"$(VERSION)"'

# --------------------------------------------------------------- targets

.PHONY: all kernel iso run check bench torture gdb help deps clean print-build-dir
.DEFAULT_GOAL := all

ELF := $(BUILD)/portolan.elf
ISO := $(BUILD)/portolan.iso

# Packages first: the rest may need them already to be parsed.
all:
	$(Q)tools/deps build
	$(Q)$(MAKE) --no-print-directory kernel iso compile_commands.json

iso: $(ISO)

kernel: $(ELF)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/obj/%.o: %.S $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  AS      $<"
	$(Q)gcc $(CPPFLAGS) -g -MMD -MP -c $< -o $@

$(BUILD)/gen/font_glyphs.c: tools/font/portolan.txt tools/font/mkfont.py
	@mkdir -p $(@D)
	@echo "  GEN     $@"
	$(Q)tools/font/mkfont.py $< $@

# All that is made of the table of system calls; see tools/syscalls.py.
CALLS_GEN := $(addprefix $(BUILD)/gen/,portolan/call_nr.h portolan/calls.h \
               ipc/calls.h ipc/calls.c user/calls.S)

$(CALLS_GEN) &: ipc/syscalls.tbl tools/syscalls.py
	@echo "  GEN     $<"
	$(Q)tools/syscalls.py --gen $(BUILD)/gen

$(OBJS): | $(CALLS_GEN)

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	@echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) -Iarch/x86 $(CFLAGS) -MMD -MP -c $< -o $@

# Everything is built anew when the flags change.
.PHONY: force
$(BUILD)/flags: force
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(CPPFLAGS) $(CFLAGS)' > $@

# The first link has an empty symbol table; the second one, made of the first,
# moves nothing, for the table is last.
$(BUILD)/symtab_empty.S: tools/symtab.py
	@mkdir -p $(@D)
	$(Q)tools/symtab.py --empty -o $@

$(BUILD)/portolan.first: $(OBJS) $(BUILD)/symtab_empty.o arch/x86/portolan.lds
	$(Q)$(LD) $(LDFLAGS) $(OBJS) $(BUILD)/symtab_empty.o $(LIBGCC) -o $@

$(BUILD)/symtab.S: $(BUILD)/portolan.first tools/symtab.py
	@echo "  SYMTAB  $@"
	$(Q)tools/symtab.py $< -o $@

$(BUILD)/symtab%o: $(BUILD)/symtab%S
	$(Q)gcc -c $< -o $@

$(ELF): $(BUILD)/portolan.first $(BUILD)/symtab.o
	@echo "  LD      $@"
	$(Q)$(LD) $(LDFLAGS) $(OBJS) $(BUILD)/symtab.o $(LIBGCC) -o $@

$(ISO): $(ELF) tools/mkimage
	@echo "  ISO     $@"
	$(Q)tools/mkimage -o $@ --kernel $(ELF)

compile_commands.json: Makefile $(BUILD)/flags
	$(Q)tools/compile-commands '$(CC) $(CPPFLAGS) $(CFLAGS)' $(SRCS) > $@

# ------------------------------------------------------------------- use

SMP          ?= 4
MEM          ?= 256M
MACHINE      ?= q35
FIRMWARE     ?= bios
APPEND       ?=
QEMU         ?= qemu-system-x86_64
QEMUFLAGS    ?=
DISPLAY_MODE ?=
CHECK        ?=
MINUTES      ?= 10
TORTURE      ?=
GDB_PORT     ?= 1234

RUN := tools/run --smp $(SMP) --mem $(MEM) --machine $(MACHINE) \
       --qemu '$(QEMU)' --append '$(APPEND)'

run: all
	$(Q)tools/deps run
	$(Q)$(RUN) --iso $(ISO) --firmware $(FIRMWARE) \
		$(if $(DISPLAY_MODE),--display $(DISPLAY_MODE)) -- $(QEMUFLAGS)

gdb: all
	$(Q)tools/deps run check
	$(Q)tools/debug --port $(GDB_PORT) $(ELF) -- $(RUN) --kernel $(ELF) \
		-- $(QEMUFLAGS)

check:
	$(Q)tools/deps all
	$(Q)CHECK=$(CHECK) tools/check $(if $(filter quick,$(CHECK)),--quick)

bench: all user
	$(Q)tools/deps run
	$(Q)tools/bench --qemu '$(QEMU)' --programs $(USER)/bench $(ELF)

torture:
	$(Q)tools/deps run
	$(Q)tools/torture --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) \
		$(if $(CPUS),--cpus $(CPUS)) $(if $(TORTURE),--tests '$(TORTURE)')

deps:
	$(Q)tools/deps all

print-build-dir:
	@echo $(BUILD)

clean:
	rm -rf build compile_commands.json

help:
	@echo "make              build/portolan.elf and build/portolan.iso (BIOS, UEFI, CD, USB)"
	@echo "make run          boot the ISO in QEMU, serial console here; Ctrl-A x leaves"
	@echo "make check        all that a change must pass; CHECK=quick in two minutes"
	@echo "make torture      torture tests, each boot in another way: MINUTES=10 SEED=N"
	@echo "                  CPUS=N  TORTURE='GLOB of tests'"
	@echo "make bench        benchmarks, counted in instructions"
	@echo "make bench-sharing"
	@echo "                  cache lines that CPUs share: SHARE=GLOB SHARE_CPUS=8"
	@echo "make gdb          QEMU stopped at the first instruction, gdb attached"
	@echo "make kernel       the kernel alone"
	@echo "make host-test    tests of lib/ and of parsers on the host"
	@echo "make host-fuzz    fuzzing of the parsers on the host"
	@echo "make host-explore kernel code under many schedules on the host"
	@echo "make sdk          build/sdk: headers, libraries and compiler for programs"
	@echo "make user         build/user: the programs of this project"
	@echo "make deps         install the distribution packages that are missing"
	@echo "make clean        remove what was made"
	@echo
	@echo "building:  CC=gcc|clang  SAN=ubsan|kasan|kcsan  DEBUG=1 (lock and context checks)"
	@echo "           LATENCY=1 (record the longest stretches; DEBUG=1 does too)"
	@echo "           RETPOLINE=1  V=1 (show commands)  NODEPS=1 (install nothing)"
	@echo "running:   SMP=4  MEM=256M  MACHINE=q35|pc  FIRMWARE=bios|uefi"
	@echo "           APPEND='kernel options'  DISPLAY_MODE=gtk|curses"
	@echo "           QEMU=binary  QEMUFLAGS='more flags'"

-include $(OBJS:.o=.d)

PARSER_SRCS := $(addprefix arch/x86/,boot_info.c multiboot2.c pvh.c memmap.c \
                 acpi_root.c acpi_parse.c acpi_fixed.c)
HOST_EXTRA_SRC := $(PARSER_SRCS) \
                  $(addprefix test/arch/,multiboot2_test.c memmap_test.c \
                      pvh_test.c acpi_test.c)
HOST_EXTRA_SRC += $(foreach m,textgrid lineedit console_decoder, \
                            kern/$(m).c test/kern/$(m)_test.c) \
                  arch/x86/scancode.c test/arch/scancode_test.c
FUZZ_SRC_multiboot2 := arch/x86/boot_info.c arch/x86/multiboot2.c \
                       arch/x86/memmap.c
FUZZ_SRC_pvh        := arch/x86/boot_info.c arch/x86/pvh.c arch/x86/memmap.c
FUZZ_SRC_acpi       := arch/x86/acpi_root.c arch/x86/acpi_parse.c \
                       arch/x86/acpi_fixed.c
include test/host/host.mk
include user/sdk.mk
include tools/lineshare/lineshare.mk
include test/explore/explore.mk
