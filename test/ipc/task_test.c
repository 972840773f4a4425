/* SPDX-License-Identifier: MIT */
/*
 * Tasks and their threads: life, numbers, ends.  What programs see of them is
 * in the tests of calls.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/thread.h>
#include <ipc/task.h>
#include <ipc/uthread.h>
#include <lib/bitmap.h>
#include <test/ipc/task_fixture.h>
#include <test/test.h>

TEST(task, is_found_until_it_ends)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task_params params = { .name = "other",
                                  .container = fixture->container };
    struct portolan_task_end end;
    struct task *task, *found;

    ASSERT(task_create(&task, &params) == OK);
    found = task_find(task->pid);
    EXPECT(found == task);
    task_put(found);
    task_end(task, PORTOLAN_TASK_KILLED, 7);
    EXPECT(task_find(task->pid) == NULL);
    EXPECT_EQ(task_wait(task, &end, 0), OK);
    EXPECT_EQ(end.cause, PORTOLAN_TASK_KILLED);
    EXPECT_EQ(end.status, 7);
    task_put(task);
}

TEST(task, wait_has_a_deadline)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_task_end end;

    EXPECT_EQ(task_wait(fixture->task, &end, clock_now() + 1000000),
              ERR_TIMEOUT);
}

TEST(task, that_ends_gets_no_threads)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct uthread_params params = { .name = "late" };
    struct uthread *uthread;

    task_end(fixture->task, PORTOLAN_TASK_KILLED, 0);
    EXPECT_EQ(uthread_create(&uthread, fixture->task, &params), ERR_CLOSED);
    EXPECT(thread_is_ending());
    atomic_store(&thread_self()->user_work, 0);
}

TEST(task, limit_of_threads_is_the_containers)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct uthread_params params = { .name = "more" };
    struct uthread *uthread;

    container_set_limit(fixture->container, CONTAINER_THREADS, 1);
    EXPECT_EQ(uthread_create(&uthread, fixture->task, &params), ERR_NO_MEMORY);
}

TEST(task, priority_is_limited)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task_params params = { .name = "humble",
                                  .container = fixture->container,
                                  .max_priority = 10 };
    struct uthread_params urgent = { .name = "urgent",
                                     .policy = THREAD_RR,
                                     .priority = 11 };
    struct uthread *uthread;
    struct task *task;

    ASSERT(task_create(&task, &params) == OK);
    EXPECT_EQ(uthread_create(&uthread, task, &urgent), ERR_RANGE);
    urgent.priority = 10;
    EXPECT_EQ(uthread_create(&uthread, task, &urgent), OK);
    uthread_cancel(uthread);
    uthread_put(uthread);
    task_end(task, PORTOLAN_TASK_KILLED, 0);
    task_put(task);
}

/* The first program is task 1, whatever was before. */
TEST(task, only_who_asks_gets_number_1)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task_params params = { .name = "first",
                                  .pid = 1,
                                  .container = fixture->container };
    struct task *task, *other;

    EXPECT(fixture->task->pid > 1);
    ASSERT(task_create(&task, &params) == OK);
    EXPECT_EQ(task->pid, 1);
    EXPECT_EQ(task_create(&other, &params), ERR_RANGE);
    task_end(task, PORTOLAN_TASK_KILLED, 0);
    task_put(task);
}

/* One thread more could not begin, and the others have ended meanwhile. */
TEST(task, ends_when_the_last_thread_cannot_begin)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task_params params = { .name = "other",
                                  .container = fixture->container };
    struct uthread_params nowhere = { .name = "nowhere" };
    struct uthread *late, *first;
    struct portolan_task_end end;
    struct task *task;
    long status;

    ASSERT(task_create(&task, &params) == OK);
    ASSERT(uthread_create(&first, task, &nowhere) == OK);
    ASSERT(uthread_create(&late, task, &nowhere) == OK);
    EXPECT_EQ(uthread_suspend(first), OK);
    ASSERT(uthread_start(first) == OK);
    thread_request_end(first->thread);
    EXPECT_EQ(uthread_join(first, &status, CLOCK_NEVER), OK);
    EXPECT(task_is_alive(task));
    uthread_cancel(late);
    EXPECT_EQ(task_wait(task, &end, 0), OK);
    EXPECT_EQ(end.cause, PORTOLAN_TASK_EXITED);
    uthread_put(first);
    uthread_put(late);
    task_put(task);
}

