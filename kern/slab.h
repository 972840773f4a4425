/* SPDX-License-Identifier: MIT */
/*
 * Slab caches: objects of one size, quickly.
 *
 * Each CPU has two magazines of free objects for each cache, so that an
 * allocation or a free is a few instructions on memory of its own; magazines
 * are exchanged with the cache as a whole; objects come from slabs of
 * pages.  Bonwick, "The Slab Allocator", USENIX 1994; Bonwick and Adams,
 * "Magazines and Vmem", USENIX 2001.
 *
 * Debug builds keep behind each object who allocated and who freed it, find
 * a double free, a write behind the object and a write to a free one.
 *
 * Lock ranks: LOCK_SLAB_LIST, LOCK_SLAB.  Design: doc/memory.md.
 */
#ifndef KERN_SLAB_H
#define KERN_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <kern/slab_types.h>

/* Flags of a cache. */
#define SLAB_NO_MAGAZINES 0x1U /* for the caches below the magazines */

/*
 * Memory does not go back to the page allocator while the cache lives: a
 * reader under RCU that holds a stale pointer finds an object of this type,
 * free or not.  A free object keeps its contents.
 */
#define SLAB_TYPE_STABLE 0x2U

/* Bytes of the largest object. */
#define SLAB_SIZE_MAX 4096

struct slab_stats {
    const char *name;
    size_t size;       /* of an object, bytes */
    size_t nr_used;    /* objects in use; racy */
    size_t nr_objects; /* objects there is room for */
    size_t nr_pages;
};

/* An object, in use or free. */
struct slab_object_info {
    const char *cache;
    void *object;
    size_t size;            /* bytes */
    uintptr_t allocated_by; /* return addresses, the last time; 0: unknown */
    uintptr_t freed_by;
};

/*
 * Make a cache ready for use.
 *
 * @name   constant string
 * @size   of an object, bytes; 1 to SLAB_SIZE_MAX
 * @align  a power of two up to PAGE_SIZE; 0 for 8 bytes
 * @flags  SLAB_...
 *
 * Context: thread; after slab_setup()
 * Locks:   takes and drops LOCK_SLAB_LIST, LOCK_SLAB
 */
void slab_cache_init(struct slab_cache *cache, const char *name, size_t size,
                     size_t align, unsigned int flags);

/*
 * Have a function prepare each object once, when its memory comes from the
 * page allocator; an object must be freed in the state it leaves.
 *
 * Context: between slab_cache_init() and the first allocation
 */
void slab_cache_set_ctor(struct slab_cache *cache, void (*ctor)(void *object));

/*
 * Give all memory of a cache back.  Objects still in use are reported and
 * their slabs are lost.
 *
 * Context: thread, interrupts enabled, no spin lock held; nobody uses the
 *          cache
 */
void slab_cache_destroy(struct slab_cache *cache);

/*
 * Allocate an object; its contents are undefined, or as the constructor or
 * the last owner left it.
 *
 * Context: any but NMI; with interrupts enabled no spin lock may be held, as
 *          for page_alloc()
 * Locks:   takes and drops LOCK_SLAB, LOCK_PAGE_NODE
 * Returns: NULL on exhaustion
 */
void *slab_alloc(struct slab_cache *cache) __must_check;

/*
 * Free an object of @cache.
 *
 * Context: any but NMI
 * Locks:   takes and drops LOCK_SLAB, LOCK_PAGE_NODE
 */
void slab_free(struct slab_cache *cache, void *object);

/*
 * Free all magazines and empty slabs of all caches; the page allocator calls
 * it before it fails.
 *
 * Context: thread, interrupts enabled, no spin lock held
 */
void slab_reap(void);

/*
 * Log the objects of a cache that are in use: how many, and in debug builds
 * who allocated the first ones.
 *
 * Context: thread, interrupts enabled, no spin lock held; nobody uses the
 *          cache
 * Returns: how many there are
 */
size_t slab_report_leaks(struct slab_cache *cache);

/*
 * How many objects of a cache are in use; exact while nobody uses it.
 */
size_t slab_nr_used(struct slab_cache *cache);

/*
 * Describe the cache with a given place in the list of all.
 *
 * Returns: false, there is none
 */
bool slab_stats_get(size_t index, struct slab_stats *stats);

/*
 * Find the object at an address, or the one before the gap that is there.
 *
 * Context: any; the answer is sure only for who owns the object
 * Returns: false, there is none
 */
bool slab_find_object(const void *ptr, struct slab_object_info *info);

#endif /* KERN_SLAB_H */
