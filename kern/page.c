/* SPDX-License-Identifier: MIT */
/*
 * Physical pages.
 *
 * Invariants: a page is the first of a free block if and only if its state is
 * PAGE_STATE_FREE, and then the block is on the list of its order and node,
 * aligned to its size, and within the node; two buddies of one order are
 * never both free; the free pages of a node are the sum of its blocks.  What
 * is between two allocations is in exactly one of: a free block, the cache of
 * one CPU, a chain local to a function here.
 *
 * The array of struct page is mapped in units of 4 MiB of memory, rounded
 * outwards from each range of RAM, so the buddy of a smaller block always has
 * one; for larger ones a bitmap of units is asked.
 *
 * Lists of a node are protected by its lock, taken with interrupts disabled;
 * the cache of a CPU by disabling interrupts on it.  Pages are filled and
 * poisoned outside of both.  Nothing here is done for more than
 * PAGE_DRAIN_BATCH or PAGE_FETCH_BATCH blocks under one hold of a lock.
 *
 * Zeros, poison and shadow are handled without locks, after a block has left
 * the lists and before it enters them.
 */

#include <stdatomic.h>

#include <lib/bitmap.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <arch/cpu.h>
#include <kern/alloc_check.h>
#include <kern/bootmem.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <kern/log.h>
#include <kern/numa.h>
#include <kern/page.h>
#include <kern/panic.h>
#include <kern/percpu.h>
#include <kern/spinlock.h>
#include <kern/xcall.h>

/* Pages that a CPU keeps at most, and moves at a time. */
#define PAGE_CACHE_HIGH  32
#define PAGE_CACHE_BATCH 16

/* Blocks that are merged under one hold of a node's lock. */
#define PAGE_DRAIN_BATCH 2

/* Pages that are taken under one hold of a node's lock. */
#define PAGE_FETCH_BATCH 8

/*
 * What is held back for PAGE_RESERVE: 1/128 of a node, and some pages for each
 * CPU, but at most 1/16.
 */
#define PAGE_RESERVE_SHARE     128
#define PAGE_RESERVE_CPU       8
#define PAGE_RESERVE_SHARE_MAX 16

/* A cache is worth it only if all CPUs' together are a small part: 1/8. */
#define PAGE_CACHE_SHARE 8

/* A unit of the array: 4 MiB of memory. */
#define PAGE_UNIT_ORDER 10
#define PAGE_UNIT_SIZE  (PAGE_SIZE << PAGE_UNIT_ORDER)

/* The part of the array that one large page maps, and the memory it stands
 * for: pieces of the array are allocated on the node that they describe. */
#define PAGE_CHUNK_SIZE   MIB(2)
#define PAGE_CHUNK_MEMORY (PAGE_CHUNK_SIZE / sizeof(struct page) * PAGE_SIZE)

/* Blocks of greater orders are not poisoned: it would take too long. */
#define PAGE_POISON_ORDER_MAX 3
#define PAGE_POISON           0x6b
#define PAGE_POISON_WORD      UINT64_C(0x6b6b6b6b6b6b6b6b)

#ifdef CONFIG_DEBUG
#define PAGE_IS_POISONING true
#else
#define PAGE_IS_POISONING false
#endif

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

/*
 * Pages are linked through the next pointer of their node.
 *
 * Keys: [I] this CPU with interrupts disabled; nr is read by anybody
 */
struct page_cache {
    struct list *first; /* [I] */
    size_t nr;          /* [I] */
};

static PERCPU(struct page_cache, page_caches);

static struct page_node *page_nodes; /* [c] by node */
static uint32_t page_nr_nodes;       /* [c] 0 until page_setup() */
static size_t page_cache_high;       /* [c] */
static unsigned long *page_units;    /* [c] bit: unit has struct pages */
static size_t page_nr_units;         /* [c] */
static _Atomic(struct page_shrinker *) page_shrinkers[PAGE_NR_SHRINK_ORDERS];

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

