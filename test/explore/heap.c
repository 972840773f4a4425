/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for kmalloc(), slab caches and pages that know what is allocated.
 *
 * In half of the schedules freed memory is never given out again, so that
 * each access to it is found; in the others it is given out at once, last
 * freed first, as a magazine does, so that a pointer compared to itself may
 * lie (ABA).  Objects of a SLAB_TYPE_STABLE cache may be looked at when they
 * are free.  An allocation and a free drain the store buffer.
 */
#include <string.h>

#include <kern/kmalloc.h>
#include <kern/page.h>
#include <kern/slab.h>
#include "engine.h"

#define HEAP_SIZE        KIB(512)
#define HEAP_GRANULE     16
#define HEAP_OBJECTS_MAX 2048

enum heap_state {
    HEAP_NEVER, /* between objects */
    HEAP_USED,
    HEAP_FREED,
    HEAP_STABLE, /* freed, but may be read */
};

struct heap_object {
    uintptr_t offset;
    size_t size;
    const struct slab_cache *cache; /* NULL for kmalloc() */
    bool is_free;
};

__aligned(PAGE_SIZE) char heap_memory[HEAP_SIZE];
__aligned(64) char heap_pages[HEAP_SIZE / PAGE_SIZE * sizeof(struct page)];
static uint8_t heap_states[HEAP_SIZE / HEAP_GRANULE];
static struct heap_object heap_objects[HEAP_OBJECTS_MAX];
static unsigned heap_nr_objects;
/* Freed ones, as a stack; only used if memory is given out again. */
static unsigned heap_free[HEAP_OBJECTS_MAX];
static unsigned heap_nr_free;

uintptr_t
heap_base(void)
{
    return (uintptr_t)heap_memory;
}

void
heap_reset(void)
{
    memset(heap_states, HEAP_NEVER, engine.heap_used / HEAP_GRANULE);
    engine.heap_used = 0;
    heap_nr_objects = 0;
    heap_nr_free = 0;
}

void
heap_check(uintptr_t offset, unsigned size)
{
    uintptr_t granule, last;

    last = (offset + MAX(size, 1U) - 1) / HEAP_GRANULE;
    for (granule = offset / HEAP_GRANULE; granule <= last; granule++) {
        if (heap_states[granule] == HEAP_FREED) {
            explore_fail("use of freed memory at heap+%#lx",
                         (unsigned long)offset);
        }
        if (heap_states[granule] == HEAP_NEVER) {
            explore_fail("access between objects at heap+%#lx",
                         (unsigned long)offset);
        }
    }
}

static void
heap_mark(const struct heap_object *object, enum heap_state state)
{
    memset(&heap_states[object->offset / HEAP_GRANULE], state,
           DIV_ROUND_UP(object->size, HEAP_GRANULE));
}

/* A freed object that serves, NULL if there is none. */
static struct heap_object *
heap_take_free(size_t size, const struct slab_cache *cache)
{
    struct heap_object *object;
    unsigned i;

    for (i = heap_nr_free; i > 0; i--) {
        object = &heap_objects[heap_free[i - 1]];
        if (object->size == size && object->cache == cache) {
            heap_nr_free--;
            memmove(&heap_free[i - 1], &heap_free[i],
                    (heap_nr_free - (i - 1)) * sizeof(heap_free[0]));
            return object;
        }
    }
    return NULL;
}

static struct heap_object *
heap_new(size_t size, size_t align, const struct slab_cache *cache)
{
    struct heap_object *object;
    uintptr_t offset;

    /* Pages have no gap between them. */
    offset = engine.heap_used + (align < PAGE_SIZE ? HEAP_GRANULE : 0);
    offset = ALIGN_UP(offset, MAX(align, 16UL));
    if (offset + size > HEAP_SIZE || heap_nr_objects == HEAP_OBJECTS_MAX) {
        explore_fail("the explorer's heap is full");
    }
    object = &heap_objects[heap_nr_objects++];
    object->offset = offset;
    object->size = size;
    object->cache = cache;
    engine.heap_used = ALIGN_UP(offset + size, (size_t)HEAP_GRANULE);
    return object;
}

