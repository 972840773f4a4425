/* SPDX-License-Identifier: MIT */
#include <kern/clock.h>
#include <kern/kmalloc.h>
#include <kern/page.h>
#include <kern/rcu.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <test/ipc/right_fixture.h>

static struct right_object *
right_object_of(struct kobject *object)
{
    return container_of(object, struct right_object, object);
}

static void
right_object_release(struct kobject *object)
{
    atomic_store(&right_object_of(object)->is_released, true);
    kobject_free(object);
}

static void
right_object_free(struct kobject *object)
{
    atomic_store(&right_object_of(object)->is_freed, true);
}

static void
right_object_close(struct kobject *object, uint64_t label)
{
    struct right_object *own = right_object_of(object);

    if (label != own->label) {
        atomic_fetch_add(&own->nr_bad, 1);
    }
    atomic_fetch_add(&own->nr_closed, 1);
}

static const struct kobject_ops right_object_ops = {
    .kind = KOBJECT_TEST,
    .release = right_object_release,
    .free = right_object_free,
    .close = right_object_close,
};

struct right_table *
right_fixture_table_create(struct container *container, uint32_t base,
                           enum right_policy policy)
{
    struct right_table *table;

    static_assert(sizeof(*table) <= PAGE_SIZE, "whole pages are aligned");
    table = kmalloc(PAGE_SIZE);
    verify(table != NULL);
    right_table_init(table, container, base, policy);
    return table;
}

void
right_fixture_table_destroy(struct right_table *table)
{
    right_table_close_all(table);
    right_table_destroy(table);
    rcu_synchronize();
    kfree(table);
}

/* All rights and objects die, and what they were charged is refunded. */
static void
right_fixture_settle(struct right_fixture *fixture)
{
    for (size_t i = 0; i < RIGHT_FIXTURE_OBJECTS; i++) {
        right_put(fixture->rights[i]);
        kobject_put(&fixture->objects[i].object);
    }
    /* Rights are noticed to be dead, then their objects. */
    verify(kobject_sync(CLOCK_NEVER) == OK);
    verify(kobject_sync(CLOCK_NEVER) == OK);
}

static void
right_fixture_destroy(void *arg)
{
    struct right_fixture *fixture = arg;
    struct test *t = fixture->test;

    right_fixture_table_destroy(fixture->table);
    right_fixture_settle(fixture);
    for (size_t i = 0; i < RIGHT_FIXTURE_OBJECTS; i++) {
        struct right_object *object = &fixture->objects[i];

        EXPECT(atomic_load(&object->is_freed));
        EXPECT_EQ(atomic_load(&object->nr_bad), 0);
    }
    for (unsigned int kind = 0; kind < CONTAINER_NR_KINDS; kind++) {
        EXPECT_EQ(container_used(fixture->container, kind), 0);
    }
    container_put(fixture->container);
    kfree(fixture);
}

struct right_fixture *
right_fixture_create(struct test *t, enum right_policy policy)
{
    struct right_fixture *fixture;

    fixture = kzalloc(sizeof(*fixture));
    verify(fixture != NULL);
    fixture->test = t;
    verify(container_create(&fixture->container, container_root, "rights") ==
           OK);
    fixture->table = right_fixture_table_create(fixture->container, 0, policy);
    for (size_t i = 0; i < RIGHT_FIXTURE_OBJECTS; i++) {
        struct right_object *object = &fixture->objects[i];

        object->label = RIGHT_FIXTURE_LABEL(i);
        kobject_init(&object->object, &right_object_ops, "test object");
        verify(right_create(&fixture->rights[i], &object->object, object->label,
                            fixture->container) == OK);
    }
    test_cleanup(t, right_fixture_destroy, fixture);
    return fixture;
}

uint32_t
right_fixture_insert(struct right_fixture *fixture, uint32_t i)
{
    uint32_t name = RIGHT_NAME_NONE;
    status_t status;

    status =
        right_table_insert(fixture->table, fixture->rights[i], 0, 0, &name);
    return status == OK ? name : RIGHT_NAME_NONE;
}

uint32_t
right_fixture_find(struct right_fixture *fixture, uint32_t name)
{
    uint32_t i, found = UINT32_MAX;
    struct right *right;

    rcu_read_lock();
    right = right_table_find(fixture->table, name);
    for (i = 0; i < RIGHT_FIXTURE_OBJECTS; i++) {
        if (right == fixture->rights[i]) {
            found = i;
        }
    }
    rcu_read_unlock();
    return found;
}
