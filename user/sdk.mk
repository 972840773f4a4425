# SPDX-License-Identifier: MIT
#
# The SDK and the programs of user/.  Included by the top Makefile.
#
#   make sdk    $(BUILD)/sdk: include, lib, bin/portolan-cc
#   make user   $(BUILD)/user: the programs of user/bin, user/bench and
#               user/test
#
# CC=clang builds with clang, in build/clang.  Instrumented kernels use the
# programs of the plain build.

MUSL     := build/musl/src
SDK      := $(BUILD)/sdk
SDK_OBJ  := $(BUILD)/sdk-obj
USER     := $(BUILD)/user
SDK_JOBS ?= $(shell nproc)

# libc.a: musl, and these; libportolan.a: what is not in any other system's C
# library.
LIBC_SRCS     := $(wildcard user/lib/posix/*.[cS] user/lib/qnx/*.[cS])
PORTOLAN_SRCS := $(wildcard user/lib/portolan/*.[cS])
LIBC_OBJS     := $(patsubst %,$(SDK_OBJ)/%.o,$(basename $(LIBC_SRCS)) calls)
PORTOLAN_OBJS := $(patsubst %,$(SDK_OBJ)/%.o,$(basename $(PORTOLAN_SRCS)) \
                   lib/elf)

USER_WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes \
                 -Wstrict-prototypes -Werror
USER_CFLAGS   := -std=gnu11 -O2 -g -fPIE -nostdinc -isystem $(SDK)/include \
                 -I. -Iinclude -fno-omit-frame-pointer \
                 -momit-leaf-frame-pointer -fno-stack-protector \
                 -fno-asynchronous-unwind-tables -fcf-protection=none \
                 -ffunction-sections -fdata-sections \
                 -ffile-prefix-map=$(CURDIR)/= $(USER_WARNINGS)
ifneq ($(IS_CLANG),)
USER_CFLAGS += --target=x86_64-linux-gnu
endif

SDK_CRT := $(addprefix $(SDK)/lib/,rcrt1.o crt1.o crti.o crtn.o)
# Names that others link with and that are in libc.a.
SDK_EMPTY := $(patsubst %,$(SDK)/lib/lib%.a,m rt pthread util dl socket)
SDK_ALL := $(SDK)/include/.made $(SDK)/lib/libc.a $(SDK)/lib/libportolan.a \
           $(SDK_CRT) $(SDK_EMPTY) $(SDK)/bin/portolan-cc

.PHONY: sdk user
sdk: $(SDK_ALL)
	@echo "  SDK     $(SDK)"

$(MUSL)/.complete: user/musl/versions tools/get-musl
	$(Q)tools/get-musl
	@touch $@

$(SDK)/include/.made: $(MUSL)/.complete $(CALLS_GEN) tools/sdk-headers \
                      $(wildcard user/include/*.h user/include/*/*.h \
                        include/portolan/*.h)
	@echo "  HEADERS $(@D)"
	@mkdir -p $(SDK)
	$(Q)tools/sdk-headers $(MUSL) $(BUILD)/gen $(@D)
	@touch $@

# Only what musl itself includes matters to its objects, and that is its own.
$(SDK_OBJ)/musl/musl.list: $(MUSL)/.complete user/musl.mk \
                           $(wildcard user/musl/arch/*.h) \
                           | $(SDK)/include/.made
	@echo "  MUSL    $$(cat $(MUSL)/.complete)"
	$(Q)start=$$(date +%s) && $(MAKE) --no-print-directory \
		$(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(SDK_JOBS)) \
		-f user/musl.mk MUSL=$(MUSL) OUT=$(@D) CC='$(CC)' \
		HEADERS=$(SDK)/include Q='$(Q)' && touch $@ && \
		echo "  MUSL    built in $$(($$(date +%s) - start)) s"

$(SDK_OBJ)/%.o: %.c $(SDK)/include/.made
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(USER_CFLAGS) -MMD -MP -c $< -o $@

$(SDK_OBJ)/%.o: %.S $(SDK)/include/.made
	@mkdir -p $(@D)
	@echo "  AS      $<"
	$(Q)gcc -nostdinc -isystem $(SDK)/include -g -MMD -MP -c $< -o $@

$(SDK_OBJ)/calls.o: $(BUILD)/gen/user/calls.S $(SDK)/include/.made
	@mkdir -p $(@D)
	@echo "  AS      $<"
	$(Q)gcc -isystem $(SDK)/include -g -c $< -o $@

# lib/ declares functions of the C library itself.
$(SDK_OBJ)/lib/elf.o: USER_CFLAGS += -ffreestanding

$(SDK)/lib/libc.a: $(SDK_OBJ)/musl/musl.list $(LIBC_OBJS)
	@mkdir -p $(@D)
	@echo "  AR      $@"
	@rm -f $@
	$(Q)cat $< > $(SDK_OBJ)/libc.list && echo $(LIBC_OBJS) >> $(SDK_OBJ)/libc.list
	$(Q)ar rcs $@ @$(SDK_OBJ)/libc.list

$(SDK)/lib/libportolan.a: $(PORTOLAN_OBJS)
	@mkdir -p $(@D)
	@echo "  AR      $@"
	@rm -f $@
	$(Q)ar rcs $@ $^

$(SDK_CRT): $(SDK)/lib/%.o: $(SDK_OBJ)/musl/musl.list
	@mkdir -p $(@D)
	@cp $(SDK_OBJ)/musl/crt/$*.o $@

$(SDK_EMPTY):
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rc $@

$(SDK)/bin/portolan-cc: tools/portolan-cc
	@mkdir -p $(@D)
	@cp $< $@

# A program of one file.  What is linked is what portolan-cc links.
USER_SRCS  := $(wildcard user/bin/*.c)
BENCH_SRCS := $(wildcard user/bench/*.c)
USER_PROGS := $(patsubst user/bin/%.c,$(USER)/%,$(USER_SRCS)) \
              $(patsubst user/bench/%.c,$(USER)/bench/%,$(BENCH_SRCS))

# A folder of user/test is a program.
TEST_PROGS := $(patsubst user/test/%/,$(USER)/test/%,$(wildcard user/test/*/))
USER_PROGS += $(TEST_PROGS)

user: $(USER_PROGS)

$(USER)/%: user/bin/%.c $(SDK_ALL)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)PORTOLAN_CC='$(CC)' $(SDK)/bin/portolan-cc -O2 -g $(USER_WARNINGS) \
		-ffile-prefix-map=$(CURDIR)/= $< -o $@

$(USER)/bench/%: user/bench/%.c user/bench/bench.h $(SDK_ALL)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)PORTOLAN_CC='$(CC)' $(SDK)/bin/portolan-cc -O2 -g $(USER_WARNINGS) \
		-ffile-prefix-map=$(CURDIR)/= $< -o $@

.SECONDEXPANSION:
$(TEST_PROGS): $(USER)/test/%: $$(wildcard user/test/*.[ch]) \
               $$(wildcard user/test/%/*.[ch]) $(SDK_ALL)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)PORTOLAN_CC='$(CC)' $(SDK)/bin/portolan-cc -O2 -g -I. $(USER_WARNINGS) \
		-ffile-prefix-map=$(CURDIR)/= $(filter %.c,$^) -o $@

-include $(LIBC_OBJS:.o=.d) $(PORTOLAN_OBJS:.o=.d)
