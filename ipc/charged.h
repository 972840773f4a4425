/* SPDX-License-Identifier: MIT */
/*
 * Memory of kernel objects that a container pays for as long as it is there.
 */
#ifndef IPC_CHARGED_H
#define IPC_CHARGED_H

#include <stddef.h>

#include <lib/macros.h>

struct container;
struct slab_cache;

/*
 * Allocate an object.
 *
 * @size       bytes of objects of the cache
 * @container  charged, and referenced until charged_free()
 *
 * Context: thread, preemptible
 * Returns: NULL: memory, or a limit of the container, is exhausted
 */
void *charged_alloc(struct slab_cache *cache, size_t size,
                    struct container *container) __must_check;

/* Free an object, with the arguments that it was allocated with. */
void charged_free(struct slab_cache *cache, void *object, size_t size,
                  struct container *container);

#endif /* IPC_CHARGED_H */
