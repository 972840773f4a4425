/* SPDX-License-Identifier: MIT */
/*
 * The slabs of a cache: blocks of pages, described by the struct page of the
 * first, whose free objects are linked through themselves, under the cache's
 * lock.
 *
 * Invariants: a slab's count of used objects includes those in magazines; a
 * slab is on the list that its count says.
 *
 * Pages are allocated, prepared and freed without any lock.
 */
#ifndef KERN_SLAB_PAGES_H
#define KERN_SLAB_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include <kern/kasan.h>
#include <kern/slab.h>
#include <kern/slab_types.h>

/* A free object is not to be touched, unless readers may have it still. */
static inline void
slab_poison(const struct slab_cache *cache, void *object)
{
    if (!(cache->flags & SLAB_TYPE_STABLE)) {
        kasan_poison(object, cache->size, KASAN_FREE_OBJECT);
    }
}

/*
 * An object from the slabs there are.
 *
 * Locks:   takes and drops LOCK_SLAB
 * Returns: NULL when all are full
 */
void *slab_try_take(struct slab_cache *cache);

/*
 * An object that no magazine has, of a new slab if there is no other.
 *
 * Locks:   takes and drops LOCK_SLAB, and those of page_alloc()
 * Returns: NULL on exhaustion
 */
void *slab_take(struct slab_cache *cache);

/*
 * Add a slab to a cache.
 *
 * @page_flags  of page_alloc()
 *
 * Locks:   as slab_take()
 * Returns: false on exhaustion
 */
bool slab_grow(struct slab_cache *cache, unsigned int page_flags);

/*
 * Put an object back into its slab; some slabs may be given back.
 *
 * Locks: takes and drops LOCK_SLAB, and those of page_free()
 */
void slab_put(struct slab_cache *cache, void *object);

/*
 * Give empty slabs beyond @nr_kept back.
 *
 * Locks: as slab_put()
 */
void slab_shrink(struct slab_cache *cache, size_t nr_kept);

#endif /* KERN_SLAB_PAGES_H */
