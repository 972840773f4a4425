/* SPDX-License-Identifier: MIT */
/*
 * Slab caches.
 *
 * Three layers.  A CPU's two magazines, touched by it alone with interrupts
 * disabled.  The depot of a cache: magazines with objects and without, under
 * the cache's lock.  The slabs: blocks of pages, described by the struct page
 * of the first, whose free objects are linked through themselves, under the
 * same lock.
 *
 * Invariants: an object is in use, in one magazine, or in the free list of
 * its slab; a slab's count of used objects includes those in magazines; a
 * slab is on the list that its count says; `previous` of a CPU is full, empty
 * or NULL, except after a flush.
 *
 * Two locks of rank LOCK_SLAB are never held at once: a magazine is allocated
 * and freed without the lock of the cache that uses it.  Pages are allocated,
 * prepared and freed without any lock.
 */

#include <lib/assert.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <arch/cpu.h>
#include <kern/alloc_check.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <kern/log.h>
#include <kern/page.h>
#include <kern/panic.h>
#include <kern/slab.h>
#include <kern/slab_debug.h>
#include <kern/spinlock.h>
#include <kern/xcall.h>

/* Objects of a magazine, by size of the object. */
#define SLAB_ROUNDS_MAX    30
#define SLAB_ROUNDS_MIDDLE 15
#define SLAB_ROUNDS_MIN    7
#define SLAB_SIZE_SMALL    256
#define SLAB_SIZE_MIDDLE   1024

/* A slab grows until it wastes at most 1/8, or has 2^3 pages. */
#define SLAB_ORDER_MAX   3
#define SLAB_WASTE_SHARE 8

/* Empty slabs that a cache keeps. */
#define SLAB_EMPTY_MAX 1

#define SLAB_LEAKS_LOGGED 16

/*
 * Keys: [I] CPU that has it, or [S] lock of the cache whose depot has it
 */
struct slab_magazine {
    struct slab_magazine *next;    /* [S] */
    size_t nr;                     /* [I][S] objects */
    void *rounds[SLAB_ROUNDS_MAX]; /* [I][S] */
};

static struct spinlock slab_list_lock =
    SPINLOCK_INITIALIZER(LOCK_SLAB_LIST, "slab list");
static struct list slab_caches = LIST_INITIALIZER(slab_caches);

static struct slab_cache slab_magazine_cache;
static struct slab_cache slab_cpu_cache;
static size_t slab_cpus_size; /* of the array of struct slab_cpu; 0: not up */

/*
 * Slabs
 */

static inline void **
slab_link(const struct slab_cache *cache, void *object)
{
    return (void **)((uintptr_t)object + cache->link_offset);
}

static void
slab_list_remove_locked(struct slab_cache *cache, struct page *slab)
{
    list_remove(&slab->node);
    if (slab->slab.list == SLAB_LIST_EMPTY) {
        cache->nr_empty_slabs--;
    }
}

/* Put a slab on the list that its count says. */
static void
slab_list_insert_locked(struct slab_cache *cache, struct page *slab)
{
    slab->slab.list = SLAB_LIST_PARTIAL;
    if (slab->slab.nr_used == 0) {
        slab->slab.list = SLAB_LIST_EMPTY;
        cache->nr_empty_slabs++;
    } else if (slab->slab.nr_used == cache->nr_objects) {
        slab->slab.list = SLAB_LIST_FULL;
    }
    list_insert_head(&cache->slabs[slab->slab.list], &slab->node);
}

/* An object from the slabs there are; NULL when all are full. */
static void *
slab_take_locked(struct slab_cache *cache)
{
    struct list *list = &cache->slabs[SLAB_LIST_PARTIAL];
    struct page *slab;
    void *object;

    assert(spinlock_is_locked(&cache->lock));

    if (list_is_empty(list)) {
        list = &cache->slabs[SLAB_LIST_EMPTY];
    }
    if (list_is_empty(list)) {
        return NULL;
    }

    slab = list_first_entry(list, struct page, node);
    object = slab->slab.free;
    assert(object != NULL && page_from_ptr(object)->slab.head == slab);
    slab->slab.free = *slab_link(cache, object);
    slab_list_remove_locked(cache, slab);
    slab->slab.nr_used++;
    slab_list_insert_locked(cache, slab);
    cache->nr_used++;
    return object;
}

