/* SPDX-License-Identifier: MIT */
/*
 * Physical pages.
 *
 * Blocks of 2^order pages come from a buddy system per NUMA node (Knowlton,
 * "A fast storage allocator", CACM 1965); single pages pass through a cache
 * per CPU that holds pages of the CPU's own node only.  Each page frame of
 * RAM has a struct page; the first one of a block describes the block.
 *
 * Whoever allocated a block may use the members of struct page that are
 * marked so until it frees the block.
 *
 * Lock rank: LOCK_PAGE_NODE.  Design: doc/memory.md.
 */
#ifndef KERN_PAGE_H
#define KERN_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/list.h>
#include <lib/macros.h>
#include <arch/layout.h>
#include <arch/pmap.h>
#include <arch/types.h>

/* The largest block is 1 GiB. */
#define PAGE_ORDER_MAX 18
#define PAGE_NR_ORDERS (PAGE_ORDER_MAX + 1)

/* Flags of page_alloc(). */
#define PAGE_ZERO       0x1U /* filled with zeros */
#define PAGE_NO_RECLAIM 0x2U /* fail rather than ask others to give back */

enum page_state {
    PAGE_STATE_NONE,   /* no RAM, never given to us, or inside of a block */
    PAGE_STATE_FREE,   /* first of a free block */
    PAGE_STATE_CACHED, /* in the cache of a CPU */
    PAGE_STATE_USED,   /* first of an allocated block */
};

/* What the owner does with a block, so that others can tell. */
enum page_use {
    PAGE_USE_OTHER,
    PAGE_USE_SLAB,    /* objects of a slab cache; set in all its pages */
    PAGE_USE_KMALLOC, /* one large kmalloc() */
};

struct slab_cache;

/*
 * Keys: [N] lock of the node, for a block that is free
 *       [O] owner of the block, while it is allocated
 *       [S] lock of the slab cache
 *       [c] constant once page_setup() has run
 */
struct page {
    struct list node;      /* [N] free blocks; [O] */
    uint8_t state;         /* [N] enum page_state; [O] while it is not free */
    uint8_t order;         /* [N] of the block, in its first page */
    uint8_t numa_node;     /* [c] */
    bool poisoned;         /* [N] debug: the page is full of poison */
    uint8_t use;           /* [O] enum page_use */
    uint8_t slab_list;     /* [S] enum slab_list, of the slab's first page */
    uint16_t slab_colour;  /* [O] bytes before its first object */
    uint32_t slab_nr_used; /* [S] objects not in the slab's free list */
    void *slab_free;       /* [S] first of that list */
    struct slab_cache *slab_cache; /* [O] */
    struct page *head;             /* [O] first page of the slab */
} __aligned(CACHE_LINE);

/* One line: what two CPUs do with two pages is never shared. */
static_assert(sizeof(struct page) == CACHE_LINE, "the array is indexed");

/* A cache of something that can give pages back. */
struct page_shrinker {
    const char *name;
    void (*shrink)(void);       /* thread context, interrupts enabled */
    struct page_shrinker *next; /* set by page_register_shrinker() */
};

/* The struct page of a physical address for which page_exists(). */
static inline struct page *
page_from_phys(paddr_t phys)
{
    return (struct page *)PAGE_ARRAY_BASE + (phys >> PAGE_SHIFT);
}

/* The physical address of the first byte of a page. */
static inline paddr_t
page_phys(const struct page *page)
{
    return (paddr_t)(page - (const struct page *)PAGE_ARRAY_BASE) << PAGE_SHIFT;
}

/* Where a page is in the direct map. */
static inline void *
page_ptr(const struct page *page)
{
    return pmap_direct_ptr(page_phys(page));
}

/* The page that holds a byte of the direct map. */
static inline struct page *
page_from_ptr(const void *ptr)
{
    return page_from_phys(pmap_direct_addr(ptr));
}

/* The smallest order of a block of at least @size bytes. */
static inline unsigned int
page_order(size_t size)
{
    unsigned int order = 0;

    while ((PAGE_SIZE << order) < size) {
        order++;
    }
    return order;
}

/*
 * Whether there is a struct page for a physical address: there is for all
 * RAM, and for the rest of the 4 MiB around.
 */
bool page_exists(paddr_t phys);

/*
 * Allocate 2^@order pages in one piece, aligned to their size, of this CPU's
 * node if it has any, else of the nearest that has.
 *
 * @flags  PAGE_ZERO, PAGE_NO_RECLAIM
 *
 * Context: any but NMI.  With interrupts enabled and without PAGE_NO_RECLAIM
 *          no spin lock may be held: shrinkers may be called.
 * Locks:   takes and drops LOCK_PAGE_NODE
 * Returns: the first page; NULL on exhaustion
 */
struct page *page_alloc(unsigned int order, unsigned int flags) __must_check;

/*
 * Allocate like page_alloc(), near a given node.
 *
 * @node  below numa_nr_nodes()
 */
struct page *page_alloc_node(unsigned int order, unsigned int flags,
                             uint32_t node) __must_check;

/*
 * Free what page_alloc() returned.
 *
 * @order  the one it was allocated with
 *
 * Context: any but NMI
 * Locks:   takes and drops LOCK_PAGE_NODE
 */
void page_free(struct page *page, unsigned int order);

/*
 * Have somebody asked to give pages back before an allocation fails.
 *
 * @shrinker  stays registered for ever
 *
 * Context: any
 */
void page_register_shrinker(struct page_shrinker *shrinker);

/*
 * Give the cached pages of all CPUs back to their nodes.
 *
 * Context: thread, interrupts enabled, no spin lock held
 */
void page_drain(void);

/* Whether page_alloc() works yet. */
bool page_is_ready(void);

/* Pages that the allocator manages. */
size_t page_nr_total(void);

/* Those of them that are free. */
size_t page_nr_free(void);

/* Pages of one node. */
size_t page_node_nr_total(uint32_t node);

/* Those of them that are free; pages in CPUs' caches are not counted. */
size_t page_node_nr_free(uint32_t node);

/* Free blocks of one order of a node. */
size_t page_node_nr_blocks(uint32_t node, unsigned int order);

/* Free pages in the cache of a CPU. */
size_t page_cpu_nr_cached(uint32_t cpu);

#endif /* KERN_PAGE_H */
