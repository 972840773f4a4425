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
#define PAGE_RESERVE    0x4U /* rather than fail, use what is held back */

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
    PAGE_USE_NODE,    /* node of the tree of a space */
    PAGE_USE_TABLE,   /* page table of a (space, CPU), of that CPU alone */
};

struct page;
struct slab_cache;
struct container;

/*
 * PAGE_USE_SLAB.
 *
 * Keys: [O] owner   [S] lock of the slab cache
 */
struct page_slab {
    uint8_t list;             /* [S] enum slab_list, of the slab's first page */
    uint16_t colour;          /* [O] bytes before its first object */
    uint32_t nr_used;         /* [S] objects not in the slab's free list */
    void *free;               /* [S] first of that list */
    struct slab_cache *cache; /* [O] */
    struct page *head;        /* [O] first page of the slab */
};

/*
 * PAGE_USE_NODE; the locks are those of the space.
 */
struct page_tree {
    uint32_t home;  /* CPU whose page table the node is */
    uint8_t level;  /* of its slots */
    uint8_t flags;  /* the space's */
    uint16_t spare; /* the space's */
    void *sharers;  /* array of what other CPUs use, or NULL */
    void *regions;  /* array of what the slots have no room for, or NULL */
    struct container *container; /* is charged */
    uintptr_t va;                /* first address that it stands for */
};

/*
 * PAGE_USE_TABLE.
 *
 * Keys: [O] owner
 */
struct page_table {
    void *utable;  /* [O] struct utable that it was made for */
    uint8_t level; /* [O] of its entries */
};

/*
 * A page that several use.
 */
struct page_share {
    _Atomic uint32_t nr_shares; /* atomic */
    void *object;               /* the sharers' */
    uint64_t index;             /* the sharers' */
};

#define PAGE_NR_OWNER_WORDS 5

/*
 * Keys: [N] lock of the node, for a block that is free
 *       [O] owner of the block, while it is allocated; undefined before
 *       [c] constant once page_setup() has run
 */
struct page {
    struct list node;  /* [N] free blocks; [O] */
    uint8_t state;     /* [N] enum page_state; [O] while not free */
    uint8_t order;     /* [N] of the block, in its first page */
    uint8_t numa_node; /* [c] */
    bool poisoned;     /* [N] debug: the page is full of poison */
    uint8_t use;       /* [O] enum page_use, says which of the following */
    union {
        struct page_slab slab;               /* [O] */
        struct page_tree tree;               /* [O] */
        struct page_table table;             /* [O] */
        struct page_share share;             /* [O] */
        uint64_t owner[PAGE_NR_OWNER_WORDS]; /* [O] anything else */
    };
} __aligned(CACHE_LINE);

/* One line: what two CPUs do with two pages is never shared. */
static_assert(sizeof(struct page) == CACHE_LINE, "the array is indexed");
static_assert(offsetof(struct page, owner) +
                      PAGE_NR_OWNER_WORDS * sizeof(uint64_t) ==
                  CACHE_LINE,
              "the owner's part is as large as it can be");

/* In which order shrinkers are asked: what is made again most easily first. */
enum page_shrink_order {
    PAGE_SHRINK_TABLES,  /* page tables, which faults make again */
    PAGE_SHRINK_ZEROED,  /* pages cleared in advance */
    PAGE_SHRINK_DEAD,    /* objects whose end only has to be noticed */
    PAGE_SHRINK_REAPED,  /* objects that are to be taken apart */
    PAGE_SHRINK_OBJECTS, /* free objects of slab caches */
    PAGE_SHRINK_KVA,     /* freed ranges of kernel addresses */
    PAGE_SHRINK_CACHES,  /* free pages in caches of CPUs */
    PAGE_NR_SHRINK_ORDERS,
};

/*
 * A cache of something that can give pages back.
 *
 * Whoever allocates calls it, whatever mutexes and slots of spaces he holds.
 * So it waits for nothing that could be held around an allocation.
 */
struct page_shrinker {
    const char *name;
    enum page_shrink_order order;
    void (*shrink)(void);       /* thread context, interrupts enabled */
    size_t (*count)(void);      /* pages that are as good as free; or NULL */
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
 * node if it has any, else of the nearest that has.  If none has, shrinkers are
 * asked, in their order, until the allocation succeeds.
 *
 * A part of the memory is held back for those without whom others cannot go
 * on or give memory back: handlers of faults, and who frees.
 *
 * @flags  PAGE_ZERO, PAGE_NO_RECLAIM, PAGE_RESERVE
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
 * Have somebody asked to give pages back before an allocation fails.  Those of
 * one order are asked in no promised order.
 *
 * @shrinker  stays registered for ever
 *
 * Context: any
 */
void page_register_shrinker(struct page_shrinker *shrinker);

/*
 * Have all shrinkers give back what they can.
 *
 * Context: thread, interrupts enabled, no spin lock held
 */
void page_reclaim(void);

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

/* Those of them that are free, in caches of CPUs or kept by shrinkers. */
size_t page_nr_free(void);

/* Pages that only allocations with PAGE_RESERVE may use. */
size_t page_nr_reserved(void);

/* Pages of one node. */
size_t page_node_nr_total(uint32_t node);

/* Those of them that are free; pages in CPUs' caches are not counted. */
size_t page_node_nr_free(uint32_t node);

/* Free blocks of one order of a node. */
size_t page_node_nr_blocks(uint32_t node, unsigned int order);

/* Free pages in the cache of a CPU. */
size_t page_cpu_nr_cached(uint32_t cpu);

/*
 * Give this CPU's cache some pages if it is empty, so that one can be allocated
 * with interrupts disabled in a short time.
 *
 * Context: interrupts disabled
 * Returns: whether it got any
 */
bool page_refill_some(void);

#endif /* KERN_PAGE_H */
