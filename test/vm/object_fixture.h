/* SPDX-License-Identifier: MIT */
/*
 * For tests of memory objects: an object in a container of its own.
 */
#ifndef TEST_VM_OBJECT_FIXTURE_H
#define TEST_VM_OBJECT_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/macros.h>
#include <arch/pmap.h>
#include <kern/bootmem.h>
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <kern/sref.h>
#include <vm/object.h>
#include <test/test.h>
#include <test/vm/space_fixture.h>

#define OBJECT_TEST_PAGES 100

struct object_fixture {
    struct test *t;
    struct container *container;
    struct vm_object *object; /* given up by the fixture unless NULL */
};

/* The object goes, and everything that was charged for it. */
static inline void
object_fixture_end(void *arg)
{
    struct object_fixture *fixture = arg;
    struct test *t = fixture->t;

    if (fixture->object != NULL) {
        object_put(fixture->object);
    }
    EXPECT_EQ(object_sync(CLOCK_NEVER), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_OBJECTS), 0);
    container_put(fixture->container);
    (void)sref_sync(CLOCK_NEVER);
    kfree(fixture);
}

/* A container, without an object. */
static inline struct object_fixture *
object_fixture_create(struct test *t)
{
    struct object_fixture *fixture = kzalloc(sizeof(*fixture));

    verify(fixture != NULL);
    fixture->t = t;
    verify(container_create(&fixture->container, container_root, "test") == OK);
    test_cleanup(t, object_fixture_end, fixture);
    return fixture;
}

/*
 * Where so many bytes are that are no RAM, above all that is, at a multiple of
 * 1 GiB; PADDR_NONE: nowhere.
 */
static inline paddr_t
object_fixture_phys(uint64_t size)
{
    struct bootmem_range range;
    paddr_t end = GIB(4);

    for (paddr_t addr = 0; bootmem_next_ram(addr, &range); addr = range.end) {
        end = MAX(end, range.end);
    }
    end = ALIGN_UP(end, GIB(1)) + GIB(1);
    return end + size <= pmap_phys_end() ? end : PADDR_NONE;
}

/* With an anonymous object. */
static inline struct object_fixture *
anon_fixture_create(struct test *t)
{
    struct object_fixture *fixture = object_fixture_create(t);

    verify(object_create_anon(&fixture->object, fixture->container, "test",
                              OBJECT_TEST_PAGES) == OK);
    return fixture;
}

/* Where a page of RAM of an object is; NULL: it cannot be had. */
static inline uint64_t *
object_page_ptr(struct vm_object *object, uint64_t index)
{
    struct object_frame frame;

    if (object_get_frame(object, index, true, &frame) != OK) {
        return NULL;
    }
    return pmap_direct_ptr(frame.phys);
}

/* Map four pages of an object, from its second on. */
static inline status_t
object_test_map(struct space_fixture *space, struct vm_object *object,
                uintptr_t va, unsigned int flags)
{
    struct space_mapping mapping = {
        .va = va,
        .size = 4 * PAGE_SIZE,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED | flags,
        .object = object,
        .index = 1,
    };

    return space_map(space->space, &mapping, &va);
}

#endif /* TEST_VM_OBJECT_FIXTURE_H */