static struct heap_object *
heap_alloc(size_t size, size_t align, const struct slab_cache *cache)
{
    struct heap_object *object;

    explore_fence();
    object = heap_take_free(size, cache);
    if (object == NULL) {
        object = heap_new(size, align, cache);
        memset(heap_memory + object->offset, 0xa5, size);
    }
    object->is_free = false;
    heap_mark(object, HEAP_USED);
    return object;
}

/* Find an object that is to be freed. */
static struct heap_object *
heap_find(const void *ptr)
{
    uintptr_t offset;
    unsigned i;

    offset = (uintptr_t)ptr - heap_base();
    for (i = heap_nr_objects; i > 0; i--) {
        if (heap_objects[i - 1].offset == offset) {
            break;
        }
    }
    if (i == 0) {
        explore_fail("free of what was not allocated");
    }
    if (heap_objects[i - 1].is_free) {
        explore_fail("double free of heap+%#lx", (unsigned long)offset);
    }
    return &heap_objects[i - 1];
}

static void
heap_release(struct heap_object *object)
{
    bool is_stable;

    explore_fence();
    is_stable = object->cache != NULL &&
                (object->cache->flags & SLAB_TYPE_STABLE) != 0;
    object->is_free = true;
    heap_mark(object, is_stable ? HEAP_STABLE : HEAP_FREED);
    if (engine.reuses) {
        heap_free[heap_nr_free++] = (unsigned)(object - heap_objects);
    }
}

void *
kmalloc(size_t size)
{
    return heap_memory +
           heap_alloc(MAX(size, 1UL), KMALLOC_ALIGN, NULL)->offset;
}

void *
kzalloc(size_t size)
{
    return memset(kmalloc(size), 0, size);
}

void
kfree(void *ptr)
{
    if (ptr != NULL) {
        heap_release(heap_find(ptr));
    }
}

size_t
kmalloc_size(const void *ptr)
{
    return heap_find(ptr)->size;
}

__attribute__((weak)) struct page *
page_alloc(unsigned int order, unsigned int flags)
{
    struct page *page;
    void *memory;

    memory = heap_memory +
             heap_alloc(PAGE_SIZE << order, PAGE_SIZE, NULL)->offset;
    if (flags & PAGE_ZERO) {
        memset(memory, 0, PAGE_SIZE << order);
    }
    page = page_from_ptr(memory);
    memset(page, 0, sizeof(*page));
    return page;
}

__attribute__((weak)) void
page_free(struct page *page, unsigned int order __unused)
{
    heap_release(heap_find(page_ptr(page)));
}

void
slab_cache_init(struct slab_cache *cache, const char *name, size_t size,
                size_t align, unsigned int flags)
{
    memset(cache, 0, sizeof(*cache));
    cache->name = name;
    cache->size = size;
    cache->align = align != 0 ? align : 8;
    cache->flags = flags;
}

void
slab_cache_set_ctor(struct slab_cache *cache, void (*ctor)(void *object))
{
    cache->ctor = ctor;
}

void *
slab_alloc(struct slab_cache *cache)
{
    unsigned nr;
    char *object;

    nr = heap_nr_objects;
    object = heap_memory + heap_alloc(cache->size, cache->align, cache)->offset;
    if (heap_nr_objects != nr && cache->ctor != NULL) {
        cache->ctor(object);
    }
    return object;
}

void
slab_free(struct slab_cache *cache, void *object)
{
    struct heap_object *found;

    found = heap_find(object);
    if (found->cache != cache) {
        explore_fail("free to cache %s of what is another's", cache->name);
    }
    heap_release(found);
}

size_t
slab_nr_used(struct slab_cache *cache)
{
    size_t n;
    unsigned i;

    n = 0;
    for (i = 0; i < heap_nr_objects; i++) {
        n += heap_objects[i].cache == cache && !heap_objects[i].is_free;
    }
    return n;
}

void
slab_cache_destroy(struct slab_cache *cache)
{
    if (slab_nr_used(cache) != 0) {
        explore_fail("cache %s is destroyed with objects", cache->name);
    }
}
