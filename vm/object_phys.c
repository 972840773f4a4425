/* SPDX-License-Identifier: MIT */
/*
 * Memory objects in one piece: physical addresses of devices, and RAM for
 * devices.
 */
#include <kern/bootmem.h>
#include <kern/container.h>
#include <kern/page.h>
#include <vm/object.h>

/* Whether the kernel has a part of a range in use with another caching. */
static bool
phys_is_alias(const struct object_range *range)
{
    uintptr_t va = DIRECT_MAP_BASE + range->phys;
    uintptr_t end = va + MIN(range->size, DIRECT_MAP_SIZE - range->phys);
    struct pmap_walk walk;

    while (va < end && pmap_walk_next(va, &walk) && walk.va < end) {
        if (walk.cache != range->cache) {
            return true;
        }
        va = walk.va + walk.size;
    }
    return false;
}

static status_t
phys_check(const struct object_range *range)
{
    struct bootmem_range ram;

    if (!IS_ALIGNED(range->phys | range->size, PAGE_SIZE) || range->size == 0) {
        return ERR_INVALID;
    }
    if (range->phys > pmap_phys_end() ||
        range->size > pmap_phys_end() - range->phys) {
        return ERR_RANGE;
    }
    if (bootmem_next_ram(range->phys, &ram) &&
        ram.base < range->phys + range->size) {
        return ERR_ACCESS;
    }
    if (range->phys < DIRECT_MAP_SIZE && phys_is_alias(range)) {
        return ERR_INVALID;
    }
    return OK;
}

static status_t
phys_get_frame(struct vm_object *object, uint64_t index, bool is_write __unused,
               struct object_frame *frame)
{
    if (index >= object_nr_pages(object)) {
        return ERR_RANGE;
    }
    frame->phys = object->phys + index * PAGE_SIZE;
    frame->cache = object->cache;
    return OK;
}

static void
phys_destroy(struct vm_object *object __unused)
{
    /* It is made of nothing. */
}

static const struct object_ops phys_ops = {
    .kind = "physical",
    .size = sizeof(struct vm_object),
    .get_frame = phys_get_frame,
    .destroy = phys_destroy,
};

status_t
object_create_phys(struct vm_object **objectp, struct container *container,
                   const char *name, const struct object_range *range)
{
    status_t status;

    status = phys_check(range);
    if (status != OK) {
        return status;
    }
    status = object_create(objectp, &phys_ops, container, name,
                           range->size >> PAGE_SHIFT);
    if (status == OK) {
        (*objectp)->phys = range->phys;
        (*objectp)->cache = range->cache;
        (*objectp)->prot = PMAP_READ | PMAP_WRITE;
    }
    return status;
}

/* Of the block that has so many pages. */
static unsigned int
contiguous_order(uint64_t nr_pages)
{
    return page_order(nr_pages << PAGE_SHIFT);
}

static void
contiguous_destroy(struct vm_object *object)
{
    unsigned int order = contiguous_order(object_nr_pages(object));

    page_free(page_from_phys(object->phys), order);
    container_refund(object->container, CONTAINER_PAGES, UINT64_C(1) << order);
}

static const struct object_ops contiguous_ops = {
    .kind = "contiguous",
    .size = sizeof(struct vm_object),
    .is_memory = true,
    .get_frame = phys_get_frame,
    .destroy = contiguous_destroy,
};

status_t
object_create_contiguous(struct vm_object **objectp,
                         struct container *container, const char *name,
                         uint64_t nr_pages)
{
    unsigned int order;
    struct page *page;
    status_t status;

    if (nr_pages == 0 || nr_pages > UINT64_C(1) << PAGE_ORDER_MAX) {
        return ERR_RANGE;
    }
    order = contiguous_order(nr_pages);
    status = container_charge(container, CONTAINER_PAGES, UINT64_C(1) << order);
    if (status != OK) {
        return status;
    }
    page = page_alloc(order, PAGE_ZERO);
    if (page == NULL) {
        status = ERR_NO_MEMORY;
        goto fail_page;
    }
    status = object_create(objectp, &contiguous_ops, container, name, nr_pages);
    if (status != OK) {
        goto fail_object;
    }
    (*objectp)->phys = page_phys(page);
    return OK;

fail_object:
    page_free(page, order);
fail_page:
    container_refund(container, CONTAINER_PAGES, UINT64_C(1) << order);
    return status;
}
