/* SPDX-License-Identifier: MIT */
#include <lib/assert.h>
#include <lib/macros.h>
#include <kern/kasan.h>
#include <kern/page.h>
#include <kern/slab.h>
#include <kern/slab_debug.h>
#include <kern/slab_pages.h>
#include <kern/spinlock.h>

/* Empty slabs that a cache keeps. */
#define SLAB_EMPTY_MAX 1

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

void
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

bool
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

void *
slab_try_take(struct slab_cache *cache)
{
    void *object;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&cache->lock);
    object = slab_take_locked(cache);
    spinlock_unlock_irqrestore(&cache->lock, flags);
    return object;
}

void *
slab_take(struct slab_cache *cache)
{
    void *object;

    do {
        object = slab_try_take(cache);
    } while (object == NULL && slab_grow(cache, 0));
    return object;
}

void
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
