/* SPDX-License-Identifier: MIT */
/*
 * No Multiboot2 information may make its parser look outside of it, nor make
 * the memory map forget a restriction.
 */
#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/assert.h>
#include <lib/status.h>
#include <lib/string.h>

#include "arch/x86/memmap.h"
#include "arch/x86/multiboot2.h"

#define FUZZ_MBI_PHYS  0x115000
#define FUZZ_PHYS_BITS 40

int fuzz_one(const uint8_t *data, size_t size);

/* What every parser promises of its record. */
static void
multiboot2_fuzz_check(const struct boot_info *info)
{
    size_t i;

    verify(info->nr_mem <= BOOT_MEM_CAPACITY);
    verify(info->nr_modules <= BOOT_MODULE_CAPACITY);
    verify(info->nr_reserved <= BOOT_RESERVED_CAPACITY);
    verify(info->nr_problems <= BOOT_PROBLEM_CAPACITY);
    verify(strnlen(info->cmdline, sizeof(info->cmdline)) <
           sizeof(info->cmdline));
    verify(strnlen(info->loader_name, sizeof(info->loader_name)) <
           sizeof(info->loader_name));
    for (i = 0; i < info->nr_modules; i++) {
        const struct boot_module *module = &info->modules[i];

        verify(module->phys + module->size >= module->phys);
        verify(strnlen(module->name, sizeof(module->name)) <
               sizeof(module->name));
        verify(strnlen(module->args, sizeof(module->args)) <
               sizeof(module->args));
    }
}

static void
multiboot2_fuzz_check_map(const struct boot_info *info)
{
    size_t i;

    for (i = 0; i < info->nr_mem; i++) {
        verify(info->mem[i].size != 0);
        verify(info->mem[i].base + info->mem[i].size <= 1ULL << FUZZ_PHYS_BITS);
        if (i != 0) {
            verify(info->mem[i - 1].base + info->mem[i - 1].size <=
                   info->mem[i].base);
        }
    }
}

int
fuzz_one(const uint8_t *data, size_t size)
{
    static struct boot_info info;

    if (multiboot2_parse(&info, data, size, FUZZ_MBI_PHYS) != OK) {
        return 0;
    }
    multiboot2_fuzz_check(&info);
    boot_memmap_sanitise(&info, FUZZ_PHYS_BITS);
    multiboot2_fuzz_check_map(&info);
    return 0;
}
