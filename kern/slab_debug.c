/* SPDX-License-Identifier: MIT */
/*
 * Debug builds of the slab allocator.
 *
 * A free object is full of poison, unless it has a constructor or is type
 * stable: then its contents mean something.  The red zone behind it has one
 * of two values, for used and free.
 */

#include <lib/string.h>
#include <kern/panic.h>
#include <kern/slab.h>
#include <kern/slab_debug.h>

#define SLAB_REDZONE_USED UINT64_C(0xa110ca7eda110ca7)
#define SLAB_REDZONE_FREE UINT64_C(0xf4eef4eef4eef4ee)
#define SLAB_GUARD        UINT64_C(0x9a4d9a4d9a4d9a4d)
#define SLAB_POISON       0x5a

static struct slab_tail *
slab_debug_tail(const struct slab_cache *cache, const void *object)
{
    return (struct slab_tail *)((uintptr_t)object + cache->tail_offset);
}

static bool
slab_debug_has_poison(const struct slab_cache *cache)
{
    return cache->ctor == NULL && !(cache->flags & SLAB_TYPE_STABLE);
}

/* The end of this kernel: say what is known of the object. */
__noreturn static void
slab_debug_panic(const struct slab_cache *cache, const void *object,
                 const char *what)
{
    const struct slab_tail *tail = slab_debug_tail(cache, object);

    panic("slab: %s: object %p %s; allocated by %pS, freed by %pS", cache->name,
          object, what, (void *)tail->allocated_by, (void *)tail->freed_by);
}

void
slab_debug_init(const struct slab_cache *cache, void *object)
{
    struct slab_tail *tail = slab_debug_tail(cache, object);

    *tail = (struct slab_tail){ SLAB_REDZONE_FREE, 0, 0, SLAB_GUARD };
    if (slab_debug_has_poison(cache)) {
        memset(object, SLAB_POISON, cache->size);
    }
}

const char *
slab_debug_check_free(const struct slab_cache *cache, const void *object)
{
    const struct slab_tail *tail = slab_debug_tail(cache, object);
    const uint8_t *bytes = object;

    if (tail->redzone != SLAB_REDZONE_FREE || tail->guard != SLAB_GUARD) {
        return "was overrun while free";
    }
    for (size_t i = 0; slab_debug_has_poison(cache) && i < cache->size; i++) {
        if (bytes[i] != SLAB_POISON) {
            return "was written while free";
        }
    }
    return NULL;
}

const char *
slab_debug_check_used(const struct slab_cache *cache, const void *object)
{
    const struct slab_tail *tail = slab_debug_tail(cache, object);

    if (tail->redzone == SLAB_REDZONE_FREE) {
        return "is freed twice";
    }
    if (tail->redzone != SLAB_REDZONE_USED || tail->guard != SLAB_GUARD) {
        return "was overrun";
    }
    return NULL;
}

void
slab_debug_alloc(const struct slab_cache *cache, void *object, uintptr_t caller)
{
    struct slab_tail *tail = slab_debug_tail(cache, object);
    const char *what;

    what = slab_debug_check_free(cache, object);
    if (what != NULL) {
        slab_debug_panic(cache, object, what);
    }
    tail->redzone = SLAB_REDZONE_USED;
    tail->allocated_by = caller;
}

void
slab_debug_free(const struct slab_cache *cache, void *object, uintptr_t caller)
{
    struct slab_tail *tail = slab_debug_tail(cache, object);
    const char *what;

    what = slab_debug_check_used(cache, object);
    if (what != NULL) {
        slab_debug_panic(cache, object, what);
    }
    tail->redzone = SLAB_REDZONE_FREE;
    tail->freed_by = caller;
    if (slab_debug_has_poison(cache)) {
        memset(object, SLAB_POISON, cache->size);
    }
}

uintptr_t
slab_debug_owner(const struct slab_cache *cache, const void *object)
{
    const struct slab_tail *tail = slab_debug_tail(cache, object);

    return tail->redzone == SLAB_REDZONE_USED ? tail->allocated_by : 0;
}

void
slab_debug_find_users(const struct slab_cache *cache, const void *object,
                      struct slab_object_info *info)
{
    const struct slab_tail *tail = slab_debug_tail(cache, object);

    info->allocated_by = tail->allocated_by;
    info->freed_by = tail->freed_by;
}
