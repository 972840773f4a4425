/* SPDX-License-Identifier: MIT */
#include <kern/container.h>
#include <kern/init.h>
#include <kern/slab.h>
#include <vm/object.h>
#include <vm/region.h>

static struct slab_cache region_cache;

static void
region_destroy(struct vm_region *region)
{
    struct container *container = region->container;

    object_detach(region->object);
    slab_free(&region_cache, region);
    container_refund(container, CONTAINER_OBJECTS, sizeof(*region));
    container_put(container);
}

struct vm_region *
region_create(struct container *container, struct vm_object *object,
              uintptr_t va, uint64_t index, bool is_private)
{
    struct vm_region *region;

    if (container_charge(container, CONTAINER_OBJECTS, sizeof(*region)) != OK) {
        return NULL;
    }
    region = slab_alloc(&region_cache);
    if (region == NULL) {
        container_refund(container, CONTAINER_OBJECTS, sizeof(*region));
        return NULL;
    }
    container_get(container);
    *region = (struct vm_region){
        .object = object,
        .container = container,
        .first = index - (va >> PAGE_SHIFT),
        .is_private = is_private,
        .destroy = region_destroy,
    };
    atomic_init(&region->nr_users, 1);
    object_attach(object);
    return region;
}

static status_t
region_setup(void)
{
    slab_cache_init(&region_cache, "vm_region", sizeof(struct vm_region),
                    REGION_ALIGN, 0);
    return OK;
}

INIT_OP(region_setup, INIT_BOOT_CPU, AFTER(slab_setup));