static void
slab_put_locked(struct slab_cache *cache, void *object)
{
    struct page *slab = page_from_ptr(object)->slab.head;

    assert(spinlock_is_locked(&cache->lock));
    assert(slab->slab.nr_used > 0);

    *slab_link(cache, object) = slab->slab.free;
    slab->slab.free = object;
    slab_list_remove_locked(cache, slab);
    slab->slab.nr_used--;
    slab_list_insert_locked(cache, slab);
    cache->nr_used--;
}

/* Take an empty slab out of a cache if it has more than @nr_kept. */
static struct page *
slab_pop_empty(struct slab_cache *cache, size_t nr_kept)
{
    struct page *slab = NULL;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&cache->lock);
    if (cache->nr_empty_slabs > nr_kept) {
        slab =
            list_first_entry(&cache->slabs[SLAB_LIST_EMPTY], struct page, node);
        slab_list_remove_locked(cache, slab);
        ADD_ONCE(cache->nr_slabs, -1);
    }
    spinlock_unlock_irqrestore(&cache->lock, flags);
    return slab;
}

/* Give empty slabs beyond @nr_kept back. */
static void
slab_shrink(struct slab_cache *cache, size_t nr_kept)
{
    struct page *slab;

    while ((slab = slab_pop_empty(cache, nr_kept)) != NULL) {
        for (size_t i = 0; i < (size_t)1 << cache->order; i++) {
            slab[i].use = PAGE_USE_OTHER;
        }
        page_free(slab, cache->order);
    }
}

/* A free object is not to be touched, unless readers may have it still. */
static void
slab_poison(const struct slab_cache *cache, void *object)
{
    if (!(cache->flags & SLAB_TYPE_STABLE)) {
        kasan_poison(object, cache->size, KASAN_FREE_OBJECT);
    }
}

/* Nothing between objects is to be touched, nor are free objects. */
static void
slab_poison_all(const struct slab_cache *cache, const struct page *slab)
{
    uintptr_t first = (uintptr_t)page_ptr(slab) + slab->slab.colour;

    kasan_poison(page_ptr(slab), PAGE_SIZE << cache->order, KASAN_REDZONE);
    for (size_t i = 0; i < cache->nr_objects; i++) {
        void *object = (void *)(first + i * cache->stride);

        kasan_unpoison(object, cache->size);
        slab_poison(cache, object);
    }
}

/* Link the objects of a new slab, the first one first. */
static void
slab_prepare(struct slab_cache *cache, struct page *slab)
{
    uintptr_t first = (uintptr_t)page_ptr(slab) + slab->slab.colour;

    slab->slab.free = NULL;
    for (size_t i = cache->nr_objects; i > 0; i--) {
        void *object = (void *)(first + (i - 1) * cache->stride);

        if (SLAB_IS_DEBUG) {
            slab_debug_init(cache, object);
        }
        if (cache->ctor != NULL) {
            cache->ctor(object);
        }
        *slab_link(cache, object) = slab->slab.free;
        slab->slab.free = object;
    }
    if (SLAB_IS_KASAN) {
        slab_poison_all(cache, slab);
    }
}

