/* SPDX-License-Identifier: MIT */
/*
 * Physical pages.
 *
 * Three layers.  The cache of a CPU, protected by disabling interrupts on it.
 * The free blocks of a node: page_node.h.  The array of struct page: page_i.h.
 *
 * Invariant: what is between two allocations is in exactly one of: a free
 * block, the cache of one CPU, a chain local to a function here.
 *
 * Pages are filled with zeros and poisoned outside of locks and of disabled
 * interrupts.  Nothing here is done for more than PAGE_DRAIN_BATCH or
 * PAGE_FETCH_BATCH blocks under one hold of a lock.
 */

#include <stdatomic.h>

#include <lib/bitmap.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <arch/cpu.h>
#include <kern/alloc_check.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/page.h>
#include <kern/page_i.h>
#include <kern/page_node.h>
#include <kern/page_poison.h>
#include <kern/panic.h>
#include <kern/percpu.h>
#include <kern/spinlock.h>
#include <kern/xcall.h>

/* Pages that a CPU moves at a time. */
#define PAGE_CACHE_BATCH 16

/* Blocks that are merged under one hold of a node's lock. */
#define PAGE_DRAIN_BATCH 2

/* The last of them, if it became one of more than this order. */
#define PAGE_DRAIN_ORDER 2

/* Pages that are taken under one hold of a node's lock. */
#define PAGE_FETCH_BATCH 8

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

size_t page_cache_high;
unsigned long *page_units;
size_t page_nr_units;
static _Atomic(struct page_shrinker *) page_shrinkers[PAGE_NR_SHRINK_ORDERS];

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

/* The node of the first page of a chain; NULL when it is empty. */
static struct page_node *
page_cache_node(const struct page_cache *chain)
{
    if (chain->first == NULL) {
        return NULL;
    }
    return &page_nodes[list_entry(chain->first, struct page, node)->numa_node];
}

/*
 * Give some pages of a chain, which is not empty, back to a node.  One that
 * was merged again and again is enough.
 */
static void
page_cache_return_some(struct page_cache *chain)
{
    struct page_node *node = page_cache_node(chain);
    unsigned int order = 0;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&node->lock);
    for (unsigned int i = 0;
         i < PAGE_DRAIN_BATCH && order <= PAGE_DRAIN_ORDER &&
         page_cache_node(chain) == node;
         i++) {
        order = page_node_free_locked(node, page_cache_pop(chain), 0);
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
