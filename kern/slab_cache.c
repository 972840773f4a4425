/* SPDX-License-Identifier: MIT */
/*
 * Slab caches: how objects and slabs are laid out, and the list of all caches.
 */
#include <lib/assert.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <arch/cpu.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/page.h>
#include <kern/slab.h>
#include <kern/slab_debug.h>
#include <kern/slab_i.h>
#include <kern/slab_pages.h>
#include <kern/spinlock.h>

/* Objects of a smaller magazine, by size of the object. */
#define SLAB_ROUNDS_MIDDLE 15
#define SLAB_ROUNDS_MIN    7
#define SLAB_SIZE_SMALL    256
#define SLAB_SIZE_MIDDLE   1024

/* A slab grows until it wastes at most 1/8, or has 2^3 pages. */
#define SLAB_ORDER_MAX   3
#define SLAB_WASTE_SHARE 8

static struct spinlock slab_list_lock =
    SPINLOCK_INITIALIZER(LOCK_SLAB_LIST, "slab list");
static struct list slab_caches = LIST_INITIALIZER(slab_caches);

static struct slab_cache slab_cpu_cache;
static size_t slab_cpus_size; /* of the array of struct slab_cpu; 0: not up */

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
