/* SPDX-License-Identifier: MIT */
/*
 * For tests of address spaces: a space in a container of its own, and what is
 * left in it.
 */
#ifndef TEST_VM_SPACE_FIXTURE_H
#define TEST_VM_SPACE_FIXTURE_H

#include <stdint.h>

#include <lib/assert.h>
#include <arch/user_copy.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <vm/space.h>
#include <test/test.h>

#define PROT_RW (PMAP_READ | PMAP_WRITE)

/* An address with room around it, not in anybody's arena. */
#define FIXTURE_VA UINT64_C(0x200000000000)

struct space_fixture {
    struct test *t;
    struct container *container;
    struct vm_space *space; /* used by this thread */
};

/* The space goes, and everything that was charged for it. */
static inline void
space_fixture_end(void *arg)
{
    struct space_fixture *fixture = arg;
    struct test *t = fixture->t;

    space_use(NULL);
    space_put(fixture->space);
    rcu_barrier();
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_TABLES), 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_OBJECTS), 0);
    container_put(fixture->container);
    kfree(fixture);
}

static inline struct space_fixture *
space_fixture_create(struct test *t)
{
    struct space_fixture *fixture = kmalloc(sizeof(*fixture));

    verify(fixture != NULL);
    fixture->t = t;
    verify(container_create(&fixture->container, container_root, "test") == OK);
    verify(space_create(&fixture->space, fixture->container, "test") == OK);
    test_cleanup(t, space_fixture_end, fixture);
    space_use(fixture->space);
    return fixture;
}

/* Map anonymous memory at an address. */
static inline status_t
fixture_map(struct space_fixture *fixture, uintptr_t va, size_t size,
            unsigned int prot)
{
    struct space_mapping mapping = {
        .va = va, .size = size, .prot = prot, .flags = SPACE_MAP_FIXED
    };

    return space_map(fixture->space, &mapping, &va);
}

/* Map anonymous memory anywhere.  Returns: 0 on exhaustion */
static inline uintptr_t
fixture_map_anywhere(struct space_fixture *fixture, size_t size)
{
    struct space_mapping mapping = { .size = size, .prot = PROT_RW };
    uintptr_t va;

    return space_map(fixture->space, &mapping, &va) == OK ? va : 0;
}

/* A word of the user's; all ones if it cannot be read. */
static inline uint64_t
fixture_read(uintptr_t va)
{
    uint64_t value;

    return user_read_u64(va, &value) == OK ? value : UINT64_MAX;
}

#endif /* TEST_VM_SPACE_FIXTURE_H */