/* Add a slab to a cache, with flags of page_alloc(); false on exhaustion. */
static bool
slab_grow(struct slab_cache *cache, unsigned int page_flags)
{
    struct page *slab;
    uint64_t flags;

    slab = page_alloc(cache->order, page_flags);
    if (slab == NULL) {
        return false;
    }
    for (size_t i = 0; i < (size_t)1 << cache->order; i++) {
        slab[i].use = PAGE_USE_SLAB;
        slab[i].slab.cache = cache;
        slab[i].slab.head = slab;
    }
    /* Racy: at worst two slabs get the same colour. */
    slab->slab.colour = (uint16_t)(READ_ONCE(cache->colour) *
                                   MAX(cache->align, (size_t)CACHE_LINE));
    slab->slab.nr_used = 0;
    slab_prepare(cache, slab);

    flags = spinlock_lock_irqsave(&cache->lock);
    WRITE_ONCE(cache->colour, (cache->colour + 1) % cache->nr_colours);
    ADD_ONCE(cache->nr_slabs, 1);
    slab_list_insert_locked(cache, slab);
    spinlock_unlock_irqrestore(&cache->lock, flags);
    return true;
}

/* An object from the slabs there are; NULL when all are full. */
static void *
slab_try_take(struct slab_cache *cache)
{
    void *object;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&cache->lock);
    object = slab_take_locked(cache);
    spinlock_unlock_irqrestore(&cache->lock, flags);
    return object;
}

/* An object that no magazine has; NULL on exhaustion. */
static void *
slab_take(struct slab_cache *cache)
{
    void *object;

    do {
        object = slab_try_take(cache);
    } while (object == NULL && slab_grow(cache, 0));
    return object;
}

/* Put an object back into its slab. */
static void
slab_put(struct slab_cache *cache, void *object)
{
    size_t nr_empty;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&cache->lock);
    slab_put_locked(cache, object);
    nr_empty = cache->nr_empty_slabs;
    spinlock_unlock_irqrestore(&cache->lock, flags);

    if (nr_empty > SLAB_EMPTY_MAX && !(cache->flags & SLAB_TYPE_STABLE)) {
        slab_shrink(cache, SLAB_EMPTY_MAX);
    }
}

/*
 * Magazines
 */

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

/* Free all magazines of a cache, with the objects in them. */
static void
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

/*
 * Caches
 */

/* Lay an object out: itself, then the debug tail, then the link. */
static void
slab_cache_set_stride(struct slab_cache *cache)
{
    size_t end = MAX(cache->size, sizeof(void *));
    bool is_outside = SLAB_IS_DEBUG || SLAB_IS_KASAN || cache->ctor != NULL ||
                      (cache->flags & SLAB_TYPE_STABLE);

    end = ALIGN_UP(end, sizeof(void *));
    cache->tail_offset = end;
    if (SLAB_IS_DEBUG) {
        end += sizeof(struct slab_tail);
    }
    cache->link_offset = is_outside ? end : 0;
    if (is_outside) {
        end += sizeof(void *);
    }
    cache->stride = ALIGN_UP(end, cache->align);
}

/* Choose the pages of a slab. */
static void
slab_cache_set_order(struct slab_cache *cache)
{
    size_t size, waste, unit;

    for (cache->order = 0;; cache->order++) {
        size = PAGE_SIZE << cache->order;
        cache->nr_objects = (uint32_t)(size / cache->stride);
        waste = size - cache->nr_objects * cache->stride;
        if (cache->order == SLAB_ORDER_MAX ||
            (cache->nr_objects != 0 && waste <= size / SLAB_WASTE_SHARE)) {
            break;
        }
    }
    verify(cache->nr_objects != 0);

    unit = MAX(cache->align, (size_t)CACHE_LINE);
    cache->nr_colours = (uint32_t)(waste / unit + 1);
}

static uint32_t
slab_cache_rounds(size_t size)
{
    if (size > SLAB_SIZE_MIDDLE) {
        return SLAB_ROUNDS_MIN;
    }
    return size > SLAB_SIZE_SMALL ? SLAB_ROUNDS_MIDDLE : SLAB_ROUNDS_MAX;
}

/* The array of struct slab_cpu; NULL: the cache does without magazines. */
static struct slab_cpu *
slab_cpus_alloc(void)
{
    struct slab_cpu *cpus;
    struct page *page;

    if (slab_cpus_size > SLAB_SIZE_MAX) {
        page = page_alloc(page_order(slab_cpus_size), PAGE_ZERO);
        return page != NULL ? page_ptr(page) : NULL;
    }
    cpus = slab_alloc(&slab_cpu_cache);
    if (cpus != NULL) {
        memset(cpus, 0, slab_cpus_size);
    }
    return cpus;
}

