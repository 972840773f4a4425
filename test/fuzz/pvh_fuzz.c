/* SPDX-License-Identifier: MIT */
/*
 * No PVH start information may make its parser look outside of memory.  The
 * input is all the memory there is, from address 0x1000 on.
 */
#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/assert.h>
#include <lib/status.h>
#include <lib/string.h>

#include "arch/x86/memmap.h"
#include "arch/x86/pvh.h"

#define FUZZ_BASE 0x1000

int fuzz_one(const uint8_t *data, size_t size);

static const uint8_t *pvh_fuzz_memory;
static size_t pvh_fuzz_size;

static const void *
pvh_fuzz_map(uint64_t phys, size_t size)
{
    verify(size != 0);
    if (phys < FUZZ_BASE || phys - FUZZ_BASE > pvh_fuzz_size ||
        size > pvh_fuzz_size - (phys - FUZZ_BASE)) {
        return NULL;
    }
    return pvh_fuzz_memory + (phys - FUZZ_BASE);
}

int
fuzz_one(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    size_t i;

    pvh_fuzz_memory = data;
    pvh_fuzz_size = size;
    if (pvh_parse(&info, FUZZ_BASE, pvh_fuzz_map) != OK) {
        return 0;
    }

    verify(strnlen(info.cmdline, sizeof(info.cmdline)) < sizeof(info.cmdline));
    verify(info.rsdp_size <= sizeof(info.rsdp));
    for (i = 0; i < info.nr_modules; i++) {
        verify(info.modules[i].phys + info.modules[i].size >=
               info.modules[i].phys);
    }
    boot_memmap_sanitise(&info, 40);
    return 0;
}
