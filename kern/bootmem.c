/* SPDX-License-Identifier: MIT */
/*
 * Memory for the time before struct page.
 *
 * A usable range is rounded inwards to whole pages: what firmware left of the
 * pages at its ends is not worth a special case.  Memory is zeroed through
 * the direct map, which covers only the first 4 GiB until pmap_setup() has
 * built the final one; so until then nothing above is allocated.
 */

#include <lib/assert.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <arch/boot_info.h>
#include <arch/image.h>
#include <arch/pmap.h>
#include <kern/bootmem.h>
#include <kern/init.h>
#include <kern/log.h>

/* What the loader's page tables map. */
#define BOOTMEM_EARLY_LIMIT GIB(4)

/* Real-mode vectors, BIOS data, and what old firmware corrupts. */
#define BOOTMEM_LOW_SIZE KIB(64)

/* Never RAM to us, even if a map says so. */
#define BOOTMEM_ROM_BASE KIB(640)
#define BOOTMEM_ROM_SIZE KIB(384)

static struct bootmem_table bootmem_ram;
static struct bootmem_table bootmem_reserved;
static paddr_t bootmem_mapped = BOOTMEM_EARLY_LIMIT;
static bool bootmem_is_closed;

static void
bootmem_add_ram(const struct boot_mem_range *mem)
{
    paddr_t base = ALIGN_UP(mem->base, PAGE_SIZE);
    paddr_t end = ALIGN_DOWN(mem->base + mem->size, PAGE_SIZE);

    if (mem->type != BOOT_MEM_USABLE || base >= end) {
        return;
    }
    if (!bootmem_table_add(&bootmem_ram, base, end, "ram")) {
        log_warning("bootmem: too many ranges, memory at 0x%llx is not used",
                    (unsigned long long)base);
    }
}

void
bootmem_init(const struct boot_info *info)
{
    paddr_t image;

    for (size_t i = 0; i < info->nr_mem; i++) {
        bootmem_add_ram(&info->mem[i]);
    }

    image = (uintptr_t)boot_start + kernel_phys_offset;
    bootmem_reserve(image, image_phys(kernel_end) - image, "kernel");
    bootmem_reserve(0, BOOTMEM_LOW_SIZE, "first 64 KiB");
    bootmem_reserve(BOOTMEM_ROM_BASE, BOOTMEM_ROM_SIZE, "video and ROM");
    for (size_t i = 0; i < info->nr_modules; i++) {
        bootmem_reserve(info->modules[i].phys, info->modules[i].size, "module");
    }
    for (size_t i = 0; i < info->nr_reserved; i++) {
        bootmem_reserve(info->reserved[i].base, info->reserved[i].size,
                        "loader");
    }
}

void
bootmem_reserve(paddr_t base, uint64_t size, const char *name)
{
    verify(!bootmem_is_closed);
    verify(bootmem_table_add(&bootmem_reserved, base, base + size, name));
}

paddr_t
bootmem_alloc_range(size_t size, size_t align, paddr_t base, paddr_t limit)
{
    struct bootmem_wish wish = {
        .size = ALIGN_UP(size, CACHE_LINE),
        .align = MAX(align, (size_t)CACHE_LINE),
        .base = base,
        .limit = MIN(limit, bootmem_mapped),
    };
    paddr_t addr;

    verify(!bootmem_is_closed);

    addr = bootmem_table_find_space(&bootmem_ram, &bootmem_reserved, &wish);
    if (addr == PADDR_NONE) {
        return PADDR_NONE;
    }
    if (!bootmem_table_add(&bootmem_reserved, addr, addr + wish.size,
                           "allocated at boot")) {
        return PADDR_NONE;
    }

    memset(pmap_direct_ptr(addr), 0, wish.size);
    return addr;
}

paddr_t
bootmem_alloc(size_t size, size_t align, paddr_t limit)
{
    return bootmem_alloc_range(size, align, 0, limit);
}

void
bootmem_set_mapped(paddr_t limit)
{
    bootmem_mapped = limit;
}

void
bootmem_close(void)
{
    bootmem_is_closed = true;
}

/* Copy what was found, if anything. */
static bool
bootmem_copy_range(const struct bootmem_range *found,
                   struct bootmem_range *range)
{
    if (found == NULL) {
        return false;
    }
    *range = *found;
    return true;
}

bool
bootmem_next_ram(paddr_t addr, struct bootmem_range *range)
{
    return bootmem_copy_range(bootmem_table_find(&bootmem_ram, addr), range);
}

uint64_t
bootmem_ram_size(void)
{
    struct bootmem_range range = { .end = 0 };
    uint64_t size = 0;

    while (bootmem_next_ram(range.end, &range)) {
        size += range.end - range.base;
    }
    return size;
}

bool
bootmem_next_reserved(paddr_t addr, struct bootmem_range *range)
{
    return bootmem_copy_range(bootmem_table_find(&bootmem_reserved, addr),
                              range);
}

bool
bootmem_next_free(paddr_t addr, struct bootmem_range *range)
{
    return bootmem_table_next_free(&bootmem_ram, &bootmem_reserved, addr,
                                   range);
}

static status_t
bootmem_setup(void)
{
    bootmem_init(boot_info_get());
    return OK;
}

INIT_OP(bootmem_setup, INIT_BOOT_CPU);
