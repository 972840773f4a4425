/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/container.h>
#include <kern/page.h>
#include <vm/share.h>

void
share_init(struct page *page, struct container *container)
{
    container_get(container);
    page->share = (struct page_share){ .object = container };
    atomic_init(&page->share.nr_shares, 1);
}

void
share_get(struct page *page)
{
    atomic_fetch_add_explicit(&page->share.nr_shares, 1, memory_order_relaxed);
}

void
share_put(struct page *page)
{
    struct container *container = page->share.object;

    /* Who frees it comes after all others' use: acquire and release. */
    if (atomic_fetch_sub_explicit(&page->share.nr_shares, 1,
                                  memory_order_acq_rel) == 1) {
        page_free(page, 0);
        container_refund(container, CONTAINER_PAGES, 1);
        container_put(container);
    }
}

bool
share_try_take(struct page *page, struct container *container)
{
    /* Pairs with the release in share_put(): others have read it. */
    if (page->share.object != container ||
        atomic_load_explicit(&page->share.nr_shares, memory_order_acquire) !=
            1) {
        return false;
    }
    container_put(container);
    return true;
}
