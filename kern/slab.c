/* SPDX-License-Identifier: MIT */
/*
 * Slab caches.
 *
 * Three layers.  A CPU's two magazines, touched by it alone with interrupts
 * disabled.  The depot of a cache: magazines with objects and without, under
 * the cache's lock.  The slabs: slab_pages.h.
 *
 * Invariants: an object is in use, in one magazine, or in the free list of
 * its slab; `previous` of a CPU is full, empty or NULL, except after a flush.
 *
 * Two locks of rank LOCK_SLAB are never held at once: a magazine is allocated
 * and freed without the lock of the cache that uses it.
 */

#include <lib/assert.h>
#include <lib/macros.h>
#include <arch/cpu.h>
#include <kern/alloc_check.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/kasan.h>
#include <kern/page.h>
#include <kern/panic.h>
#include <kern/slab.h>
#include <kern/slab_debug.h>
#include <kern/slab_i.h>
#include <kern/slab_pages.h>
#include <kern/spinlock.h>
#include <kern/xcall.h>

struct slab_cache slab_magazine_cache;

static void
slab_magazine_push(struct slab_magazine **list, struct slab_magazine *magazine)
{
    magazine->next = *list;
    WRITE_ONCE(*list, magazine);
}

static struct slab_magazine *
slab_magazine_pop(struct slab_magazine **list)
{
    struct slab_magazine *magazine = *list;

    if (magazine != NULL) {
        WRITE_ONCE(*list, magazine->next);
    }
    return magazine;
}

static void
slab_magazine_add(struct slab_magazine *magazine, void *object)
{
    magazine->rounds[magazine->nr] = object;
    ADD_ONCE(magazine->nr, 1);
}

static void *
slab_magazine_take(struct slab_magazine *magazine)
{
    ADD_ONCE(magazine->nr, -1);
    return magazine->rounds[magazine->nr];
}

/* Put a magazine, if it is one, where it belongs. */
static void
slab_depot_put_locked(struct slab_cache *cache, struct slab_magazine *magazine)
{
    if (magazine == NULL) {
        return;
    }
    cache->nr_stored += magazine->nr;
    slab_magazine_push(magazine->nr != 0 ? &cache->full_magazines
                                         : &cache->empty_magazines,
                       magazine);
}

/* Give the CPU's previous magazine back and load another. */
static bool
slab_cpu_exchange(struct slab_cache *cache, struct slab_cpu *cpu,
                  struct slab_magazine **list)
{
    struct slab_magazine *magazine;

    assert(!cpu_irq_is_enabled());

    /* Racy: a miss costs one trip to the slabs. */
    if (READ_ONCE(*list) == NULL) {
        return false;
    }
    spinlock_lock(&cache->lock);
    magazine = slab_magazine_pop(list);
    if (magazine != NULL) {
        cache->nr_stored -= magazine->nr;
        slab_depot_put_locked(cache, cpu->previous);
        WRITE_ONCE(cpu->previous, cpu->loaded);
        WRITE_ONCE(cpu->loaded, magazine);
    }
    spinlock_unlock(&cache->lock);
    return magazine != NULL;
}

/*
 * Put a new magazine into the depot, which has no empty one.  That may need a
 * page, so the caller's interrupts stay as they are.
 */
static bool
slab_depot_add(struct slab_cache *cache)
{
    struct slab_magazine *magazine = slab_try_take(&slab_magazine_cache);
    uint64_t flags;

    while (magazine == NULL &&
           slab_grow(&slab_magazine_cache, PAGE_NO_RECLAIM)) {
        magazine = slab_try_take(&slab_magazine_cache);
    }
    if (magazine == NULL) {
        return false;
    }
    kasan_unpoison(magazine, sizeof(*magazine));
    WRITE_ONCE(magazine->nr, 0);

    flags = spinlock_lock_irqsave(&cache->lock);
    slab_depot_put_locked(cache, magazine);
    spinlock_unlock_irqrestore(&cache->lock, flags);
    return true;
}

