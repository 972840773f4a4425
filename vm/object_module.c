/* SPDX-License-Identifier: MIT */
/*
 * Memory objects of boot modules: RAM that the loader has filled and the page
 * allocator keeps off, so it is shown where it is.
 *
 * The last page may have something else behind the module's end, and a module
 * may begin in the middle of a page.  In the first case the last page is a
 * copy, in the second all of them are: nobody sees what is not the module's.
 */
#include <kern/bootmem.h>
#include <kern/container.h>
#include <kern/page.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <vm/object.h>

/*
 * Keys: [c] constant once made
 */
struct module_object {
    struct vm_object object;
    paddr_t phys;      /* [c] of the first byte */
    struct page *last; /* [c] the last page; NULL: it is where it was */
};

static struct module_object *
module_of(struct vm_object *object)
{
    return container_of(object, struct module_object, object);
}

static status_t
module_get_frame(struct vm_object *object, uint64_t index,
                 bool is_write __unused, struct object_frame *frame)
{
    const struct module_object *module = module_of(object);
    uint64_t nr_pages = object_nr_pages(object);

    if (index >= nr_pages) {
        return ERR_RANGE;
    }
    frame->phys = module->last != NULL && index == nr_pages - 1
                      ? page_phys(module->last)
                      : module->phys + index * PAGE_SIZE;
    frame->cache = PMAP_WB;
    return OK;
}

static void
module_destroy(struct vm_object *object)
{
    const struct module_object *module = module_of(object);

    if (module->last != NULL) {
        page_free(module->last, 0);
        container_refund(object->container, CONTAINER_PAGES, 1);
    }
}

static const struct object_ops module_ops = {
    .kind = "module",
    .size = sizeof(struct module_object),
    .is_memory = true,
    .get_frame = module_get_frame,
    .destroy = module_destroy,
};

/* Have a copy of the last page, if there is something behind the end. */
static status_t
module_copy_last(struct module_object *module, uint64_t size)
{
    struct container *container = module->object.container;
    size_t used = size % PAGE_SIZE;
    status_t status;

    if (used == 0) {
        return OK;
    }
    status = container_charge(container, CONTAINER_PAGES, 1);
    if (status != OK) {
        return status;
    }
    module->last = page_alloc(0, PAGE_ZERO);
    if (module->last == NULL) {
        container_refund(container, CONTAINER_PAGES, 1);
        return ERR_NO_MEMORY;
    }
    memcpy(page_ptr(module->last),
           pmap_direct_ptr(module->phys + ALIGN_DOWN(size, PAGE_SIZE)), used);
    return OK;
}

/* Make an object that shows the pages where they are. */
static status_t
module_show(struct vm_object **objectp, struct container *container,
            const char *name, const struct object_range *range)
{
    struct vm_object *object;
    status_t status;

    status = object_create(&object, &module_ops, container, name,
                           ALIGN_UP(range->size, PAGE_SIZE) >> PAGE_SHIFT);
    if (status != OK) {
        return status;
    }
    module_of(object)->phys = range->phys;
    status = module_copy_last(module_of(object), range->size);
    if (status != OK) {
        object_put(object);
        return status;
    }
    *objectp = object;
    return OK;
}

/* Fill an object. */
static status_t
module_fill(struct vm_object *object, const struct object_range *range)
{
    status_t status = OK;

    for (uint64_t at = 0; status == OK && at < range->size; at += PAGE_SIZE) {
        struct object_frame frame;

        status = object_get_frame(object, at >> PAGE_SHIFT, true, &frame);
        if (status == OK) {
            memcpy(pmap_direct_ptr(frame.phys),
                   pmap_direct_ptr(range->phys + at),
                   MIN(range->size - at, (uint64_t)PAGE_SIZE));
        }
    }
    return status;
}

/* Make an object with a copy. */
static status_t
module_copy(struct vm_object **objectp, struct container *container,
            const char *name, const struct object_range *range)
{
    struct vm_object *object;
    status_t status;

    status = object_create_anon(&object, container, name,
                                ALIGN_UP(range->size, PAGE_SIZE) >> PAGE_SHIFT);
    if (status != OK) {
        return status;
    }
    status = module_fill(object, range);
    if (status != OK) {
        object_put(object);
        return status;
    }
    *objectp = object;
    return OK;
}

/* Whether a range is RAM, as a whole. */
static bool
module_is_ram(const struct object_range *range)
{
    paddr_t at = range->phys, end = range->phys + range->size;
    struct bootmem_range ram;

    while (at < end) {
        if (!bootmem_next_ram(at, &ram) || ram.base > at) {
            return false;
        }
        at = ram.end;
    }
    return end >= range->phys;
}

status_t
object_create_module(struct vm_object **objectp, struct container *container,
                     const char *name, const struct object_range *range)
{
    status_t status;

    if (!module_is_ram(range)) {
        return ERR_ACCESS;
    }
    status = IS_ALIGNED(range->phys, PAGE_SIZE)
                 ? module_show(objectp, container, name, range)
                 : module_copy(objectp, container, name, range);
    if (status == OK) {
        object_restrict(*objectp, PMAP_READ | PMAP_EXEC);
    }
    return status;
}
