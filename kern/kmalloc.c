/* SPDX-License-Identifier: MIT */
/*
 * Memory of any size.
 *
 * Classes are at most a third apart above 32 bytes, so at most a third of an
 * object is lost.  What an address is, struct page tells: an object of a
 * cache, or the first page of a block.  Blocks are rounded up to a power of
 * two pages; who wants much and not contiguous uses kva_alloc().
 */

#include <lib/assert.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <kern/kmalloc.h>
#include <kern/page.h>
#include <kern/panic.h>
#include <kern/slab.h>

/* X(size), rising */
#define KMALLOC_CLASSES(X)                                                     \
    X(16)                                                                      \
    X(32)                                                                      \
    X(48)                                                                      \
    X(64)                                                                      \
    X(96)                                                                      \
    X(128)                                                                     \
    X(192)                                                                     \
    X(256)                                                                     \
    X(384)                                                                     \
    X(512)                                                                     \
    X(768)                                                                     \
    X(1024)                                                                    \
    X(1536)                                                                    \
    X(2048)

#define KMALLOC_SIZE(size) size,
#define KMALLOC_NAME(size) "kmalloc " #size,

static const uint16_t kmalloc_sizes[] = { KMALLOC_CLASSES(KMALLOC_SIZE) };
static const char *const kmalloc_names[] = { KMALLOC_CLASSES(KMALLOC_NAME) };

#define KMALLOC_NR_CLASSES ARRAY_SIZE(kmalloc_sizes)
#define KMALLOC_SMALL_MAX  2048

static struct slab_cache kmalloc_caches[KMALLOC_NR_CLASSES];

/* Class of a size, by its number of units of KMALLOC_ALIGN bytes. */
static uint8_t kmalloc_classes[KMALLOC_SMALL_MAX / KMALLOC_ALIGN + 1];

static void *
kmalloc_pages(size_t size, unsigned int flags)
{
    struct page *page;

    if (size > PAGE_SIZE << PAGE_ORDER_MAX) {
        return NULL;
    }
    page = page_alloc(page_order(size), flags);
    if (page == NULL) {
        return NULL;
    }
    page->use = PAGE_USE_KMALLOC;
    kasan_poison((char *)page_ptr(page) + size,
                 (PAGE_SIZE << page->order) - size, KASAN_REDZONE);
    return page_ptr(page);
}

void *
kmalloc(size_t size)
{
    struct slab_cache *cache;
    size_t units;
    char *ptr;

    if (unlikely(size > KMALLOC_SMALL_MAX)) {
        return kmalloc_pages(size, 0);
    }
    units = DIV_ROUND_UP(size, KMALLOC_ALIGN);
    cache = &kmalloc_caches[kmalloc_classes[units]];
    ptr = slab_alloc(cache);
    if (ptr != NULL) {
        kasan_poison(ptr + size, cache->size - size, KASAN_REDZONE);
    }
    return ptr;
}

void *
kzalloc(size_t size)
{
    void *ptr;

    if (unlikely(size > KMALLOC_SMALL_MAX)) {
        return kmalloc_pages(size, PAGE_ZERO);
    }
    ptr = kmalloc(size);
    if (ptr != NULL) {
        memset(ptr, 0, size);
    }
    return ptr;
}

void
kfree(void *ptr)
{
    struct page *page;

    if (ptr == NULL) {
        return;
    }
    if (!pmap_is_direct(ptr) || !page_exists(pmap_direct_addr(ptr))) {
        panic("kmalloc: bad free of %p", ptr);
    }

    page = page_from_ptr(ptr);
    if (page->use == PAGE_USE_SLAB) {
        slab_free(page->slab.cache, ptr);
        return;
    }
    if (page->use != PAGE_USE_KMALLOC || ptr != page_ptr(page)) {
        panic("kmalloc: bad free of %p", ptr);
    }
    page_free(page, page->order);
}

size_t
kmalloc_size(const void *ptr)
{
    const struct page *page = page_from_ptr(ptr);

    if (page->use == PAGE_USE_SLAB) {
        return page->slab.cache->size;
    }
    assert(page->use == PAGE_USE_KMALLOC);
    return PAGE_SIZE << page->order;
}

static status_t
kmalloc_setup(void)
{
    size_t class = 0;

    for (size_t i = 0; i < ARRAY_SIZE(kmalloc_classes); i++) {
        if (i * KMALLOC_ALIGN > kmalloc_sizes[class]) {
            class ++;
        }
        kmalloc_classes[i] = (uint8_t)class;
    }
    for (size_t i = 0; i < KMALLOC_NR_CLASSES; i++) {
        slab_cache_init(&kmalloc_caches[i], kmalloc_names[i], kmalloc_sizes[i],
                        KMALLOC_ALIGN, 0);
    }
    return OK;
}

INIT_OP(kmalloc_setup, INIT_BOOT_CPU, AFTER(slab_setup));
