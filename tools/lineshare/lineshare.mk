# SPDX-License-Identifier: MIT
#
# The plugin that measures sharing between CPUs, and what is done with it.
# Included by the top Makefile.  One build fits all versions of QEMU.
#
#   make bench-sharing [SHARE=GLOB,...] [SHARE_CPUS=N] [QEMU=binary]

HOST_CC    ?= gcc
LINESHARE  ?= build/tools/lineshare.so
SHARE      ?= *
SHARE_CPUS ?= 8

LINESHARE_SRC := $(wildcard tools/lineshare/*.c)
LINESHARE_HDR := $(wildcard tools/lineshare/*.h)

LINESHARE_CFLAGS := -std=gnu11 -O2 -g -fPIC -fvisibility=hidden -pthread \
                    -Wall -Wextra -Wshadow -Wmissing-prototypes \
                    -Wstrict-prototypes -Werror

$(LINESHARE): $(LINESHARE_SRC) $(LINESHARE_HDR) tools/lineshare/lineshare.mk
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	$(Q)$(HOST_CC) $(LINESHARE_CFLAGS) -shared $(LINESHARE_SRC) -o $@

.PHONY: lineshare bench-sharing

lineshare: $(LINESHARE)

bench-sharing: all
	$(Q)tools/deps run
	$(Q)$(MAKE) --no-print-directory lineshare
	$(Q)tools/bench-sharing --plugin $(LINESHARE) --qemu '$(QEMU)' \
		--cpus $(SHARE_CPUS) --pattern '$(SHARE)' $(ELF)
