/* SPDX-License-Identifier: MIT */
/*
 * System calls of resource containers, as programs see them.
 */
#include <arch/user_copy.h>
#include <kern/fail.h>
#include <lib/string.h>
#include <ipc/calls.h>
#include <ipc/container_object.h>
#include <portolan/container.h>
#include <portolan/space.h>
#include <test/ipc/call_fixture.h>
#include <test/test.h>

/* More places than any call here has that allocate. */
#define SITES 50

static long
create(struct task_fixture *fixture, uint32_t parent)
{
    static const char name[] = "child";

    return call_container_create(parent,
                                 call_fixture_text(fixture, name, sizeof(name)),
                                 sizeof(name));
}

/* The container that a right is to; it stays as long as the right. */
static struct container *
container_of_right(long right)
{
    struct container *container;

    verify(right >= 0);
    verify(call_get_container((uint32_t)right, &container) == 0);
    container_put(container);
    return container;
}

static struct portolan_container_info
query(struct task_fixture *fixture, uint32_t right)
{
    struct portolan_container_info info;

    verify(call_container_query(right, fixture->memory) == 0);
    verify(user_copy_in(&info, fixture->memory, sizeof(info)) == 0);
    return info;
}

TEST(call_container, child_is_below_its_parent)
{
    struct task_fixture *fixture = task_fixture_create(t);
    long child = create(fixture, CALL_SELF);
    long grandchild = create(fixture, (uint32_t)child);
    struct container *first = container_of_right(child);
    struct container *second = container_of_right(grandchild);

    EXPECT(container_is_within(first, fixture->container));
    EXPECT(container_is_within(second, first));
    EXPECT_STREQ(container_name(second), "child");
}

TEST(call_container, create_needs_a_container_and_a_name)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t task = call_fixture_right(&fixture->task->object);

    EXPECT_EQ(create(fixture, task), CALL_EBADF);
    EXPECT_EQ(create(fixture, 99), CALL_EBADF);
    EXPECT_EQ(call_container_create(CALL_SELF, 0, 8), CALL_EFAULT);
    EXPECT_EQ(call_container_create(CALL_SELF, UINTPTR_MAX, SIZE_MAX),
              CALL_EFAULT);
    EXPECT_EQ(call_container_create(CALL_SELF, DIRECT_MAP_BASE, 8),
              CALL_EFAULT);
    EXPECT(call_container_create(CALL_SELF, 0, 0) >= 0);
}

TEST(call_container, tree_has_a_greatest_depth)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t parent = CALL_SELF;
    long right = 0;
    int depth = 1;

    while (right >= 0 && depth <= CONTAINER_DEPTH_MAX) {
        right = create(fixture, parent);
        if (right >= 0) {
            parent = (uint32_t)right;
            depth++;
        }
    }
    EXPECT_EQ(depth, CONTAINER_DEPTH_MAX);
    EXPECT_EQ(right, CALL_EINVAL);
}

TEST(call_container, child_is_charged_to_its_parent)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint64_t used = container_used(fixture->container, CONTAINER_OBJECTS);
    long right;

    container_set_limit(fixture->container, CONTAINER_OBJECTS, used + 64);
    EXPECT_EQ(create(fixture, CALL_SELF), CALL_ENOMEM);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_OBJECTS), used);
    container_set_limit(fixture->container, CONTAINER_OBJECTS,
                        CONTAINER_UNLIMITED);
    right = create(fixture, CALL_SELF);
    ASSERT(right >= 0);
    EXPECT(container_used(fixture->container, CONTAINER_OBJECTS) > used);
}

TEST(call_container, limits_are_set_and_told)
{
    struct task_fixture *fixture = task_fixture_create(t);
    long child = create(fixture, CALL_SELF);
    struct portolan_container_info info;

    ASSERT(child >= 0);
    for (uint32_t kind = 0; kind < PORTOLAN_NR_RESOURCES; kind++) {
        info = query(fixture, (uint32_t)child);
        EXPECT_EQ(info.limits[kind], PORTOLAN_UNLIMITED);
        EXPECT_EQ(call_container_limit((uint32_t)child, kind, 1000 + kind), 0);
    }
    info = query(fixture, (uint32_t)child);
    EXPECT_STREQ(info.name, "child");
    for (uint32_t kind = 0; kind < PORTOLAN_NR_RESOURCES; kind++) {
        EXPECT_EQ(info.used[kind], 0);
        EXPECT_EQ(info.limits[kind], 1000 + kind);
    }
    for (uint32_t kind = PORTOLAN_NR_RESOURCES; kind < PORTOLAN_RESOURCES_MAX;
         kind++) {
        EXPECT_EQ(info.used[kind], 0);
        EXPECT_EQ(info.limits[kind], 0);
    }
}

