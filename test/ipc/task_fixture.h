/* SPDX-License-Identifier: MIT */
/*
 * For tests of system calls: this thread is that of a program, in a task and
 * a container of its own, and what is left in it.
 */
#ifndef TEST_IPC_TASK_FIXTURE_H
#define TEST_IPC_TASK_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/pmap.h>
#include <arch/user.h>
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <kern/thread.h>
#include <ipc/kobject.h>
#include <ipc/right_table.h>
#include <ipc/task.h>
#include <ipc/uthread.h>
#include <lib/assert.h>
#include <vm/object.h>
#include <vm/space.h>
#include <test/test.h>

struct task_fixture {
    struct test *t;
    struct container *container;
    struct task *task;
    struct uthread *uthread; /* of this thread */
    uintptr_t memory;        /* TASK_FIXTURE_MEMORY bytes of the program's */
};

#define TASK_FIXTURE_MEMORY (16 * PAGE_SIZE)

/* Nanoseconds that a test waits for what must happen. */
#define TASK_FIXTURE_PATIENCE UINT64_C(20000000000)

/* Be no program any more. */
static inline void
task_fixture_leave(struct task_fixture *fixture)
{
    space_use(NULL);
    thread_self()->uthread = NULL;
    fixture->uthread->thread = NULL;
    uthread_cancel(fixture->uthread);
    uthread_put(fixture->uthread);
}

/* Whether nothing is charged any more; works may have to run before. */
static inline bool
task_fixture_is_refunded(struct task_fixture *fixture, enum container_kind kind)
{
    uint64_t deadline = clock_now() + TASK_FIXTURE_PATIENCE;

    while (container_used(fixture->container, kind) != 0) {
        if (clock_now() > deadline) {
            return false;
        }
        test_pause();
    }
    return true;
}

/* The task goes, and everything that was charged for it. */
static inline void
task_fixture_end(void *arg)
{
    struct task_fixture *fixture = arg;
    struct test *t = fixture->t;

    task_fixture_leave(fixture);
    task_end(fixture->task, PORTOLAN_TASK_KILLED, 0);
    task_put(fixture->task);
    /* Objects refer to each other: each sync ends one level. */
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(kobject_sync(CLOCK_NEVER), OK);
        EXPECT_EQ(object_sync(CLOCK_NEVER), OK);
    }
    for (int kind = 0; kind < CONTAINER_NR_KINDS; kind++) {
        EXPECT(task_fixture_is_refunded(fixture, (enum container_kind)kind));
    }
    container_put(fixture->container);
    kfree(fixture);
}

/* Be the thread of a program, but for user mode: it has no stack for that. */
static inline void
task_fixture_enter(struct task_fixture *fixture)
{
    struct uthread_params params = { .name = "test" };

    verify(uthread_create(&fixture->uthread, fixture->task, &params) == OK);
    fixture->uthread->thread = thread_self();
    thread_self()->uthread = fixture->uthread;
    space_use(fixture->task->space);
}

static inline struct task_fixture *
task_fixture_create(struct test *t)
{
    struct task_fixture *fixture = kzalloc(sizeof(*fixture));
    struct task_params params = { .name = "test",
                                  .max_priority = THREAD_PRIORITY_MAX };
    struct space_mapping mapping = { .size = TASK_FIXTURE_MEMORY,
                                     .prot = PMAP_READ | PMAP_WRITE };

    verify(fixture != NULL);
    fixture->t = t;
    verify(container_create(&fixture->container, container_root, "test") == OK);
    params.container = fixture->container;
    verify(task_create(&fixture->task, &params) == OK);
    task_fixture_enter(fixture);
    test_cleanup(t, task_fixture_end, fixture);
    verify(space_map(fixture->task->space, &mapping, &fixture->memory) == OK);
    return fixture;
}

#endif /* TEST_IPC_TASK_FIXTURE_H */