static void
slab_cpus_free(struct slab_cpu *cpus)
{
    if (slab_cpus_size > SLAB_SIZE_MAX) {
        page_free(page_from_ptr(cpus), page_order(slab_cpus_size));
    } else {
        slab_free(&slab_cpu_cache, cpus);
    }
}

void
slab_cache_init(struct slab_cache *cache, const char *name, size_t size,
                size_t align, unsigned int flags)
{
    uint64_t irq;

    assert(size != 0 && size <= SLAB_SIZE_MAX);
    assert(align == 0 || (IS_POWER_OF_2(align) && align <= PAGE_SIZE));

    *cache = (struct slab_cache){
        .name = name,
        .size = size,
        .align = MAX(align, sizeof(void *)),
        .flags = flags,
        .nr_rounds = slab_cache_rounds(size),
    };
    spinlock_init(&cache->lock, LOCK_SLAB, name);
    for (size_t i = 0; i < SLAB_NR_LISTS; i++) {
        list_init(&cache->slabs[i]);
    }
    slab_cache_set_stride(cache);
    slab_cache_set_order(cache);
    if (!(flags & SLAB_NO_MAGAZINES)) {
        assert(slab_cpus_size != 0);
        cache->cpus = slab_cpus_alloc();
    }

    irq = spinlock_lock_irqsave(&slab_list_lock);
    list_insert_tail(&slab_caches, &cache->node);
    spinlock_unlock_irqrestore(&slab_list_lock, irq);
}

void
slab_cache_set_ctor(struct slab_cache *cache, void (*ctor)(void *object))
{
    assert(cache->nr_slabs == 0);

    cache->ctor = ctor;
    slab_cache_set_stride(cache);
    slab_cache_set_order(cache);
}

/* Take a cache off the list once nobody walks over it. */
static void
slab_cache_unlist(struct slab_cache *cache)
{
    bool is_pinned = true;

    while (is_pinned) {
        uint64_t flags = spinlock_lock_irqsave(&slab_list_lock);

        is_pinned = cache->nr_pins != 0;
        if (!is_pinned) {
            list_remove(&cache->node);
        }
        spinlock_unlock_irqrestore(&slab_list_lock, flags);
        cpu_pause();
    }
}

void
slab_cache_destroy(struct slab_cache *cache)
{
    slab_cache_unlist(cache);
    slab_report_leaks(cache);
    slab_shrink(cache, 0);
    if (cache->cpus != NULL) {
        slab_cpus_free(cache->cpus);
        cache->cpus = NULL;
    }
}

/* The cache behind @cache in the list, pinned; @cache is unpinned. */
static struct slab_cache *
slab_cache_next(struct slab_cache *cache)
{
    struct slab_cache *next = NULL;
    struct list *node;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&slab_list_lock);
    node = cache != NULL ? cache->node.next : slab_caches.next;
    if (node != &slab_caches) {
        next = list_entry(node, struct slab_cache, node);
        next->nr_pins++;
    }
    if (cache != NULL) {
        cache->nr_pins--;
    }
    spinlock_unlock_irqrestore(&slab_list_lock, flags);
    return next;
}

static void
slab_cache_unpin(struct slab_cache *cache)
{
    uint64_t flags;

    flags = spinlock_lock_irqsave(&slab_list_lock);
    cache->nr_pins--;
    spinlock_unlock_irqrestore(&slab_list_lock, flags);
}

void
slab_reap(void)
{
    struct slab_cache *cache;

    for (cache = slab_cache_next(NULL); cache != NULL;
         cache = slab_cache_next(cache)) {
        slab_drain(cache);
        if (!(cache->flags & SLAB_TYPE_STABLE)) {
            slab_shrink(cache, 0);
        }
    }
    /* The magazines of the others went back into it. */
    slab_shrink(&slab_magazine_cache, 0);
}