bool
page_exists(paddr_t phys)
{
    size_t unit = phys / PAGE_UNIT_SIZE;

    return unit < page_nr_units && bitmap_test(page_units, unit);
}

/* The node of this CPU, 0 if it has a node without struct page_node. */
static uint32_t
page_this_node(void)
{
    uint32_t node = cpu_table[cpu_id()].node;

    return node < page_nr_nodes ? node : 0;
}

/*
 * Poison
 */

/* Fill a block that is about to be free. */
static void
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

static void
page_check_poison(const struct page *page)
{
    const size_t nr = PAGE_SIZE / sizeof(uint64_t);
    const uint64_t *words = page_ptr(page);
    uint64_t common = UINT64_MAX, any = 0;
    size_t i;

    /* Interrupts may be disabled: with two instructions a word. */
    for (i = 0; i < nr; i += 8) {
        const uint64_t *w = &words[i];

        common &= w[0] & w[1] & w[2] & w[3] & w[4] & w[5] & w[6] & w[7];
    }
    for (i = 0; i < nr; i += 8) {
        const uint64_t *w = &words[i];

        any |= w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7];
    }
    if (likely(common == PAGE_POISON_WORD && any == PAGE_POISON_WORD)) {
        return;
    }

    for (i = 0; i < nr - 1 && words[i] == PAGE_POISON_WORD; i++) {
    }
    panic("page: 0x%llx was written while free: 0x%llx at +0x%zx",
          (unsigned long long)page_phys(page), (unsigned long long)words[i],
          i * sizeof(*words));
}

/* Look whether a block was written while it was free. */
static void
page_unpoison(struct page *page, unsigned int order)
{
    kasan_unpoison(page_ptr(page), PAGE_SIZE << order);
    for (size_t i = 0; PAGE_IS_POISONING && i < (size_t)1 << order; i++) {
        if (page[i].poisoned) {
            page_check_poison(&page[i]);
        }
    }
}

/*
 * Nodes
 */

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

/* Add a block to its node, merged with its buddies as far as it goes. */
static void
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
}

/*
 * Take a block off a node; NULL when there is none so large.
 *
 * @nr_kept  pages that must remain
 */
static struct page *
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

/* Whether a node has too little, at a glance. */
static bool
page_node_is_short(const struct page_node *node, unsigned int order,
                   size_t nr_kept)
{
    return (READ_ONCE(node->orders) >> order) == 0 ||
           READ_ONCE(node->nr_free) < nr_kept + ((size_t)1 << order);
}

static struct page *
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

static void
page_node_free(struct page *page, unsigned int order)
{
    struct page_node *node = &page_nodes[page->numa_node];
    uint64_t flags;

    flags = spinlock_lock_irqsave(&node->lock);
    page_node_free_locked(node, page, order);
    spinlock_unlock_irqrestore(&node->lock, flags);
}

/*
 * Caches
 */

static void
page_cache_push(struct page_cache *cache, struct page *page)
{
    WRITE_ONCE(page->state, PAGE_STATE_CACHED);
    page->node.next = cache->first;
    cache->first = &page->node;
    ADD_ONCE(cache->nr, 1);
}

static struct page *
page_cache_pop(struct page_cache *cache)
{
    struct page *page;

    if (cache->first == NULL) {
        return NULL;
    }
    page = list_entry(cache->first, struct page, node);
    assert(page->state == PAGE_STATE_CACHED);
    cache->first = page->node.next;
    ADD_ONCE(cache->nr, -1);
    list_node_init(&page->node);
    WRITE_ONCE(page->state, PAGE_STATE_USED);
    return page;
}

/*
 * Take up to @nr pages off a node in one piece: the smallest block there is, or
 * a part of it, so that large ones are left in one piece if possible.
 */
static struct page *
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

