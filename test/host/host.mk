# SPDX-License-Identifier: MIT
#
# Tests and fuzzing of lib/ on the host, under AddressSanitizer and UBSan.
# Included by the top Makefile, which sets BUILD and may set Q and say.
#
#   make host-test [TESTS=GLOB,...] [SEED=N] [ITERATIONS=N]
#   make host-fuzz [FUZZ=NAME...] [FUZZ_ITERATIONS=N] [FUZZ_SECONDS=N] [SEED=N]
#
# Set before the include, for pure files outside of lib/:
#
#   HOST_EXTRA_SRC  sources and their tests that host_test has too
#   FUZZ_SRC_name   sources that test/fuzz/name_fuzz.c needs

BUILD           ?= build
HOST_CC         ?= gcc
TESTS           ?= *
FUZZ_ITERATIONS ?= 200000
FUZZ_SECONDS    ?= 0

HOST_BUILD := $(BUILD)/host

HOST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS   := -std=gnu11 -O1 -g -fno-omit-frame-pointer \
                 -fno-strict-aliasing -fno-pie -I. -Iinclude \
                 -DCONFIG_DEBUG -D_GNU_SOURCE \
                 -Wall -Wextra -Wshadow -Wmissing-prototypes \
                 -Wstrict-prototypes -Werror $(HOST_SANITIZE)
HOST_LDFLAGS  := -no-pie $(HOST_SANITIZE)

# clang puts red zones around the entries of linker tables.
ifneq ($(findstring clang,$(HOST_CC)),)
HOST_CFLAGS += -mllvm -asan-globals=0
endif

# Functions that a host's C library may have too, with the same meaning.  All
# files use ours of the first kind; of the second only lib/string.c and its
# test do, and the rest keeps the library's, which the sanitizer checks.
HOST_RENAME_ALL    := strlcpy strlcat
HOST_RENAME_STRING := memcpy memmove memset memcmp memchr strlen strnlen \
                      strcmp strncmp strchr strrchr strstr
host_rename         = $(foreach f,$(1),-D$(f)=lib_$(f))

HOST_CFLAGS += $(call host_rename,$(HOST_RENAME_ALL))

HOST_STRING_CFLAGS := -fno-builtin $(call host_rename,$(HOST_RENAME_STRING))

HOST_LIB_SRC  := $(wildcard lib/*.c)
HOST_TEST_SRC := $(wildcard test/lib/*_test.c) $(HOST_EXTRA_SRC) \
                 test/host/host_test.c \
                 $(filter-out test/host/host_test.c, \
                              $(wildcard test/host/*_test.c))
HOST_FUZZ     := $(patsubst test/fuzz/%_fuzz.c,%,$(wildcard test/fuzz/*_fuzz.c))
FUZZ          ?= $(HOST_FUZZ)

HOST_LIB_OBJ  := $(HOST_LIB_SRC:%.c=$(HOST_BUILD)/%.o)
HOST_TEST_OBJ := $(HOST_TEST_SRC:%.c=$(HOST_BUILD)/%.o)
host_fuzz_obj  = $(patsubst %.c,$(HOST_BUILD)/%.o,$(FUZZ_SRC_$(1)))
HOST_FUZZ_BIN := $(HOST_FUZZ:%=$(HOST_BUILD)/fuzz/%_fuzz)
HOST_FUZZ_OBJ := $(HOST_FUZZ:%=$(HOST_BUILD)/test/fuzz/%_fuzz.o) \
                 $(HOST_BUILD)/test/host/fuzz_main.o \
                 $(foreach f,$(HOST_FUZZ),$(call host_fuzz_obj,$(f)))

$(HOST_BUILD)/lib/string.o $(HOST_BUILD)/test/lib/string_test.o: \
	HOST_CFLAGS += $(HOST_STRING_CFLAGS)

# GNU make removes no object that has a rule of its own below.
.SECONDARY: $(HOST_FUZZ_OBJ)

$(HOST_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	$(Q)$(HOST_CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(HOST_BUILD)/host_test: $(HOST_TEST_OBJ) $(HOST_LIB_OBJ) test/host/host_test.ld
	@echo "  HOSTLD  $@"
	$(Q)$(HOST_CC) $(HOST_LDFLAGS) -Wl,-T,test/host/host_test.ld \
		$(filter %.o,$^) -o $@

.SECONDEXPANSION:
$(HOST_FUZZ_BIN): $(HOST_BUILD)/fuzz/%_fuzz: \
		$(HOST_BUILD)/test/fuzz/%_fuzz.o \
		$(HOST_BUILD)/test/host/fuzz_main.o $(HOST_LIB_OBJ) \
		$$(call host_fuzz_obj,$$*)
	@mkdir -p $(@D)
	@echo "  HOSTLD  $@"
	$(Q)$(HOST_CC) $(HOST_LDFLAGS) $^ -o $@

.PHONY: host-test host-fuzz

# Nothing here allocates for long, and looking for leaks fails in containers.
host-test: $(HOST_BUILD)/host_test
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(if $(SEED),SEED=$(SEED)) \
		$(if $(ITERATIONS),ITERATIONS=$(ITERATIONS)) $< '$(TESTS)'

host-fuzz: $(FUZZ:%=host-fuzz-%)

$(HOST_FUZZ:%=host-fuzz-%): host-fuzz-%: $(HOST_BUILD)/fuzz/%_fuzz
	$(Q)$< -n $(FUZZ_ITERATIONS) -t $(FUZZ_SECONDS) -s $(or $(SEED),1) \
		$(wildcard test/fuzz/corpus/$*/*)

-include $(HOST_LIB_OBJ:.o=.d) $(HOST_TEST_OBJ:.o=.d) $(HOST_FUZZ_OBJ:.o=.d)
