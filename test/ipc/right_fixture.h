/* SPDX-License-Identifier: MIT */
/*
 * A table of rights, a few objects, and a right to each.
 */
#ifndef TEST_IPC_RIGHT_FIXTURE_H
#define TEST_IPC_RIGHT_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ipc/kobject.h>
#include <ipc/right.h>
#include <ipc/right_table.h>
#include <kern/container.h>
#include <test/test.h>

#define RIGHT_FIXTURE_OBJECTS 4

/* The label of the right to object @i. */
#define RIGHT_FIXTURE_LABEL(i) (UINT64_C(0x1234567890abcd00) + (i))

/* An object that counts what is done to it. */
struct right_object {
    struct kobject object;
    uint64_t label; /* of the right to it; constant */
    atomic_uint nr_closed;
    atomic_uint nr_bad; /* wrong labels */
    atomic_bool is_released;
    atomic_bool is_freed;
};

struct right_fixture {
    struct test *test;
    struct container *container;
    struct right_table *table; /* closed and destroyed with the test */
    struct right *rights[RIGHT_FIXTURE_OBJECTS];
    struct right_object objects[RIGHT_FIXTURE_OBJECTS];
};

/*
 * Make one.  With the test it is taken apart, and it is an error if anything
 * is left then: entries, charges, objects.
 */
struct right_fixture *right_fixture_create(struct test *t,
                                           enum right_policy policy);

/* A table in memory of its own, aligned as it must be. */
struct right_table *right_fixture_table_create(struct container *container,
                                               uint32_t base,
                                               enum right_policy policy);

/* Close and destroy one. */
void right_fixture_table_destroy(struct right_table *table);

/* Insert the right of object @i.  Returns: its name; RIGHT_NAME_NONE */
uint32_t right_fixture_insert(struct right_fixture *fixture, uint32_t i);

/* Which object's right a name finds.  Returns: UINT32_MAX, none */
uint32_t right_fixture_find(struct right_fixture *fixture, uint32_t name);

#endif /* TEST_IPC_RIGHT_FIXTURE_H */
