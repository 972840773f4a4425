/* SPDX-License-Identifier: MIT */
/*
 * What allocators tell the address sanitizer.  In builds without it all of
 * this vanishes.
 */
#ifndef KERN_KASAN_H
#define KERN_KASAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>
#include <arch/layout.h>

/* Bytes that share a byte of shadow. */
#define KASAN_GRANULE 8

/*
 * Why memory must not be touched; named in the report.  The values are those
 * of the shadow, and distinct from the compilers'.
 */
enum kasan_kind {
    KASAN_FREE_PAGE = 0xe1,   /* in the page allocator */
    KASAN_FREE_OBJECT = 0xe2, /* in a slab */
    KASAN_REDZONE = 0xe3,     /* around objects, behind the size asked for */
    KASAN_FREE_STACK = 0xe4,  /* kernel addresses that were given back */
};

#ifdef CONFIG_KASAN

/* Where the shadow of an address of the kernel's half is. */
static inline uintptr_t
kasan_shadow(uintptr_t addr)
{
    return addr / KASAN_GRANULE + KASAN_SHADOW_OFFSET;
}

/*
 * Have memory for the shadow of a range, which kasan_poison() and functions
 * on a stack write.  RAM in the direct map and the image have it.
 *
 * Context: as for page_alloc()
 * Returns: OK or ERR_NO_MEMORY
 */
status_t kasan_map_shadow(const void *ptr, size_t size);

/*
 * Memory may be touched from now on.
 *
 * @ptr   a multiple of 8
 * @size  bytes; what is behind them in the last 8 may not be touched
 *
 * Context: any
 */
void kasan_unpoison(const void *ptr, size_t size);

/*
 * Memory must not be touched from now on.
 *
 * @ptr   what is below it in the first 8 bytes stays as it was
 * @size  bytes, rounded up to a multiple of 8
 *
 * Context: any
 */
void kasan_poison(const void *ptr, size_t size, enum kasan_kind kind);

/*
 * Look whether an object that is about to be freed is free.
 *
 * Context: any
 * Returns: false, and a double free is reported
 */
bool kasan_check_free(const void *ptr);

/*
 * Check a read that the compiler does not see.
 *
 * Context: any
 */
void kasan_check_read(const void *ptr, size_t size);

/* Check a write that the compiler does not see.  Context: any */
void kasan_check_write(const void *ptr, size_t size);

#else

static inline status_t
kasan_map_shadow(const void *ptr __unused, size_t size __unused)
{
    return OK;
}

static inline void
kasan_unpoison(const void *ptr __unused, size_t size __unused)
{
}

static inline void
kasan_poison(const void *ptr __unused, size_t size __unused,
             enum kasan_kind kind __unused)
{
}

static inline bool
kasan_check_free(const void *ptr __unused)
{
    return true;
}

static inline void
kasan_check_read(const void *ptr __unused, size_t size __unused)
{
}

static inline void
kasan_check_write(const void *ptr __unused, size_t size __unused)
{
}

#endif /* CONFIG_KASAN */

#endif /* KERN_KASAN_H */