static void
slab_cpu_swap(struct slab_cpu *cpu)
{
    struct slab_magazine *magazine = cpu->loaded;

    WRITE_ONCE(cpu->loaded, cpu->previous);
    WRITE_ONCE(cpu->previous, magazine);
}

/* An object of this CPU's magazines, or NULL; interrupts are disabled. */
static void *
slab_cpu_alloc(struct slab_cache *cache)
{
    struct slab_cpu *cpu = &cache->cpus[cpu_id()];

    if (cpu->loaded == NULL || cpu->loaded->nr == 0) {
        if (cpu->previous != NULL && cpu->previous->nr != 0) {
            slab_cpu_swap(cpu);
        } else if (!slab_cpu_exchange(cache, cpu, &cache->full_magazines)) {
            return NULL;
        }
    }
    return slab_magazine_take(cpu->loaded);
}

/* Put an object into this CPU's magazines; interrupts are disabled. */
static __always_inline bool
slab_cpu_free(struct slab_cache *cache, void *object)
{
    struct slab_cpu *cpu = &cache->cpus[cpu_id()];

    if (cpu->loaded == NULL || cpu->loaded->nr == cache->nr_rounds) {
        if (cpu->previous != NULL && cpu->previous->nr < cache->nr_rounds) {
            slab_cpu_swap(cpu);
        } else if (!slab_cpu_exchange(cache, cpu, &cache->empty_magazines)) {
            return false;
        }
    }
    slab_magazine_add(cpu->loaded, object);
    return true;
}

/* Magazines that the CPUs give up. */
struct slab_flush {
    struct slab_cache *cache;
    _Atomic(struct slab_magazine *) first;
};