/* A task that did not begin waits for another try. */
TEST(task, stays_when_its_first_thread_cannot_begin)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task_params params = { .name = "other",
                                  .container = fixture->container };
    struct uthread_params first = { .name = "first", .is_first = true };
    struct uthread *uthread, *other;
    struct task *task;

    ASSERT(task_create(&task, &params) == OK);
    for (int i = 0; i < 2; i++) {
        ASSERT(uthread_create(&uthread, task, &first) == OK);
        EXPECT_EQ(uthread_create(&other, task, &first), ERR_BUSY);
        uthread_cancel(uthread);
        uthread_put(uthread);
    }
    EXPECT(task_is_alive(task));
    task_end(task, PORTOLAN_TASK_KILLED, 0);
    task_put(task);
}

/* No CPU is in the mask; but the thread does not run yet. */
TEST(task, thread_that_does_not_run_needs_a_cpu)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct uthread_params params = { .name = "idle", .is_suspended = true };
    unsigned long *none =
        kzalloc(BITMAP_LONGS(cpu_nr_possible) * sizeof(*none));
    struct uthread *uthread;

    ASSERT(none != NULL);
    ASSERT(uthread_create(&uthread, fixture->task, &params) == OK);
    EXPECT_EQ(uthread_set_affinity(uthread, none), ERR_INVALID);
    EXPECT_EQ(uthread_start(uthread), OK);
    uthread_put(uthread);
    kfree(none);
    task_end(fixture->task, PORTOLAN_TASK_KILLED, 0);
    atomic_store(&thread_self()->user_work, 0);
}

/*
 * Without memory
 */

/* More allocations than anything here makes. */
#define TASK_SITES 100

/* Have a task with a thread. */
static status_t
task_try(struct task_fixture *fixture)
{
    struct task_params params = { .name = "other",
                                  .container = fixture->container };
    struct uthread_params how = { .name = "thread", .is_suspended = true };
    struct portolan_task_end end;
    struct uthread *uthread;
    struct task *task;
    status_t status;

    status = task_create(&task, &params);
    if (status != OK) {
        return status;
    }
    status = uthread_create(&uthread, task, &how);
    if (status == OK) {
        status = uthread_start(uthread);
        if (status != OK) {
            uthread_cancel(uthread);
        }
        uthread_put(uthread);
    }
    task_end(task, PORTOLAN_TASK_KILLED, 0);
    verify(task_wait(task, &end, CLOCK_NEVER) == OK);
    task_put(task);
    return status;
}

TEST(task, fails_at_each_allocation_and_leaves_nothing)
{
    struct task_fixture *fixture;
    struct fail fail;
    uint64_t at = 0;
    status_t status;

    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    fixture = task_fixture_create(t);
    do {
        fail_begin_at(&fail, at++);
        status = task_try(fixture);
        fail_end(&fail);
        EXPECT(status == OK || status == ERR_NO_MEMORY);
        EXPECT(status == OK || fail.nr_failed != 0);
    } while (fail.nr_failed != 0 && at < TASK_SITES);
    EXPECT_EQ(status, OK);
}

/* Makes tasks, and ends them. */
struct maker {
    struct task_params params;
    atomic_int last;
    atomic_bool is_over;
};

static void
maker_main(void *arg)
{
    struct maker *maker = arg;

    while (!atomic_load(&maker->is_over)) {
        struct task *task;

        verify(task_create(&task, &maker->params) == OK);
        atomic_store(&maker->last, task->pid);
        task_end(task, PORTOLAN_TASK_KILLED, 0);
        task_put(task);
    }
}

TEST(task, that_is_found_knows_its_number)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct maker maker = { .params = { .name = "made",
                                       .container = fixture->container },
                           .last = fixture->task->pid };
    struct thread *thread = thread_create("maker", maker_main, &maker, NULL);
    uint32_t failures = 0;

    ASSERT(thread != NULL);
    for (uint64_t i = 0; i < 5000 * t->iterations; i++) {
        int32_t pid = atomic_load(&maker.last) + 1;
        struct task *task = task_find(pid);

        if (task != NULL) {
            failures += task->pid != pid;
            task_put(task);
        }
        cpu_pause();
    }
    atomic_store(&maker.is_over, true);
    thread_join(thread);
    EXPECT_EQ(failures, 0);
}