/* The node of the first page of a chain; NULL when it is empty. */
static struct page_node *
page_cache_node(const struct page_cache *chain)
{
    if (chain->first == NULL) {
        return NULL;
    }
    return &page_nodes[list_entry(chain->first, struct page, node)->numa_node];
}

/* Give some pages of a chain, which is not empty, back to a node. */
static void
page_cache_return_some(struct page_cache *chain)
{
    struct page_node *node = page_cache_node(chain);
    uint64_t flags;

    flags = spinlock_lock_irqsave(&node->lock);
    for (unsigned int i = 0;
         i < PAGE_DRAIN_BATCH && page_cache_node(chain) == node; i++) {
        page_node_free_locked(node, page_cache_pop(chain), 0);
    }
    spinlock_unlock_irqrestore(&node->lock, flags);
}

/* Add @nr pages of a node to a chain; false when it has no more. */
static bool
page_cache_fetch_some(struct page_cache *chain, struct page_node *node,
                      size_t nr)
{
    struct page *page = NULL;
    unsigned int order;
    uint64_t flags;

    if (page_node_is_short(node, 0, node->nr_reserved)) {
        return false;
    }
    flags = spinlock_lock_irqsave(&node->lock);
    while (nr > 0) {
        page = page_node_take_locked(node, nr, &order);
        if (page == NULL) {
            break;
        }
        nr -= (size_t)1 << order;
        for (size_t i = (size_t)1 << order; i > 0; i--) {
            page[i - 1].order = 0;
            page_cache_push(chain, &page[i - 1]);
        }
    }
    spinlock_unlock_irqrestore(&node->lock, flags);
    return page != NULL;
}

/*
 * Fetch pages from the CPU's node.  That takes several holds of its lock; the
 * caller may be on another CPU then.
 */
static __noinline void
page_cache_refill(void)
{
    size_t batch = MIN((size_t)PAGE_CACHE_BATCH, page_cache_high);
    struct page_cache chain = { NULL, 0 };
    uint32_t node = page_this_node();
    struct page_cache *cache;
    uint64_t flags;

    while (chain.nr < batch &&
           page_cache_fetch_some(&chain, &page_nodes[node],
                                 MIN(batch - chain.nr,
                                     (size_t)PAGE_FETCH_BATCH))) {
    }

    flags = cpu_irq_save();
    cache = percpu_this(page_caches);
    if (cache->first == NULL && page_this_node() == node) {
        *cache = chain;
        chain.first = NULL;
    }
    cpu_irq_restore(flags);
    while (chain.first != NULL) {
        page_cache_return_some(&chain);
    }
}

bool
page_refill_some(void)
{
    struct page_cache *cache = percpu_this(page_caches);

    assert(!cpu_irq_is_enabled());

    return cache->first == NULL && page_cache_high != 0 &&
           page_cache_fetch_some(cache, &page_nodes[page_this_node()],
                                 MIN(page_cache_high,
                                     (size_t)PAGE_FETCH_BATCH));
}

/* A page of this CPU's cache, NULL when it is empty. */
static __always_inline struct page *
page_cache_take(void)
{
    struct page *page;
    uint64_t flags;

    flags = cpu_irq_save();
    page = page_cache_pop(percpu_this(page_caches));
    cpu_irq_restore(flags);
    return page;
}

static struct page *
page_cache_alloc(void)
{
    struct page *page;

    page = page_cache_take();
    if (page == NULL) {
        page_cache_refill();
        page = page_cache_take();
    }
    return page;
}

/* Move up to @nr pages from one chain to another. */
static void
page_cache_move(struct page_cache *dst, struct page_cache *src, size_t nr)
{
    while (nr > 0 && src->first != NULL) {
        page_cache_push(dst, page_cache_pop(src));
        nr--;
    }
}

