/* SPDX-License-Identifier: MIT */
/*
 * Spaces of tasks as objects, while the tasks end.
 */
#include <kern/thread.h>
#include <ipc/space_object.h>
#include <test/ipc/call_fixture.h>
#include <test/test.h>

#define ROUNDS 10

/* Take a task's space, and map something there, as often as it lets us. */
static void
space_object_use(void *arg)
{
    struct space_mapping mapping = { .size = 4 * PAGE_SIZE,
                                     .prot = PMAP_READ | PMAP_WRITE,
                                     .flags = SPACE_MAP_WIRED };
    struct task *task = arg;
    struct kobject *object;

    while (space_object_get(task, &object) == OK) {
        uintptr_t va;

        if (space_map(space_of_object(object), &mapping, &va) == OK) {
            (void)space_unmap(space_of_object(object), va, PAGE_SIZE);
        }
        kobject_put(object);
    }
    task_put(task);
}

/* The sums are right afterwards: the fixture looks. */
TEST(space_object, torture_task_ends_while_its_space_is_taken)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task_params params = { .name = "short",
                                  .container = fixture->container };

    for (uint64_t i = 0; i < ROUNDS * t->iterations; i++) {
        struct thread *threads[2];
        struct task *task;

        ASSERT(task_create(&task, &params) == OK);
        for (size_t j = 0; j < ARRAY_SIZE(threads); j++) {
            task_get(task);
            threads[j] = thread_create("user", space_object_use, task, NULL);
            ASSERT(threads[j] != NULL);
        }
        thread_yield();
        task_end(task, PORTOLAN_TASK_KILLED, 0);
        for (size_t j = 0; j < ARRAY_SIZE(threads); j++) {
            thread_join(threads[j]);
        }
        task_put(task);
    }
}

TEST(space_object, keeps_an_empty_space)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *task = call_fixture_task(fixture, fixture->container);
    struct kobject *object;
    struct space_info info;

    ASSERT(space_object_get(task, &object) == OK);
    EXPECT_EQ(object->kind, KOBJECT_SPACE);
    task_end(task, PORTOLAN_TASK_KILLED, 0);
    EXPECT(!space_query(space_of_object(object), 0, &info));
    kobject_put(object);
    EXPECT_EQ(space_object_get(task, &object), ERR_CLOSED);
}

TEST(space_object, space_is_taken_from_the_living)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *task = call_fixture_task(fixture, fixture->container);
    struct vm_space *space;

    ASSERT(task_take_space(task, &space) == OK);
    EXPECT(space == task->space);
    space_put(space);
    task_end(task, PORTOLAN_TASK_KILLED, 0);
    EXPECT_EQ(task_take_space(task, &space), ERR_CLOSED);
}
