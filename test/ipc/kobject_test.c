/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects and rights to them.
 */
#include <kern/clock.h>
#include <kern/rcu.h>
#include <lib/string.h>
#include <test/ipc/right_fixture.h>

TEST(kobject, every_kind_has_a_name)
{
    for (unsigned int kind = 0; kind < KOBJECT_NR_KINDS; kind++) {
        EXPECT(strlen(kobject_kind_name(kind)) > 0);
    }
    EXPECT_STREQ(kobject_kind_name(KOBJECT_PORT), "port");
}

/* Who finds it under RCU may use it although its last reference is gone. */
TEST(kobject, found_under_rcu_is_there_until_the_end)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right_object *object = &fixture->objects[0];
    uint32_t name = right_fixture_insert(fixture, 0);
    struct right *right;

    rcu_read_lock();
    right = right_table_find(fixture->table, name);
    EXPECT(right == fixture->rights[0]);
    EXPECT_EQ(right_table_close(fixture->table, name), OK);
    EXPECT(!atomic_load(&object->is_freed));
    EXPECT_EQ(right->label, RIGHT_FIXTURE_LABEL(0));
    EXPECT(right->object == &object->object);
    EXPECT(kobject_try_get(right->object));
    rcu_read_unlock();
    kobject_put(&object->object);
}

TEST(kobject, right_keeps_its_object)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right_object *object = &fixture->objects[1];

    kobject_put(&object->object);
    EXPECT_EQ(kobject_sync(CLOCK_NEVER), OK);
    EXPECT(!atomic_load(&object->is_released));
    kobject_get(&object->object);
}

TEST(kobject, none_cannot_be_referenced)
{
    EXPECT(!kobject_try_get(&kobject_none));
    EXPECT(!right_try_get(&right_none));
    EXPECT_EQ(right_none.object->kind, KOBJECT_NONE);
}