static void
page_cache_free(struct page *page)
{
    struct page_cache surplus = { NULL, 0 };
    struct page_cache *cache;
    uint64_t flags;

    flags = cpu_irq_save();
    cache = percpu_this(page_caches);
    if (page->numa_node == page_this_node()) {
        page_cache_push(cache, page);
    } else {
        page_cache_push(&surplus, page);
    }
    if (cache->nr > page_cache_high) {
        page_cache_move(&surplus, cache, PAGE_CACHE_BATCH);
    }
    cpu_irq_restore(flags);

    while (surplus.first != NULL) {
        page_cache_return_some(&surplus);
    }
}

/* What the CPUs have given up, a chain. */
struct page_drain {
    _Atomic(struct list *) first;
};

/*
 * In an interrupt of all CPUs at once: the pages are given up without a lock,
 * for which they would wait for each other.
 *
 * @arg  struct page_drain
 */
static void
page_cache_drain_this_cpu(void *arg)
{
    struct page_cache *cache = percpu_this(page_caches);
    struct page_drain *drain = arg;
    struct list *last, *first;

    if (cache->first == NULL) {
        return;
    }
    for (last = cache->first; last->next != NULL; last = last->next) {
    }
    first = atomic_load_explicit(&drain->first, memory_order_relaxed);
    do {
        last->next = first;
        /* The end of the cross call tells the caller. */
    } while (!atomic_compare_exchange_weak_explicit(&drain->first, &first,
                                                    cache->first,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));
    cache->first = NULL;
    cache->nr = 0;
}

/*
 * Allocation
 */

/* Try the nodes from the nearest to @node to the farthest. */
static struct page *
page_try_alloc(unsigned int order, uint32_t node)
{
    struct page *page = NULL;

    if (order == 0 && page_cache_high != 0 && node == page_this_node()) {
        page = page_cache_alloc();
    }
    for (uint32_t i = 0; page == NULL && i < page_nr_nodes; i++) {
        struct page_node *other = &page_nodes[page_nodes[node].fallback[i]];

        page = page_node_alloc(other, order, other->nr_reserved);
    }
    return page;
}

/* The same for those who may use what is held back. */
static struct page *
page_try_alloc_reserved(unsigned int order, uint32_t node)
{
    struct page *page = NULL;

    for (uint32_t i = 0; page == NULL && i < page_nr_nodes; i++) {
        page = page_node_alloc(&page_nodes[page_nodes[node].fallback[i]], order,
                               0);
    }
    return page;
}

/* The first shrinker of an order. */
static struct page_shrinker *
page_first_shrinker(size_t shrink_order)
{
    /* Pairs with the release in page_register_shrinker(). */
    return atomic_load_explicit(&page_shrinkers[shrink_order],
                                memory_order_acquire);
}

static void
page_shrink(const struct page_shrinker *shrinker)
{
    uint32_t nr = alloc_check_suspend();

    shrinker->shrink();
    alloc_check_resume(nr);
}

void
page_reclaim(void)
{
    struct page_shrinker *shrinker;

    for (size_t i = 0; i < PAGE_NR_SHRINK_ORDERS; i++) {
        for (shrinker = page_first_shrinker(i); shrinker != NULL;
             shrinker = shrinker->next) {
            page_shrink(shrinker);
        }
    }
}

/* Ask one shrinker after the other until there is a block. */
static struct page *
page_reclaim_alloc(unsigned int order, uint32_t node)
{
    struct page_shrinker *shrinker;
    struct page *page = NULL;

    for (size_t i = 0; page == NULL && i < PAGE_NR_SHRINK_ORDERS; i++) {
        for (shrinker = page_first_shrinker(i);
             page == NULL && shrinker != NULL; shrinker = shrinker->next) {
            page_shrink(shrinker);
            page = page_try_alloc(order, node);
        }
    }
    return page;
}

/* When nothing is left but what others have and what is held back. */
static struct page *
page_alloc_short(unsigned int order, unsigned int flags, uint32_t node)
{
    struct page *page = NULL;

    if (!(flags & PAGE_NO_RECLAIM) && cpu_irq_is_enabled()) {
        page = page_reclaim_alloc(order, node);
    }
    if (page == NULL && (flags & PAGE_RESERVE)) {
        page = page_try_alloc_reserved(order, node);
    }
    return page;
}

