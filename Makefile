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
           $(if $(RETPOLINE),retpoline)
VARIANT := $(strip $(VARIANT))
EMPTY   :=
SPACE   := $(EMPTY) $(EMPTY)
BUILD   ?= build$(if $(VARIANT),/$(subst $(SPACE),-,$(VARIANT)))

LD      := ld
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo 0)

# --------------------------------------------------------------- sources

SRC_DIRS := lib kern arch/x86 test test/lib test/kern test/arch
SRCS     := $(foreach d,$(SRC_DIRS),$(wildcard $(d)/*.c $(d)/*.S))
SRCS     += $(foreach s,$(SAN),$(wildcard kern/san/$(s)*.c))
ifeq ($(DEBUG),)
SRCS     := $(filter-out kern/lock_check.c,$(SRCS))
endif
GEN_SRCS := $(BUILD)/gen/font_glyphs.c
OBJS     := $(patsubst %,$(BUILD)/obj/%.o,$(basename $(SRCS))) \
            $(GEN_SRCS:.c=.o)

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

ifneq ($(DEBUG),)
CPPFLAGS += -DCONFIG_DEBUG
endif

include tools/sanitize.mk

LDFLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack \
           --build-id=none -T arch/x86/portolan.lds
LIBGCC  := $(shell gcc -print-libgcc-file-name)

# gcc would turn the loops of memset() into calls of memset().
ifeq ($(IS_CLANG),)
$(BUILD)/obj/lib/string.o: CFLAGS += -fno-tree-loop-distribute-patterns
endif
$(BUILD)/obj/kern/main.o: CPPFLAGS += -DCONFIG_VERSION='"$(VERSION)"'

# --------------------------------------------------------------- targets

.PHONY: all kernel run check bench gdb help deps clean print-build-dir
.DEFAULT_GOAL := all

ELF := $(BUILD)/portolan.elf
ISO := $(BUILD)/portolan.iso

all: deps-build
	$(Q)$(MAKE) --no-print-directory $(ELF) $(ISO)

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

print-build-dir:
	@echo $(BUILD)

clean:
	rm -rf build compile_commands.json

-include $(OBJS:.o=.d)

HOST_EXTRA_SRC  := arch/x86/acpi_fixed.c arch/x86/acpi_parse.c \
                   arch/x86/acpi_root.c arch/x86/boot_info.c \
                   arch/x86/memmap.c arch/x86/multiboot2.c arch/x86/pvh.c
include test/host/host.mk
