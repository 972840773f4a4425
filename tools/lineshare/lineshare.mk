# SPDX-License-Identifier: MIT
#
# The plugin that measures sharing between CPUs.  Included by the top Makefile.
# One build fits all versions of QEMU.

HOST_CC    ?= gcc
LINESHARE  ?= build/tools/lineshare.so

LINESHARE_SRC := $(wildcard tools/lineshare/*.c)
LINESHARE_HDR := $(wildcard tools/lineshare/*.h)

LINESHARE_CFLAGS := -std=gnu11 -O2 -g -fPIC -fvisibility=hidden -pthread \
                    -Wall -Wextra -Wshadow -Wmissing-prototypes \
                    -Wstrict-prototypes -Werror

$(LINESHARE): $(LINESHARE_SRC) $(LINESHARE_HDR) tools/lineshare/lineshare.mk
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	$(Q)$(HOST_CC) $(LINESHARE_CFLAGS) -shared $(LINESHARE_SRC) -o $@

.PHONY: lineshare

lineshare: $(LINESHARE)