struct page *
page_alloc_node(unsigned int order, unsigned int flags, uint32_t node)
{
    struct page *page;

    assert(order <= PAGE_ORDER_MAX);
    assert(node < page_nr_nodes);

    if (fail_now()) {
        return NULL;
    }
    alloc_check_enter();
    page = page_try_alloc(order, node);
    if (unlikely(page == NULL)) {
        page = page_alloc_short(order, flags, node);
    }
    alloc_check_leave();
    if (page == NULL) {
        return NULL;
    }

    page->use = PAGE_USE_OTHER;
    page_unpoison(page, order);
    if (flags & PAGE_ZERO) {
        memset(page_ptr(page), 0, PAGE_SIZE << order);
    }
    return page;
}

struct page *
page_alloc(unsigned int order, unsigned int flags)
{
    return page_alloc_node(order, flags, page_this_node());
}

void
page_free(struct page *page, unsigned int order)
{
    if (!page_exists(page_phys(page)) || page->state != PAGE_STATE_USED ||
        page->order != order) {
        panic("page: bad free of 0x%llx order %u: state %u order %u",
              (unsigned long long)page_phys(page), order, page->state,
              page->order);
    }

    page_poison(page, order);
    alloc_check_enter();
    if (order == 0 && page_cache_high != 0) {
        page_cache_free(page);
    } else {
        page_node_free(page, order);
    }
    alloc_check_leave();
}

void
page_register_shrinker(struct page_shrinker *shrinker)
{
    _Atomic(struct page_shrinker *) *first = &page_shrinkers[shrinker->order];

    assert(shrinker->order < PAGE_NR_SHRINK_ORDERS);

    shrinker->next = atomic_load_explicit(first, memory_order_relaxed);
    /* Pairs with the acquire in page_first_shrinker(): @next is set. */
    while (!atomic_compare_exchange_weak_explicit(first, &shrinker->next,
                                                  shrinker,
                                                  memory_order_release,
                                                  memory_order_relaxed)) {
    }
}

void
page_drain(void)
{
    struct page_cache chain = { NULL, 0 };
    struct page_drain drain = { NULL };

    xcall_all(page_cache_drain_this_cpu, &drain);
    chain.first = atomic_load_explicit(&drain.first, memory_order_relaxed);
    while (chain.first != NULL) {
        page_cache_return_some(&chain);
    }
}

bool
page_is_ready(void)
{
    return page_nr_nodes != 0;
}

/*
 * Counts; racy sums, exact when nothing happens.
 */

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

size_t
page_cpu_nr_cached(uint32_t cpu)
{
    return READ_ONCE(percpu_ptr(page_caches, cpu)->nr);
}

size_t
page_nr_total(void)
{
    size_t nr = 0;

    for (uint32_t node = 0; node < page_nr_nodes; node++) {
        nr += page_node_nr_total(node);
    }
    return nr;
}

/* Pages that shrinkers have and that are as good as free. */
static size_t
page_nr_kept(void)
{
    const struct page_shrinker *shrinker;
    size_t nr = 0;

    for (size_t i = 0; i < PAGE_NR_SHRINK_ORDERS; i++) {
        for (shrinker = page_first_shrinker(i); shrinker != NULL;
             shrinker = shrinker->next) {
            nr += shrinker->count != NULL ? shrinker->count() : 0;
        }
    }
    return nr;
}

size_t
page_nr_reserved(void)
{
    size_t nr = 0;

    for (uint32_t node = 0; node < page_nr_nodes; node++) {
        nr += page_nodes[node].nr_reserved;
    }
    return nr;
}