/*
 * Reports
 */

static void
slab_report_slab(const struct slab_cache *cache, const struct page *slab,
                 size_t *nr_logged)
{
    uintptr_t first = (uintptr_t)page_ptr(slab) + slab->slab.colour;

    for (size_t i = 0; i < cache->nr_objects; i++) {
        void *object = (void *)(first + i * cache->stride);
        uintptr_t owner = slab_debug_owner(cache, object);

        if (owner != 0 && *nr_logged < SLAB_LEAKS_LOGGED) {
            log_error("slab: %s: leaked %p, allocated by %pS", cache->name,
                      object, (void *)owner);
            ++*nr_logged;
        }
    }
}

size_t
slab_report_leaks(struct slab_cache *cache)
{
    size_t nr_logged = 0;
    struct page *slab;

    slab_drain(cache);
    if (cache->nr_used == 0) {
        return 0;
    }

    log_error("slab: %s: %zu objects leaked", cache->name, cache->nr_used);
    for (size_t i = SLAB_LIST_PARTIAL; SLAB_IS_DEBUG && i < SLAB_NR_LISTS;
         i++) {
        list_for_each_entry (&cache->slabs[i], slab, node) {
            slab_report_slab(cache, slab, &nr_logged);
        }
    }
    return cache->nr_used;
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

bool
slab_stats_get(size_t index, struct slab_stats *stats)
{
    struct slab_cache *cache;

    cache = slab_cache_next(NULL);
    while (cache != NULL && index > 0) {
        cache = slab_cache_next(cache);
        index--;
    }
    if (cache == NULL) {
        return false;
    }

    stats->name = cache->name;
    stats->size = cache->size;
    stats->nr_used = slab_nr_used(cache);
    stats->nr_objects = READ_ONCE(cache->nr_slabs) * cache->nr_objects;
    stats->nr_pages = READ_ONCE(cache->nr_slabs) << cache->order;
    slab_cache_unpin(cache);
    return true;
}

bool
slab_find_object(const void *ptr, struct slab_object_info *info)
{
    const struct slab_cache *cache;
    const struct page *slab;
    uintptr_t first, offset;

    if (!pmap_is_direct(ptr) || !page_exists(pmap_direct_addr(ptr)) ||
        page_from_ptr(ptr)->use != PAGE_USE_SLAB) {
        return false;
    }
    slab = page_from_ptr(ptr)->slab.head;
    cache = slab->slab.cache;
    first = (uintptr_t)page_ptr(slab) + slab->slab.colour;
    offset = (uintptr_t)ptr - first;
    if ((uintptr_t)ptr < first || offset / cache->stride >= cache->nr_objects) {
        return false;
    }

    *info = (struct slab_object_info){
        .cache = cache->name,
        .object = (void *)(first + offset / cache->stride * cache->stride),
        .size = cache->size,
    };
    if (SLAB_IS_DEBUG) {
        slab_debug_find_users(cache, info->object, info);
    }
    return true;
}

static struct page_shrinker slab_shrinker = {
    .name = "slab",
    .order = PAGE_SHRINK_OBJECTS,
    .shrink = slab_reap,
};

static status_t
slab_setup(void)
{
    size_t size = cpu_nr_possible * sizeof(struct slab_cpu);

    slab_cache_init(&slab_magazine_cache, "slab magazine",
                    sizeof(struct slab_magazine), CACHE_LINE,
                    SLAB_NO_MAGAZINES);
    slab_cache_init(&slab_cpu_cache, "slab cpu",
                    MIN(size, (size_t)SLAB_SIZE_MAX), CACHE_LINE,
                    SLAB_NO_MAGAZINES);
    slab_cpus_size = size;
    page_register_shrinker(&slab_shrinker);
    return OK;
}

INIT_OP(slab_setup, INIT_BOOT_CPU, AFTER(page_setup));
