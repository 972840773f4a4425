/* SPDX-License-Identifier: MIT */
/*
 * For tests of exhaustion: take all memory there is, and give it back.
 */
#ifndef TEST_KERN_HOG_H
#define TEST_KERN_HOG_H

#include <lib/list.h>
#include <kern/kva.h>
#include <kern/page.h>
#include <kern/slab.h>

/* Have nothing that could be reclaimed, so that counts can be compared. */
static inline void
hog_settle(void)
{
    kva_purge();
    slab_reap();
    page_drain();
}

/* Take blocks of all orders, the largest first, until nothing is left. */
static inline void
hog_take_all(struct list *blocks)
{
    hog_settle();
    for (unsigned int order = PAGE_NR_ORDERS; order > 0; order--) {
        struct page *page;

        while ((page = page_alloc(order - 1, PAGE_NO_RECLAIM)) != NULL) {
            list_insert_tail(blocks, &page->node);
        }
    }
}

/* Free one block, the last and so one of the smallest. */
static inline bool
hog_give_one(struct list *blocks)
{
    struct page *page;

    if (list_is_empty(blocks)) {
        return false;
    }
    page = list_last_entry(blocks, struct page, node);
    list_remove(&page->node);
    page_free(page, page->order);
    return true;
}

/* Free all. */
static inline void
hog_give_all(struct list *blocks)
{
    while (hog_give_one(blocks)) {
    }
}

#endif /* TEST_KERN_HOG_H */