size_t
page_nr_free(void)
{
    size_t nr = 0;

    for (uint32_t node = 0; node < page_nr_nodes; node++) {
        nr += page_node_nr_free(node);
    }
    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        nr += page_cpu_nr_cached(cpu);
    }
    return nr + page_nr_kept();
}

/*
 * Set-up
 */

/* Allocate and map the part of the array for [base, end). */
static status_t
page_setup_chunk(paddr_t base, paddr_t end)
{
    size_t size = (end - base) / PAGE_SIZE * sizeof(struct page);
    uint32_t node = numa_node_of(base);
    paddr_t array;

    array = numa_bootmem_alloc(
        size, size == PAGE_CHUNK_SIZE ? PAGE_CHUNK_SIZE : PAGE_SIZE, node);
    if (array == PADDR_NONE) {
        array = numa_bootmem_alloc(size, PAGE_SIZE, node);
    }
    if (array == PADDR_NONE) {
        return ERR_NO_MEMORY;
    }
    return pmap_map((uintptr_t)page_from_phys(base), array, size,
                    PMAP_READ | PMAP_WRITE, PMAP_WB);
}

/* Have the array for the units of [base, end) that have none yet. */
static status_t
page_setup_array(paddr_t base, paddr_t end)
{
    base = ALIGN_DOWN(base, PAGE_UNIT_SIZE);
    end = ALIGN_UP(end, PAGE_UNIT_SIZE);

    while (base < end && page_exists(base)) {
        base += PAGE_UNIT_SIZE;
    }
    while (base < end) {
        paddr_t chunk = ALIGN_DOWN(base, PAGE_CHUNK_MEMORY);
        paddr_t next = MIN(end, chunk + PAGE_CHUNK_MEMORY);
        status_t status;

        status = page_setup_chunk(base, next);
        if (status != OK) {
            return status;
        }
        for (; base < next; base += PAGE_UNIT_SIZE) {
            bitmap_set(page_units, base / PAGE_UNIT_SIZE);
        }
    }
    return OK;
}

/* The bitmap of units, and the array for all RAM, rising. */
static status_t
page_setup_arrays(void)
{
    struct bootmem_range range;
    paddr_t end = 0;
    paddr_t units;

    for (paddr_t addr = 0; bootmem_next_ram(addr, &range); addr = range.end) {
        end = range.end;
    }

    page_nr_units = DIV_ROUND_UP(end, PAGE_UNIT_SIZE);
    units = bootmem_alloc(BITMAP_LONGS(page_nr_units) * sizeof(*page_units),
                          CACHE_LINE, BOOTMEM_ANYWHERE);
    if (units == PADDR_NONE) {
        return ERR_NO_MEMORY;
    }
    page_units = pmap_direct_ptr(units);

    for (paddr_t addr = 0; bootmem_next_ram(addr, &range); addr = range.end) {
        status_t status = page_setup_array(range.base, range.end);

        if (status != OK) {
            return status;
        }
    }
    return OK;
}

/* Sort the nodes by distance from @node, then in a ring behind it. */
static void
page_setup_fallback(uint32_t node, uint32_t nr_nodes)
{
    uint8_t *fallback = page_nodes[node].fallback;

    fallback[0] = (uint8_t)node;
    for (uint32_t i = 1; i < nr_nodes; i++) {
        uint32_t other = (node + i) % nr_nodes;
        uint32_t at = i;

        while (at > 1 && numa_distance(node, fallback[at - 1]) >
                             numa_distance(node, other)) {
            fallback[at] = fallback[at - 1];
            at--;
        }
        fallback[at] = (uint8_t)other;
    }
}

