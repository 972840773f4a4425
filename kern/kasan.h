/* SPDX-License-Identifier: MIT */
/*
 * What allocators tell the address sanitizer.  In builds without it all of
 * this vanishes.
 */
#ifndef KERN_KASAN_H
#define KERN_KASAN_H

#include <stddef.h>

#include <lib/macros.h>

/* Why memory must not be touched; named in the report. */
enum kasan_kind {
    KASAN_FREE_PAGE,   /* in the page allocator */
    KASAN_FREE_OBJECT, /* in a slab */
    KASAN_REDZONE,     /* behind the size that was asked for */
    KASAN_FREE_STACK,  /* a kernel stack that was given back */
};

#ifdef CONFIG_KASAN

/*
 * Memory may be touched from now on.
 *
 * @ptr   a multiple of 8
 * @size  bytes; the rest of the last 8 stays as it was
 */
void kasan_unpoison(const void *ptr, size_t size);

/*
 * Memory must not be touched from now on.
 *
 * @ptr   rounded up to a multiple of 8
 * @size  bytes
 */
void kasan_poison(const void *ptr, size_t size, enum kasan_kind kind);

#else

static inline void
kasan_unpoison(const void *ptr __unused, size_t size __unused)
{
}

static inline void
kasan_poison(const void *ptr __unused, size_t size __unused,
             enum kasan_kind kind __unused)
{
}

#endif /* CONFIG_KASAN */

#endif /* KERN_KASAN_H */
