/* SPDX-License-Identifier: MIT */
/*
 * Free pages: filled with poison in debug builds, so that who writes to one is
 * found out, and marked for KASAN.  In release builds all of this vanishes.
 *
 * Poison and shadow are handled without locks, after a block has left the
 * lists and before it enters them.
 */
#ifndef KERN_PAGE_POISON_H
#define KERN_PAGE_POISON_H

#include <stdbool.h>
#include <stddef.h>

#include <kern/kasan.h>
#include <kern/page.h>
#include <lib/string.h>

/* Blocks of greater orders are not poisoned: it would take too long. */
#define PAGE_POISON_ORDER_MAX 3
#define PAGE_POISON           0x6b

#ifdef CONFIG_DEBUG
#define PAGE_IS_POISONING true
#else
#define PAGE_IS_POISONING false
#endif

/* Panics when a page that was poisoned has been written since. */
void page_check_poison(const struct page *page);

/* Fill a block that is about to be free. */
static inline void
page_poison(struct page *page, unsigned int order)
{
    bool poison = PAGE_IS_POISONING && order <= PAGE_POISON_ORDER_MAX;

    if (poison) {
        kasan_unpoison(page_ptr(page), PAGE_SIZE << order);
        memset(page_ptr(page), PAGE_POISON, PAGE_SIZE << order);
    }
    for (size_t i = 0; PAGE_IS_POISONING && i < (size_t)1 << order; i++) {
        page[i].poisoned = poison;
    }
    kasan_poison(page_ptr(page), PAGE_SIZE << order, KASAN_FREE_PAGE);
}

/* Look whether a block was written while it was free. */
static inline void
page_unpoison(struct page *page, unsigned int order)
{
    kasan_unpoison(page_ptr(page), PAGE_SIZE << order);
    for (size_t i = 0; PAGE_IS_POISONING && i < (size_t)1 << order; i++) {
        if (page[i].poisoned) {
            page_check_poison(&page[i]);
        }
    }
}

#endif /* KERN_PAGE_POISON_H */