static status_t
page_setup_nodes(uint32_t nr_nodes)
{
    paddr_t nodes;

    nodes = bootmem_alloc(nr_nodes * sizeof(*page_nodes), CACHE_LINE,
                          BOOTMEM_ANYWHERE);
    if (nodes == PADDR_NONE) {
        return ERR_NO_MEMORY;
    }

    page_nodes = pmap_direct_ptr(nodes);
    for (uint32_t i = 0; i < nr_nodes; i++) {
        spinlock_init(&page_nodes[i].lock, LOCK_PAGE_NODE, "page node");
        for (unsigned int order = 0; order < PAGE_NR_ORDERS; order++) {
            list_init(&page_nodes[i].blocks[order]);
        }
        page_setup_fallback(i, nr_nodes);
    }
    return OK;
}

/* The order of the largest aligned block at the start of some frames. */
static unsigned int
page_setup_order(size_t frame, size_t nr_frames)
{
    unsigned int order = PAGE_ORDER_MAX;

    while (!IS_ALIGNED(frame, (size_t)1 << order) || nr_frames < (size_t)1
                                                                     << order) {
        order--;
    }
    return order;
}

/* Give pages that are of one node to it. */
static void
page_setup_frames(size_t frame, size_t end, uint32_t node)
{
    for (size_t i = frame; node != 0 && i < end; i++) {
        page_from_frame(i)->numa_node = (uint8_t)node;
    }
    page_nodes[node].nr_total += end - frame;
    while (frame < end) {
        unsigned int order = page_setup_order(frame, end - frame);

        page_node_free(page_from_frame(frame), order);
        frame += (size_t)1 << order;
    }
}

static void
page_setup_range(paddr_t base, paddr_t end)
{
    base = ALIGN_UP(base, PAGE_SIZE);
    end = ALIGN_DOWN(end, PAGE_SIZE);
    if (base < end) {
        kasan_poison(pmap_direct_ptr(base), end - base, KASAN_FREE_PAGE);
    }

    while (base < end) {
        /* A page across two nodes belongs to the first. */
        paddr_t next = MIN(end, numa_node_end(base));

        next = ALIGN_UP(next, PAGE_SIZE);
        page_setup_frames(base >> PAGE_SHIFT, next >> PAGE_SHIFT,
                          numa_node_of(base));
        base = next;
    }
}

/* Hold a part of each node back. */
static void
page_setup_reserves(uint32_t nr_nodes)
{
    for (uint32_t node = 0; node < nr_nodes; node++) {
        size_t nr_total = page_nodes[node].nr_total;

        page_nodes[node].nr_reserved =
            MIN(nr_total / PAGE_RESERVE_SHARE +
                    (size_t)PAGE_RESERVE_CPU * cpu_nr_possible,
                nr_total / PAGE_RESERVE_SHARE_MAX);
    }
}

/* The last to be asked. */
static struct page_shrinker page_cache_shrinker = {
    .name = "page caches",
    .order = PAGE_SHRINK_CACHES,
    .shrink = page_drain,
};

static status_t
page_setup(void)
{
    uint32_t nr_nodes = numa_nr_nodes();
    struct bootmem_range range;
    status_t status;

    status = page_setup_arrays();
    if (status != OK) {
        return status;
    }
    status = page_setup_nodes(nr_nodes);
    if (status != OK) {
        return status;
    }

    bootmem_close();
    for (paddr_t addr = 0; bootmem_next_free(addr, &range); addr = range.end) {
        page_setup_range(range.base, range.end);
    }
    page_setup_reserves(nr_nodes);
    page_nr_nodes = nr_nodes;
    page_register_shrinker(&page_cache_shrinker);

    page_cache_high = page_nr_total() / PAGE_CACHE_SHARE / cpu_nr_possible;
    page_cache_high = MIN(page_cache_high, (size_t)PAGE_CACHE_HIGH);
    log_info("page: %zu MiB of memory on %u node%s",
             page_nr_total() >> (20 - PAGE_SHIFT), nr_nodes,
             nr_nodes == 1 ? "" : "s");
    return OK;
}

INIT_OP(page_setup, INIT_BOOT_CPU, AFTER(pmap_setup), AFTER(percpu_setup),
        AFTER(thread_first_setup), AFTER(acpi_setup));
