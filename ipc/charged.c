/* SPDX-License-Identifier: MIT */
#include <kern/container.h>
#include <kern/slab.h>
#include <ipc/charged.h>

void *
charged_alloc(struct slab_cache *cache, size_t size,
              struct container *container)
{
    void *object;

    if (container_charge(container, CONTAINER_OBJECTS, size) != OK) {
        return NULL;
    }
    object = slab_alloc(cache);
    if (object == NULL) {
        container_refund(container, CONTAINER_OBJECTS, size);
        return NULL;
    }
    container_get(container);
    return object;
}

void
charged_free(struct slab_cache *cache, void *object, size_t size,
             struct container *container)
{
    slab_free(cache, object);
    container_refund(container, CONTAINER_OBJECTS, size);
    container_put(container);
}
