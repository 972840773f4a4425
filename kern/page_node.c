/* SPDX-License-Identifier: MIT */
#include <lib/assert.h>
#include <lib/macros.h>
#include <kern/page.h>
#include <kern/page_i.h>
#include <kern/page_node.h>
#include <kern/spinlock.h>

struct page_node *page_nodes;
uint32_t page_nr_nodes;

static void
page_node_insert(struct page_node *node, struct page *page, unsigned int order)
{
    page->state = PAGE_STATE_FREE;
    page->order = (uint8_t)order;
    list_insert_head(&node->blocks[order], &page->node);
    ADD_ONCE(node->nr_blocks[order], 1);
    WRITE_ONCE(node->orders, node->orders | 1U << order);
}

static void
page_node_remove(struct page_node *node, struct page *page, unsigned int order)
{
    assert(page->state == PAGE_STATE_FREE && page->order == order);

    list_remove(&page->node);
    page->state = PAGE_STATE_NONE;
    ADD_ONCE(node->nr_blocks[order], -1);
    if (list_is_empty(&node->blocks[order])) {
        WRITE_ONCE(node->orders, node->orders & ~(1U << order));
    }
}

/* The buddy of a block, if it is free as a whole. */
static struct page *
page_node_find_buddy(const struct page *page, unsigned int order)
{
    size_t frame = page_frame(page) ^ ((size_t)1 << order);
    struct page *buddy;

    if (order >= PAGE_UNIT_ORDER && !page_exists(frame << PAGE_SHIFT)) {
        return NULL;
    }
    buddy = page_from_frame(frame);
    /* The state of a buddy that is not free may change without the lock. */
    if (buddy->numa_node != page->numa_node ||
        READ_ONCE(buddy->state) != PAGE_STATE_FREE || buddy->order != order) {
        return NULL;
    }
    return buddy;
}

unsigned int
page_node_free_locked(struct page_node *node, struct page *page,
                      unsigned int order)
{
    assert(spinlock_is_locked(&node->lock));

    ADD_ONCE(node->nr_free, (size_t)1 << order);
    while (order < PAGE_ORDER_MAX) {
        struct page *buddy = page_node_find_buddy(page, order);

        if (buddy == NULL) {
            break;
        }
        page_node_remove(node, buddy, order);
        page->state = PAGE_STATE_NONE;
        page = MIN(page, buddy);
        order++;
    }
    page_node_insert(node, page, order);
    return order;
}

struct page *
page_node_alloc_locked(struct page_node *node, unsigned int order,
                       size_t nr_kept)
{
    uint32_t orders = node->orders & ~((1U << order) - 1);
    unsigned int found;
    struct page *page;

    assert(spinlock_is_locked(&node->lock));

    if (orders == 0 || node->nr_free < nr_kept + ((size_t)1 << order)) {
        return NULL;
    }

    found = (unsigned int)__builtin_ctz(orders);
    page = list_first_entry(&node->blocks[found], struct page, node);
    page_node_remove(node, page, found);
    while (found > order) {
        found--;
        page_node_insert(node, page + ((size_t)1 << found), found);
    }

    ADD_ONCE(node->nr_free, -((size_t)1 << order));
    page->state = PAGE_STATE_USED;
    page->order = (uint8_t)order;
    return page;
}

size_t
page_node_nr_total(uint32_t node)
{
    return page_nodes[node].nr_total;
}

size_t
page_node_nr_free(uint32_t node)
{
    return READ_ONCE(page_nodes[node].nr_free);
}

size_t
page_node_nr_blocks(uint32_t node, unsigned int order)
{
    return READ_ONCE(page_nodes[node].nr_blocks[order]);
}