TEST(call_container, limit_of_an_unknown_kind_is_refused)
{
    struct task_fixture *fixture = task_fixture_create(t);
    long child = create(fixture, CALL_SELF);

    ASSERT(child >= 0);
    EXPECT_EQ(call_container_limit((uint32_t)child, PORTOLAN_NR_RESOURCES, 1),
              CALL_EINVAL);
    EXPECT_EQ(call_container_limit((uint32_t)child, UINT32_MAX, 1),
              CALL_EINVAL);
}

TEST(call_container, limit_and_query_need_a_container)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t task = call_fixture_right(&fixture->task->object);

    EXPECT_EQ(call_container_limit(task, 0, 1), CALL_EBADF);
    EXPECT_EQ(call_container_limit(99, 0, 1), CALL_EBADF);
    EXPECT_EQ(call_container_query(task, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_container_query(99, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_container_query(CALL_SELF, 0), CALL_EFAULT);
    EXPECT_EQ(call_container_query(CALL_SELF, DIRECT_MAP_BASE), CALL_EFAULT);
}

/* Not by a right that somebody gave it, nor one to a container above. */
TEST(call_container, task_cannot_change_its_own_limits)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct kobject *object, *below;

    EXPECT_EQ(call_container_limit(CALL_SELF, CONTAINER_PAGES, 1), CALL_EPERM);
    ASSERT(container_object_create(&object, fixture->container, "own") == OK);
    ASSERT(container_object_create(&below, container_of_object(object),
                                   "below") == OK);
    /* As if the task had been made in the lowest one. */
    fixture->task->container = container_of_object(below);
    container_get(container_of_object(below));
    EXPECT_EQ(call_container_limit(call_fixture_right(below), 0, 1),
              CALL_EPERM);
    EXPECT_EQ(call_container_limit(call_fixture_right(object), 0, 1),
              CALL_EPERM);
    EXPECT_EQ(container_limit(container_of_object(below), 0),
              CONTAINER_UNLIMITED);
    EXPECT_EQ(right_table_close(&fixture->task->rights, 0), OK);
    EXPECT_EQ(right_table_close(&fixture->task->rights, 1), OK);
    fixture->task->container = fixture->container;
    container_put(container_of_object(below));
    kobject_put(below);
    kobject_put(object);
}

TEST(call_container, own_container_can_be_asked)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_container_info info;

    EXPECT_EQ(user_write_u64(fixture->memory, 1), OK);
    info = query(fixture, CALL_SELF);
    EXPECT_STREQ(info.name, "test");
    EXPECT_EQ(info.used[PORTOLAN_RESOURCE_PAGES],
              container_used(fixture->container, CONTAINER_PAGES));
    EXPECT_EQ(info.used[PORTOLAN_RESOURCE_THREADS], 1);
    EXPECT(info.used[PORTOLAN_RESOURCE_OBJECTS] > 0);
}

/* What one container has no room for takes nothing from another. */
TEST(call_container, limit_holds_for_one_alone)
{
    struct task_fixture *fixture = task_fixture_create(t);
    const uint32_t flags = PORTOLAN_SPACE_READ | PORTOLAN_SPACE_WRITE |
                           PORTOLAN_SPACE_WIRED;
    long child = create(fixture, CALL_SELF);
    struct task *task;
    long space;

    task = call_fixture_task(fixture, container_of_right(child));
    space = call_task_space(call_fixture_right(&task->object), 0, 0);
    ASSERT(space >= 0);
    EXPECT_EQ(call_container_limit((uint32_t)child, PORTOLAN_RESOURCE_PAGES, 8),
              0);
    EXPECT_EQ(call_space_map((uint32_t)space, 0, 9 * PAGE_SIZE, flags,
                             CALL_SELF, 0),
              CALL_ENOMEM);
    EXPECT(call_space_map((uint32_t)space, 0, 8 * PAGE_SIZE, flags, CALL_SELF,
                          0) > 0);
    EXPECT(call_space_map(CALL_SELF, 0, 64 * PAGE_SIZE, flags, CALL_SELF, 0) >
           0);
    EXPECT_EQ(query(fixture, (uint32_t)child).used[PORTOLAN_RESOURCE_PAGES], 8);
}

TEST(call_container, each_failure_of_create_is_an_error)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct fail fail;
    uint64_t at = 0;
    long result;

    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    do {
        EXPECT_EQ(user_write_u64(
                      fixture->memory + TASK_FIXTURE_MEMORY - PAGE_SIZE, 0),
                  OK);
        fail_begin_at(&fail, at++);
        result = create(fixture, CALL_SELF);
        fail_end(&fail);
        EXPECT(result >= 0 || result == CALL_ENOMEM);
    } while (fail.nr_failed != 0 && at < SITES);
    EXPECT(result >= 0);
}