static void
slab_flush_push(struct slab_flush *flush, struct slab_magazine *magazine)
{
    if (magazine == NULL) {
        return;
    }
    magazine->next = atomic_load_explicit(&flush->first, memory_order_relaxed);
    /* The end of the cross call tells the caller. */
    while (!atomic_compare_exchange_weak_explicit(&flush->first,
                                                  &magazine->next, magazine,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

/*
 * In an interrupt of all CPUs at once: the magazines are given up without a
 * lock, for which they would wait for each other.
 */
static void
slab_cpu_flush(void *arg)
{
    struct slab_flush *flush = arg;
    struct slab_cpu *cpu = &flush->cache->cpus[cpu_id()];

    slab_flush_push(flush, cpu->loaded);
    slab_flush_push(flush, cpu->previous);
    WRITE_ONCE(cpu->loaded, NULL);
    WRITE_ONCE(cpu->previous, NULL);
}

/* Free a magazine of a cache, with the objects in it. */
static void
slab_magazine_free(struct slab_cache *cache, struct slab_magazine *magazine)
{
    while (magazine->nr > 0) {
        slab_put(cache, slab_magazine_take(magazine));
    }
    kasan_poison(magazine, sizeof(*magazine), KASAN_FREE_OBJECT);
    slab_put(&slab_magazine_cache, magazine);
}

static struct slab_magazine *
slab_depot_pop(struct slab_cache *cache)
{
    struct slab_magazine *magazine;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&cache->lock);
    magazine = slab_magazine_pop(&cache->full_magazines);
    if (magazine != NULL) {
        cache->nr_stored -= magazine->nr;
    } else {
        magazine = slab_magazine_pop(&cache->empty_magazines);
    }
    spinlock_unlock_irqrestore(&cache->lock, flags);
    return magazine;
}

static bool
slab_has_loaded(const struct slab_cache *cache)
{
    for (uint32_t i = 0; i < cpu_nr_possible; i++) {
        if (READ_ONCE(cache->cpus[i].loaded) != NULL) {
            return true;
        }
    }
    return false;
}

void
slab_drain(struct slab_cache *cache)
{
    struct slab_flush flush = { .cache = cache };
    struct slab_magazine *magazine, *next;

    if (cache->cpus == NULL) {
        return;
    }
    if (slab_has_loaded(cache)) {
        xcall_all(slab_cpu_flush, &flush);
    }
    magazine = atomic_load_explicit(&flush.first, memory_order_relaxed);
    for (; magazine != NULL; magazine = next) {
        next = magazine->next;
        slab_magazine_free(cache, magazine);
    }
    while ((magazine = slab_depot_pop(cache)) != NULL) {
        slab_magazine_free(cache, magazine);
    }
}

/* Put an object into the magazines of the CPU; false when all are full. */
static __always_inline bool
slab_try_free(struct slab_cache *cache, void *object)
{
    uint64_t flags;
    bool is_done;

    flags = cpu_irq_save();
    is_done = slab_cpu_free(cache, object);
    cpu_irq_restore(flags);
    return is_done;
}

/* The same with one more; another CPU may take that: then do without. */
static __noinline bool
slab_free_slow(struct slab_cache *cache, void *object)
{
    return slab_depot_add(cache) && slab_try_free(cache, object);
}

void *
slab_alloc(struct slab_cache *cache)
{
    void *object = NULL;
    uint64_t flags;

    if (fail_now()) {
        return NULL;
    }
    alloc_check_enter();
    if (likely(cache->cpus != NULL)) {
        flags = cpu_irq_save();
        object = slab_cpu_alloc(cache);
        cpu_irq_restore(flags);
    }
    if (object == NULL) {
        object = slab_take(cache);
    }
    alloc_check_leave();
    if (object == NULL) {
        return NULL;
    }

    kasan_unpoison(object, cache->size);
    if (SLAB_IS_DEBUG) {
        slab_debug_alloc(cache, object, (uintptr_t)__builtin_return_address(0));
    }
    return object;
}

/* Whether an address is the one of an object of a cache. */
static bool
slab_is_object(const struct slab_cache *cache, const void *ptr)
{
    const struct page *page;
    uintptr_t offset;

    if (!pmap_is_direct(ptr) || !page_exists(pmap_direct_addr(ptr))) {
        return false;
    }
    page = page_from_ptr(ptr);
    if (page->use != PAGE_USE_SLAB || page->slab.cache != cache) {
        return false;
    }
    offset = (uintptr_t)ptr - (uintptr_t)page_ptr(page->slab.head) -
             page->slab.head->slab.colour;
    return !SLAB_IS_DEBUG || offset % cache->stride == 0;
}

void
slab_free(struct slab_cache *cache, void *object)
{
    bool is_done = false;

    if (unlikely(!slab_is_object(cache, object))) {
        panic("slab: %s: bad free of %p", cache->name, object);
    }
    if (!kasan_check_free(object)) {
        return;
    }
    kasan_unpoison(object, cache->size);
    if (SLAB_IS_DEBUG) {
        slab_debug_free(cache, object, (uintptr_t)__builtin_return_address(0));
    }
    slab_poison(cache, object);

    alloc_check_enter();
    if (likely(cache->cpus != NULL)) {
        is_done = slab_try_free(cache, object) || slab_free_slow(cache, object);
    }
    if (unlikely(!is_done)) {
        slab_put(cache, object);
    }
    alloc_check_leave();
}

/* Objects in a CPU's magazine. */
static size_t
slab_magazine_nr(struct slab_magazine *const *magazinep)
{
    const struct slab_magazine *magazine = READ_ONCE(*magazinep);

    return magazine != NULL ? READ_ONCE(magazine->nr) : 0;
}

size_t
slab_nr_used(struct slab_cache *cache)
{
    size_t nr_used, nr_cached = 0;
    uint64_t flags;

    for (uint32_t i = 0; cache->cpus != NULL && i < cpu_nr_possible; i++) {
        nr_cached += slab_magazine_nr(&cache->cpus[i].loaded);
        nr_cached += slab_magazine_nr(&cache->cpus[i].previous);
    }
    flags = spinlock_lock_irqsave(&cache->lock);
    nr_cached += cache->nr_stored;
    nr_used = cache->nr_used;
    spinlock_unlock_irqrestore(&cache->lock, flags);
    return nr_used > nr_cached ? nr_used - nr_cached : 0;
}
