/* SPDX-License-Identifier: MIT */
/*
 * Slab caches: what is told of objects, that are leaked or at some address.
 */
#include <lib/macros.h>
#include <arch/pmap.h>
#include <kern/log.h>
#include <kern/page.h>
#include <kern/slab.h>
#include <kern/slab_debug.h>
#include <kern/slab_i.h>

#define SLAB_LEAKS_LOGGED 16

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
