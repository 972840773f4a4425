/* SPDX-License-Identifier: MIT */
/*
 * For tests of calls that concern others: a second task, and the caller's
 * memory.
 */
#ifndef TEST_IPC_CALL_FIXTURE_H
#define TEST_IPC_CALL_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include <arch/user_copy.h>
#include <ipc/call_use.h>
#include <ipc/task.h>
#include <lib/assert.h>
#include <lib/macros.h>
#include <test/ipc/task_fixture.h>
#include <test/test.h>

static inline void
call_fixture_end_task(void *arg)
{
    struct task *task = arg;

    task_end(task, PORTOLAN_TASK_KILLED, 0);
    task_put(task);
}

/* A second task, without threads, which ends with the test. */
static inline struct task *
call_fixture_task(struct task_fixture *fixture, struct container *container)
{
    struct task_params params = { .name = "other", .container = container };
    struct task *task;

    verify(task_create(&task, &params) == OK);
    test_cleanup(fixture->t, call_fixture_end_task, task);
    return task;
}

/* The caller's right to an object. */
static inline uint32_t
call_fixture_right(struct kobject *object)
{
    long name = call_enter_object(object, 0, 0, 0);

    verify(name >= 0);
    return (uint32_t)name;
}

/* Where a text is in the caller's memory. */
static inline uintptr_t
call_fixture_text(struct task_fixture *fixture, const char *text, size_t size)
{
    uintptr_t at = fixture->memory + TASK_FIXTURE_MEMORY - PAGE_SIZE;

    verify(size <= PAGE_SIZE && user_copy_out(at, text, size) == 0);
    return at;
}

/* What is in the caller's memory; UINT64_MAX: it cannot be read. */
static inline uint64_t
call_fixture_read(uintptr_t va)
{
    uint64_t value;

    return user_read_u64(va, &value) == OK ? value : UINT64_MAX;
}

#endif /* TEST_IPC_CALL_FIXTURE_H */
