/* SPDX-License-Identifier: MIT */
/*
 * What page.c, page_node.c and page_setup.c know of the array of struct page.
 *
 * It is mapped in units of 4 MiB of memory, rounded outwards from each range
 * of RAM, so the buddy of a smaller block always has one; for larger ones a
 * bitmap of units is asked.
 */
#ifndef KERN_PAGE_I_H
#define KERN_PAGE_I_H

#include <stddef.h>

#include <kern/page.h>

/* A unit of the array: 4 MiB of memory. */
#define PAGE_UNIT_ORDER 10
#define PAGE_UNIT_SIZE  (PAGE_SIZE << PAGE_UNIT_ORDER)

/* Constant once page_setup() has run, which sets them. */
extern unsigned long *page_units; /* bit: unit has struct pages */
extern size_t page_nr_units;
extern size_t page_cache_high; /* pages that a CPU keeps at most */

static inline size_t
page_frame(const struct page *page)
{
    return page_phys(page) >> PAGE_SHIFT;
}

static inline struct page *
page_from_frame(size_t frame)
{
    return page_from_phys((paddr_t)frame << PAGE_SHIFT);
}

#endif /* KERN_PAGE_I_H */
