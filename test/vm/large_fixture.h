/* SPDX-License-Identifier: MIT */
/*
 * For tests of large pages: a space, and an object in one piece.
 */
#ifndef TEST_VM_LARGE_FIXTURE_H
#define TEST_VM_LARGE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/node.h>
#include <test/vm/object_fixture.h>
#include <test/vm/space_fixture.h>

#define PAGES(n)    ((size_t)(n) * PAGE_SIZE)
#define LARGE_2M    node_slot_size(1)
#define LARGE_1G    node_slot_size(2)
#define LARGE_PAGES NODE_NR_SLOTS

struct large {
    struct test *t;
    struct object_fixture *object;
    struct space_fixture *space;
    uint64_t nr_pages; /* of the object */
};

static inline void
large_create(struct large *large, struct test *t)
{
    large->t = t;
    large->object = object_fixture_create(t);
    large->space = space_fixture_create(t);
}

/* With addresses of a device, beyond a multiple of 1 GiB by @offset. */
static inline bool
large_create_phys(struct large *large, struct test *t, uint64_t offset,
                  uint64_t size)
{
    struct object_range range = { object_fixture_phys(offset + size), size,
                                  PMAP_UC };

    if (range.phys == PADDR_NONE) {
        return false;
    }
    large_create(large, t);
    range.phys += offset;
    large->nr_pages = size >> PAGE_SHIFT;
    verify(object_create_phys(&large->object->object, large->object->container,
                              "device", &range) == OK);
    return true;
}

/* With so many pages of RAM. */
static inline bool
large_create_ram(struct large *large, struct test *t, uint64_t nr_pages)
{
    large_create(large, t);
    large->nr_pages = nr_pages;
    return object_create_contiguous(&large->object->object,
                                    large->object->container, "dma",
                                    nr_pages) == OK;
}

/* Map all of an object. */
static inline status_t
large_map(struct large *large, uintptr_t va, unsigned int flags)
{
    struct space_mapping mapping = {
        .va = va,
        .size = large->nr_pages << PAGE_SHIFT,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED | flags,
        .object = large->object->object,
    };

    return space_map(large->space->space, &mapping, &va);
}

/* A word of the object, of a page. */
static inline uint64_t *
large_ram(const struct large *large, uint64_t index)
{
    return pmap_direct_ptr(object_phys(large->object->object) +
                           (index << PAGE_SHIFT));
}

/* Each page of the object says which it is. */
static inline void
large_fill(struct large *large)
{
    for (uint64_t i = 0; i < large->nr_pages; i++) {
        *large_ram(large, i) = i + 1;
    }
}

/* Whether pages of a mapping at FIXTURE_VA show those of the object. */
static inline bool
large_shows(uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++) {
        if (fixture_read(FIXTURE_VA + PAGES(i)) != i + 1) {
            return false;
        }
    }
    return true;
}

#endif /* TEST_VM_LARGE_FIXTURE_H */
