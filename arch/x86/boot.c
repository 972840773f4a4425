/* SPDX-License-Identifier: MIT */
/*
 * From the loader to the kernel proper.
 */
#include <arch/boot_info.h>
#include <arch/image.h>
#include <arch/pmap.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/main.h>
#include <kern/option.h>
#include <lib/macros.h>

#include "boot.h"
#include "cpuid.h"
#include "fb.h"
#include "gdt.h"
#include "memmap.h"
#include "multiboot2.h"
#include "pvh.h"
#include "serial.h"
#include "vga.h"

#define BOOT_PVH_MAGIC   0x336ec578U
#define BOOT_MAPPED_SIZE GIB(4)
#define BOOT_INFO_MAX    MIB(1)

uint64_t kernel_phys_offset;

/* Filled by boot_main(), constant from then on. */
static struct boot_info boot_info;

const struct boot_info *
boot_info_get(void)
{
    return &boot_info;
}

/* What the page tables of entry.S map. */
static const void *
boot_phys_to_ptr(uint64_t phys, size_t size)
{
    if (phys >= BOOT_MAPPED_SIZE || size > BOOT_MAPPED_SIZE - phys) {
        return NULL;
    }
    return pmap_direct_ptr(phys);
}

static status_t
boot_parse(uint32_t magic, uint64_t info)
{
    if (magic == BOOT_PVH_MAGIC) {
        return pvh_parse(&boot_info, info, boot_phys_to_ptr);
    }
    if (magic == MULTIBOOT2_BOOTLOADER_MAGIC) {
        return multiboot2_parse(&boot_info, pmap_direct_ptr(info),
                                BOOT_INFO_MAX, info);
    }

    boot_info_init(&boot_info);
    return ERR_FORMAT;
}

static void
boot_report(status_t status)
{
    const struct boot_mem_range *range;
    size_t i;

    if (status != OK) {
        log_error("boot: the loader's information is %s",
                  status_string(status));
    }
    log_info("boot: loaded by %s at %#lx",
             boot_info.loader_name[0] != '\0' ? boot_info.loader_name : "PVH",
             (uint64_t)KERNEL_LOAD_ADDR + kernel_phys_offset);
    log_info("boot: command line \"%s\"", boot_info.cmdline);
    for (i = 0; i < boot_info.nr_problems; i++) {
        log_warning("%s %#lx", boot_problem_string(boot_info.problems[i].kind),
                    boot_info.problems[i].value);
    }
    for (i = 0; i < boot_info.nr_mem; i++) {
        range = &boot_info.mem[i];
        log_debug("boot: memory 0x%012lx to 0x%012lx %s", range->base,
                  range->base + range->size - 1,
                  boot_mem_type_string(range->type));
    }
    for (i = 0; i < boot_info.nr_modules; i++) {
        log_info("boot: module \"%s\" at %#lx, %lu bytes",
                 boot_info.modules[i].name, boot_info.modules[i].phys,
                 boot_info.modules[i].size);
    }
}

void
boot_main(uint32_t magic, uint64_t info)
{
    status_t status;

    trap_early_setup();
    cpuid_setup();
    status = boot_parse(magic, info);
    boot_memmap_sanitise(&boot_info, cpuid_phys_bits());
    option_parse(boot_info.cmdline);
    serial_early_setup();
    vga_early_setup(&boot_info);
    fb_early_setup(&boot_info);
    log_info("Portolan %s, built with %s", main_version, __VERSION__);
    boot_report(status);
    init_run();
    main_run();
}
