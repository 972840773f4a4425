/* SPDX-License-Identifier: MIT */
/*
 * For tests of exhaustion: take all memory there is, and give it back.
 */
#ifndef TEST_KERN_HOG_H
#define TEST_KERN_HOG_H

#include <lib/list.h>
#include <kern/page.h>
#include <kern/rcu.h>

/* Have nothing that could be reclaimed, so that counts can be compared. */
static inline void
hog_settle(void)
{
    rcu_barrier();
    page_reclaim();
    /* Nodes of trees are freed by a callback. */
    rcu_barrier();
    page_reclaim();
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

/* Free all. */
static inline void
hog_give_all(struct list *blocks)
{
    while (!list_is_empty(blocks)) {
        struct page *page = list_first_entry(blocks, struct page, node);

        list_remove(&page->node);
        page_free(page, page->order);
    }
}

/* The same, but leave @nr single pages. */
static inline void
hog_take_all_but(struct list *blocks, size_t nr)
{
    struct list pages = LIST_INITIALIZER(pages);

    hog_settle();
    for (; nr > 0; nr--) {
        struct page *page = page_alloc(0, PAGE_NO_RECLAIM);

        if (page != NULL) {
            list_insert_tail(&pages, &page->node);
        }
    }
    hog_take_all(blocks);
    hog_give_all(&pages);
}

#endif /* TEST_KERN_HOG_H */
