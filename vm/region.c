/* SPDX-License-Identifier: MIT */
#include <kern/init.h>
#include <kern/slab.h>
#include <vm/object.h>
#include <vm/region.h>

static struct slab_cache region_cache;

struct vm_region *
region_create(struct vm_object *object, uintptr_t va, uint64_t index,
              bool is_private)
{
    struct vm_region *region = slab_alloc(&region_cache);

    if (region == NULL) {
        return NULL;
    }
    *region = (struct vm_region){
        .object = object,
        .first = index - (va >> PAGE_SHIFT),
        .is_private = is_private,
    };
    atomic_init(&region->nr_users, 1);
    object_attach(object);
    return region;
}

void
region_destroy(struct vm_region *region)
{
    object_detach(region->object);
    slab_free(&region_cache, region);
}

static status_t
region_setup(void)
{
    slab_cache_init(&region_cache, "vm_region", sizeof(struct vm_region),
                    REGION_ALIGN, 0);
    return OK;
}

INIT_OP(region_setup, INIT_BOOT_CPU, AFTER(slab_setup));
