/* SPDX-License-Identifier: MIT */
/*
 * Memory for the time before struct page: what is needed to describe memory
 * must come from somewhere.
 *
 * Two sets: the RAM that the memory map calls usable, and what of it is
 * reserved.  An allocation is a reservation at the highest fitting address and
 * is never freed, which keeps low memory for those who need it low and the
 * set of reservations short.  page_setup() takes over all the rest and closes
 * this allocator; the sets remain as the description of physical memory.
 *
 * Only the boot CPU calls this, before others are started, so no lock.
 */
#ifndef KERN_BOOTMEM_H
#define KERN_BOOTMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/types.h>
#include <kern/bootmem_table.h>

struct boot_info;

/* Limit of an allocation that may be anywhere. */
#define BOOTMEM_ANYWHERE PADDR_NONE

/*
 * Learn the memory map and reserve the kernel's image, the loader's data,
 * modules, and the first 64 KiB, which firmware scribbles on.
 *
 * @info  with a sanitised memory map
 *
 * Context: boot CPU, before any other call
 */
void bootmem_init(const struct boot_info *info);

/*
 * Keep a range, RAM or not, from being allocated.
 *
 * @name  constant string, for the monitor
 *
 * Context: boot CPU, before page_setup()
 */
void bootmem_reserve(paddr_t base, uint64_t size, const char *name);

/*
 * Allocate zeroed memory, readable at pmap_direct_ptr(), for good.
 *
 * @size   bytes, rounded up to whole cache lines
 * @align  a power of two; raised to a cache line
 * @limit  end of the addresses allowed; BOOTMEM_ANYWHERE: all that are mapped
 *
 * Context: boot CPU, before page_setup()
 * Returns: physical address; PADDR_NONE when nothing fits
 */
paddr_t bootmem_alloc(size_t size, size_t align, paddr_t limit);

/*
 * Allocate like bootmem_alloc(), at addresses from @base on.
 *
 * Context: boot CPU, before page_setup()
 * Returns: physical address; PADDR_NONE when nothing fits
 */
paddr_t bootmem_alloc_range(size_t size, size_t align, paddr_t base,
                            paddr_t limit);

/*
 * From now on the direct map ends at @limit, 4 GiB before the first call.
 *
 * Context: boot CPU; pmap_setup() calls it
 */
void bootmem_set_mapped(paddr_t limit);

/*
 * End allocation: page_setup() owns the rest of the memory.
 *
 * Context: boot CPU
 */
void bootmem_close(void);

/*
 * The lowest usable RAM of the memory map that ends above @addr.
 *
 * Context: any; constant once bootmem_init() has run
 * Returns: false when there is none
 */
bool bootmem_next_ram(paddr_t addr, struct bootmem_range *range);

/*
 * The lowest reservation that ends above @addr.
 *
 * Context: any; constant after page_setup()
 * Returns: false when there is none
 */
bool bootmem_next_reserved(paddr_t addr, struct bootmem_range *range);

/* Bytes of all usable RAM.  Context: as bootmem_next_ram() */
uint64_t bootmem_ram_size(void);

/*
 * The lowest RAM at or above @addr that is not reserved.
 *
 * Context: any; constant after page_setup()
 * Returns: false when there is none
 */
bool bootmem_next_free(paddr_t addr, struct bootmem_range *range);

#endif /* KERN_BOOTMEM_H */
