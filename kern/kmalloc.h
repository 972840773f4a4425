/* SPDX-License-Identifier: MIT */
/*
 * Memory of any size.  Up to half a page it comes from slab caches, one for
 * each class of sizes; above, whole pages.
 */
#ifndef KERN_KMALLOC_H
#define KERN_KMALLOC_H

#include <stddef.h>

#include <lib/macros.h>

/* Each address is a multiple of this, bytes. */
#define KMALLOC_ALIGN 16

/*
 * Allocate memory, contiguous also physically; contents are undefined.
 *
 * @size  bytes; 0 gives memory of the smallest size
 *
 * Context: as slab_alloc()
 * Returns: NULL on exhaustion
 */
void *kmalloc(size_t size) __must_check;

/* The same, filled with zeros. */
void *kzalloc(size_t size) __must_check;

/*
 * Free what kmalloc() or kzalloc() returned.
 *
 * @ptr  NULL is ignored
 *
 * Context: any but NMI
 */
void kfree(void *ptr);

/* The bytes that may be used of what kmalloc() returned. */
size_t kmalloc_size(const void *ptr);

#endif /* KERN_KMALLOC_H */
