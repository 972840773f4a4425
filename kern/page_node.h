/* SPDX-License-Identifier: MIT */
/*
 * The free blocks of a node: buddies.
 *
 * Invariants: a page is the first of a free block if and only if its state is
 * PAGE_STATE_FREE, and then the block is on the list of its order and node,
 * aligned to its size, and within the node; two buddies of one order are
 * never both free; the free pages of a node are the sum of its blocks.
 *
 * Lists of a node are protected by its lock, taken with interrupts disabled.
 */
#ifndef KERN_PAGE_NODE_H
#define KERN_PAGE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/numa.h>
#include <kern/page.h>
#include <kern/spinlock.h>
#include <lib/list.h>
#include <lib/macros.h>

/*
 * Keys: [N] lock   [R] written under the lock, read by anybody
 *       [c] constant once page_setup() has run
 */
struct page_node {
    struct spinlock lock;               /* rank LOCK_PAGE_NODE */
    uint32_t orders;                    /* [R] bit: list is not empty */
    size_t nr_free;                     /* [R] pages */
    size_t nr_total;                    /* [c] pages */
    size_t nr_reserved;                 /* [c] pages held back */
    struct list blocks[PAGE_NR_ORDERS]; /* [N] free, by order */
    size_t nr_blocks[PAGE_NR_ORDERS];   /* [R] */
    uint8_t fallback[NUMA_NODES_MAX];   /* [c] nodes by distance */
} __aligned(CACHE_LINE);

/* Constant once page_setup() has run, which sets them. */
extern struct page_node *page_nodes; /* by node */
extern uint32_t page_nr_nodes;       /* 0 until then */

/*
 * Add a block to its node, merged with its buddies as far as it goes.
 *
 * Context: the node's lock held
 * Returns: the order of what became of it
 */
unsigned int page_node_free_locked(struct page_node *node, struct page *page,
                                   unsigned int order);

/*
 * Take a block off a node.
 *
 * @nr_kept  pages that must remain
 *
 * Context: the node's lock held
 * Returns: NULL when there is none so large
 */
struct page *page_node_alloc_locked(struct page_node *node, unsigned int order,
                                    size_t nr_kept);

/*
 * What follows is part of each allocation that a cache cannot serve; calls
 * would be felt there.
 */

/* Whether a node has too little, at a glance. */
static inline bool
page_node_is_short(const struct page_node *node, unsigned int order,
                   size_t nr_kept)
{
    return (READ_ONCE(node->orders) >> order) == 0 ||
           READ_ONCE(node->nr_free) < nr_kept + ((size_t)1 << order);
}

/*
 * Take a block off a node; NULL when there is none so large.
 *
 * @nr_kept  pages that must remain
 */
static inline struct page *
page_node_alloc(struct page_node *node, unsigned int order, size_t nr_kept)
{
    struct page *page;
    uint64_t flags;

    /* Racy, but whoever loses a race here has seen an empty node. */
    if (page_node_is_short(node, order, nr_kept)) {
        return NULL;
    }
    flags = spinlock_lock_irqsave(&node->lock);
    page = page_node_alloc_locked(node, order, nr_kept);
    spinlock_unlock_irqrestore(&node->lock, flags);
    return page;
}

/* Add a block to its node. */
static inline void
page_node_free(struct page *page, unsigned int order)
{
    struct page_node *node = &page_nodes[page->numa_node];
    uint64_t flags;

    flags = spinlock_lock_irqsave(&node->lock);
    (void)page_node_free_locked(node, page, order);
    spinlock_unlock_irqrestore(&node->lock, flags);
}

/*
 * Take up to @nr pages off a node in one piece: the smallest block there is, or
 * a part of it, so that large ones are left in one piece if possible.
 */
static inline struct page *
page_node_take_locked(struct page_node *node, size_t nr, unsigned int *orderp)
{
    unsigned int order = 0;

    if (node->orders != 0 && node->nr_free >= node->nr_reserved + nr) {
        order = MIN((unsigned int)__builtin_ctz(node->orders),
                    63 - (unsigned int)__builtin_clzl(nr));
    }
    *orderp = order;
    return page_node_alloc_locked(node, order, node->nr_reserved);
}

#endif /* KERN_PAGE_NODE_H */
