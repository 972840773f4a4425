/* SPDX-License-Identifier: MIT */
/*
 * Debug builds of the slab allocator: what is kept behind each object.
 * In release builds all of this vanishes.
 */
#ifndef KERN_SLAB_DEBUG_H
#define KERN_SLAB_DEBUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/slab_types.h>

#ifdef CONFIG_DEBUG
#define SLAB_IS_DEBUG true
#else
#define SLAB_IS_DEBUG false
#endif

#ifdef CONFIG_KASAN
#define SLAB_IS_KASAN true
#else
#define SLAB_IS_KASAN false
#endif

struct slab_object_info;

/*
 * Keys: [O] owner of the object, or who moves it between owners
 */
struct slab_tail {
    uint64_t redzone;       /* [O] tells also whether the object is free */
    uintptr_t allocated_by; /* [O] return address */
    uintptr_t freed_by;     /* [O] return address */
    uint64_t guard;         /* [O] against the next object */
};

/* A new object: free, and nobody's. */
void slab_debug_init(const struct slab_cache *cache, void *object);

/*
 * Look for what is wrong with an object that should be free.
 *
 * Returns: NULL, or what happened to it, as the end of "the object ..."
 */
const char *slab_debug_check_free(const struct slab_cache *cache,
                                  const void *object);

/* The same for an object that should be in use. */
const char *slab_debug_check_used(const struct slab_cache *cache,
                                  const void *object);

/* An object is handed out.  Panics when something is wrong with it. */
void slab_debug_alloc(const struct slab_cache *cache, void *object,
                      uintptr_t caller);

/* An object comes back.  Panics when something is wrong with it. */
void slab_debug_free(const struct slab_cache *cache, void *object,
                     uintptr_t caller);

/*
 * Who allocated an object.
 *
 * Returns: a return address; 0 when the object is free
 */
uintptr_t slab_debug_owner(const struct slab_cache *cache, const void *object);

/* Who allocated and who freed an object last. */
void slab_debug_find_users(const struct slab_cache *cache, const void *object,
                           struct slab_object_info *info);

#endif /* KERN_SLAB_DEBUG_H */
