/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries.  Source: Intel SDM vol. 3A, "4-Level Paging".
 */
#ifndef X86_PTE_H
#define X86_PTE_H

#include <stddef.h>
#include <stdint.h>

#include <arch/types.h>

#define PTE_PRESENT   UINT64_C(0x001)
#define PTE_WRITE     UINT64_C(0x002)
#define PTE_USER      UINT64_C(0x004)
#define PTE_PWT       UINT64_C(0x008)
#define PTE_PCD       UINT64_C(0x010)
#define PTE_ACCESSED  UINT64_C(0x020)
#define PTE_DIRTY     UINT64_C(0x040)
#define PTE_LARGE     UINT64_C(0x080)
#define PTE_GLOBAL    UINT64_C(0x100)
#define PTE_NX        (UINT64_C(1) << 63)
#define PTE_ADDR_MASK UINT64_C(0x000ffffffffff000)

/* Where an index into the PAT is, as far as we use it. */
#define PTE_CACHE_SHIFT 3

/* An entry that leads to another table. */
#define PTE_TABLE (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)

#define PMAP_BITS         9
#define PMAP_NR_ENTRIES   (1U << PMAP_BITS)
#define PMAP_KERNEL_INDEX (PMAP_NR_ENTRIES / 2)

/* Levels count from the leaf: 4 KiB, 2 MiB, 1 GiB, and the top. */
#define PMAP_LEVEL_4K  0U
#define PMAP_LEVEL_2M  1U
#define PMAP_LEVEL_1G  2U
#define PMAP_LEVEL_TOP 3U

typedef _Atomic uint64_t pte_t;

/* Bytes that an entry of a level maps. */
static inline size_t
pmap_level_size(unsigned int level)
{
    return PAGE_SIZE << (PMAP_BITS * level);
}

/* Which entry of a table of a level maps an address. */
static inline size_t
pmap_index(uintptr_t va, unsigned int level)
{
    return (va >> (PAGE_SHIFT + PMAP_BITS * level)) % PMAP_NR_ENTRIES;
}

#endif /* X86_PTE_H */
