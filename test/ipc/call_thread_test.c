/* SPDX-License-Identifier: MIT */
/*
 * System calls of threads, as programs see them; the threads are real ones, in
 * user mode.
 */
#include <arch/layout.h>
#include <arch/user_copy.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <lib/bitmap.h>
#include <lib/string.h>
#include <ipc/calls.h>
#include <portolan/task.h>
#include <test/ipc/peer.h>
#include <test/ipc/program.h>
#include <test/test.h>

/* More places than thread_create() has that allocate. */
#define SITES 60

/* Where the caller's memory has a status, a word, a mask. */
#define STATUS(fixture) ((fixture)->memory + PAGE_SIZE)
#define WORD(fixture)   ((fixture)->memory + 2 * PAGE_SIZE)
#define MASK(fixture)   ((fixture)->memory + 3 * PAGE_SIZE)

/* Bytes of a mask that has all CPUs that a test can have. */
#define MASK_SIZE 512

/* The fixture, with the code in its task. */
static struct task_fixture *
fixture_create(struct test *t)
{
    struct task_fixture *fixture = task_fixture_create(t);

    program_load(fixture->task);
    return fixture;
}

/* Create a thread of the caller's task that executes a program. */
static int32_t
create(struct task_fixture *fixture, const char *code, uintptr_t a, uintptr_t b,
       uint32_t flags)
{
    struct portolan_thread_params params = program_params(code, a, b, 0);
    long tid;

    params.flags = flags;
    tid = program_create(fixture->memory, &params);
    verify(tid > 0);
    return (int32_t)tid;
}

static long
join(struct task_fixture *fixture, int32_t tid, uint64_t *status)
{
    long error = call_thread_join(tid, STATUS(fixture),
                                  clock_now() + TASK_FIXTURE_PATIENCE);

    *status = call_fixture_read(STATUS(fixture));
    return error;
}

static struct portolan_thread_info
info_of(struct task_fixture *fixture, uint32_t target, int32_t tid)
{
    struct portolan_thread_info info;

    verify(call_thread_info(target, tid, fixture->memory) == 0);
    verify(user_copy_in(&info, fixture->memory, sizeof(info)) == 0);
    return info;
}

static uint32_t
word_at(uintptr_t va)
{
    return (uint32_t)call_fixture_read(va);
}

/*
 * Creation
 */

TEST(call_thread, ends_with_its_status)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid = create(fixture, program_exit, (uintptr_t)-77L, 0, 0);
    uint64_t status;

    EXPECT_EQ(join(fixture, tid, &status), 0);
    EXPECT_EQ(status, -77L);
    EXPECT_EQ(join(fixture, tid, &status), CALL_ESRCH);
}

/* It finds its number where the kernel was told to write it. */
TEST(call_thread, tid_is_written_before_it_runs)
{
    struct task_fixture *fixture = fixture_create(t);
    struct portolan_thread_params params =
        program_params(program_tid, WORD(fixture), 0, 0);
    uint64_t status;

    params.tid = WORD(fixture);
    for (int i = 0; i < 20; i++) {
        long tid = program_create(fixture->memory, &params);

        ASSERT(tid > 0);
        EXPECT_EQ(join(fixture, (int32_t)tid, &status), 0);
        EXPECT_EQ(status, tid);
    }
}

TEST(call_thread, tls_is_what_was_said)
{
    struct task_fixture *fixture = fixture_create(t);
    struct portolan_thread_params params = program_params(program_tls, 0, 0, 0);
    uint64_t status;
    long tid;

    verify(user_write_u64(PROGRAM_DATA + 8, 1234) == OK);
    params.tls = PROGRAM_DATA + 8;
    tid = program_create(fixture->memory, &params);
    EXPECT_EQ(join(fixture, (int32_t)tid, &status), 0);
    EXPECT_EQ(status, 1234);
}

TEST(call_thread, create_refuses)
{
    struct task_fixture *fixture = fixture_create(t);
    const struct portolan_thread_params good =
        program_params(program_spin, PROGRAM_DATA, 0, 0);
    struct portolan_thread_params params = good;
    uintptr_t at = fixture->memory;

    EXPECT_EQ(call_thread_create(0), CALL_EFAULT);
    EXPECT_EQ(call_thread_create(DIRECT_MAP_BASE), CALL_EFAULT);
    params.flags = 4;
    EXPECT_EQ(program_create(at, &params), CALL_EINVAL);
    params = good;
    params.policy = 3;
    EXPECT_EQ(program_create(at, &params), CALL_EINVAL);
    params.policy = PORTOLAN_SCHED_RR;
    params.priority = 0;
    EXPECT_EQ(program_create(at, &params), CALL_EINVAL);
    params.priority = THREAD_PRIORITY_MAX + 1;
    EXPECT_EQ(program_create(at, &params), CALL_EINVAL);
    params = good;
    params.tls = USER_END;
    EXPECT_EQ(program_create(at, &params), CALL_EINVAL);
    params = good;
    params.name_size = 4;
    params.name = 8;
    EXPECT_EQ(program_create(at, &params), CALL_EFAULT);
    params = good;
    params.affinity = 8;
    params.affinity_size = 8;
    EXPECT_EQ(program_create(at, &params), CALL_EFAULT);
    params = good;
    params.affinity = MASK(fixture);
    params.affinity_size = 8;
    EXPECT_EQ(program_create(at, &params), CALL_EINVAL);
    params = good;
    params.tid = 8;
    EXPECT_EQ(program_create(at, &params), CALL_EFAULT);
    EXPECT_EQ(fixture->task->nr_threads, 1);
    EXPECT_EQ(word_at(PROGRAM_DATA), 0);
}

TEST(call_thread, create_is_limited_by_the_container)
{
    struct task_fixture *fixture = fixture_create(t);
    struct portolan_thread_params params =
        program_params(program_spin, 0, 0, 0);

    container_set_limit(fixture->container, CONTAINER_THREADS, 1);
    EXPECT_EQ(program_create(fixture->memory, &params), CALL_ENOMEM);
    container_set_limit(fixture->container, CONTAINER_THREADS,
                        CONTAINER_UNLIMITED);
}

TEST(call_thread, create_without_memory_leaves_nothing)
{
    struct task_fixture *fixture = fixture_create(t);
    struct portolan_thread_params params =
        program_params(program_exit, 1, 0, 0);
    uint64_t mask = 1, status, i = 0;
    struct fail fail;

    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    verify(user_copy_out(MASK(fixture), &mask, sizeof(mask)) == 0);
    params.affinity = MASK(fixture);
    params.affinity_size = sizeof(mask);
    do {
        long tid;

        verify(user_copy_out(fixture->memory, &params, sizeof(params)) == 0);
        fail_begin_at(&fail, i++);
        tid = call_thread_create(fixture->memory);
        fail_end(&fail);
        EXPECT(tid > 0 || (tid == CALL_ENOMEM && fail.nr_failed != 0));
        if (tid > 0) {
            EXPECT_EQ(join(fixture, (int32_t)tid, &status), 0);
        }
        EXPECT_EQ(fixture->task->nr_threads, 1);
        EXPECT(uthread_find(fixture->task, 2) == NULL);
    } while (fail.nr_failed != 0 && i < SITES);
    EXPECT(i < SITES);
}

TEST(call_thread, create_in_a_task_that_ends_is_refused)
{
    struct task_fixture *fixture = fixture_create(t);
    struct portolan_thread_params params =
        program_params(program_spin, 0, 0, 0);

    task_end(fixture->task, PORTOLAN_TASK_KILLED, 0);
    EXPECT_EQ(program_create(fixture->memory, &params), CALL_ESRCH);
    atomic_store(&thread_self()->user_work, 0);
}

/*
 * End
 */

TEST(call_thread, exit_clears_a_word_and_unmaps)
{
    struct task_fixture *fixture = fixture_create(t);
    struct portolan_thread_params params =
        program_params(program_exit_unmap, 5, WORD(fixture),
                       PROGRAM_DATA + PAGE_SIZE);
    uint64_t status;
    long tid;

    params.sp = PROGRAM_DATA + 2 * PAGE_SIZE;
    verify(user_write_u64(WORD(fixture), UINT64_MAX) == OK);
    verify(user_write_u64(PROGRAM_DATA + PAGE_SIZE, 1) == OK);
    tid = program_create(fixture->memory, &params);
    EXPECT_EQ(join(fixture, (int32_t)tid, &status), 0);
    EXPECT_EQ(status, 5);
    EXPECT_EQ(call_fixture_read(WORD(fixture)), UINT64_C(0xffffffff00000000));
    EXPECT_EQ(call_fixture_read(PROGRAM_DATA + PAGE_SIZE), UINT64_MAX);
    EXPECT_EQ(call_fixture_read(PROGRAM_DATA), 0);
}

TEST(call_thread, exit_wakes_who_waits_at_the_word)
{
    struct task_fixture *fixture = fixture_create(t);
    uint64_t deadline = clock_now() + TASK_FIXTURE_PATIENCE, status;
    long woken = 0;
    int32_t tid;

    verify(user_write_u64(WORD(fixture), 9) == OK);
    tid = create(fixture, program_exit, 0, WORD(fixture),
                 PORTOLAN_THREAD_SUSPENDED);
    EXPECT_EQ(call_thread_resume(CALL_SELF, tid), 0);
    /* It may have been cleared before; then nobody waits. */
    while (woken == 0 && word_at(WORD(fixture)) == 9) {
        woken = call_futex_wait(WORD(fixture), 9, deadline);
    }
    EXPECT(woken == 0 || woken == CALL_EAGAIN);
    EXPECT_EQ(word_at(WORD(fixture)), 0);
    EXPECT_EQ(join(fixture, tid, &status), 0);
}

/* Nonsense in a call that cannot fail hurts nobody. */
TEST(call_thread, exit_takes_any_arguments)
{
    struct task_fixture *fixture = fixture_create(t);
    static const uintptr_t words[] = { 1, 8, DIRECT_MAP_BASE, UINTPTR_MAX - 3 };
    uint64_t status;

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        struct portolan_thread_params params =
            program_params(program_exit_unmap, i, words[i], words[i]);
        long tid = program_create(fixture->memory, &params);

        EXPECT_EQ(join(fixture, (int32_t)tid, &status), 0);
        EXPECT_EQ(status, i);
    }
}

TEST(call_thread, join_refuses)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t spinner = create(fixture, program_spin, PROGRAM_DATA, 0,
                             PORTOLAN_THREAD_DETACHED);
    int32_t sleeper = create(fixture, program_sleep, PROGRAM_DATA + 8, 0, 0);
    uint64_t now = clock_now();

    EXPECT_EQ(call_thread_join(0, 0, CLOCK_NEVER), CALL_ESRCH);
    EXPECT_EQ(call_thread_join(-1, 0, CLOCK_NEVER), CALL_ESRCH);
    EXPECT_EQ(call_thread_join(INT32_MAX, 0, CLOCK_NEVER), CALL_ESRCH);
    EXPECT_EQ(call_thread_join(call_thread_self(), 0, CLOCK_NEVER),
              CALL_EDEADLK);
    EXPECT_EQ(call_thread_join(spinner, 0, CLOCK_NEVER), CALL_EINVAL);
    EXPECT_EQ(call_thread_join(sleeper, 0, 0), CALL_ETIMEDOUT);
    EXPECT_EQ(call_thread_join(sleeper, 0, now + 1000000), CALL_ETIMEDOUT);
    thread_request_end(thread_self());
    EXPECT_EQ(call_thread_join(sleeper, 0, CLOCK_NEVER), CALL_EINTR);
    atomic_store(&thread_self()->user_work, 0);
}

/* Who cannot be told may ask again. */
TEST(call_thread, join_without_a_place_for_the_status_changes_nothing)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid = create(fixture, program_exit, 3, 0, 0);
    uint64_t status;

    EXPECT_EQ(call_thread_join(tid, 8, CLOCK_NEVER), CALL_EFAULT);
    EXPECT_EQ(call_thread_join(tid, DIRECT_MAP_BASE, CLOCK_NEVER), CALL_EFAULT);
    EXPECT_EQ(join(fixture, tid, &status), 0);
    EXPECT_EQ(status, 3);
}

/* Joins a thread of its task. */
static long
joiner_main(struct peer *self)
{
    return call_thread_join(*(int32_t *)self->arg, 0, CLOCK_NEVER);
}

TEST(call_thread, join_is_by_one)
{
    struct peer_task *of = peer_task_create(t);
    struct uthread_params params = { .name = "joined" };
    struct peer joiner = { .of = of, .fn = joiner_main };
    struct uthread *joined;
    int32_t tid;
    long status;

    ASSERT(uthread_create(&joined, of->task, &params) == OK);
    tid = joined->tid;
    joiner.arg = &tid;
    peer_start(&joiner, NULL);
    ASSERT(PROGRAM_WAIT(READ_ONCE(joined->is_joined)));
    EXPECT_EQ(uthread_join(joined, &status, 0), ERR_INVALID);
    /* The end of the joiner gives the thread free for others. */
    thread_request_end(joiner.thread);
    EXPECT_EQ(peer_join(&joiner), CALL_EINTR);
    EXPECT_EQ(uthread_join(joined, &status, 0), ERR_TIMEOUT);
    uthread_cancel(joined);
    uthread_put(joined);
}

TEST(call_thread, detached_threads_leave_nothing)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid = create(fixture, program_exit, 0, 0, PORTOLAN_THREAD_DETACHED);

    EXPECT(PROGRAM_WAIT(call_thread_info(CALL_SELF, tid, fixture->memory) ==
                        CALL_ESRCH));
    EXPECT_EQ(call_thread_join(tid, 0, 0), CALL_ESRCH);
}

/*
 * Suspension
 */

TEST(call_thread, suspended_thread_waits_for_resume)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid = create(fixture, program_spin, PROGRAM_DATA, 0,
                         PORTOLAN_THREAD_SUSPENDED);

    ASSERT(PROGRAM_WAIT(info_of(fixture, CALL_SELF, tid).state ==
                        PORTOLAN_THREAD_STOPPED));
    EXPECT_EQ(info_of(fixture, CALL_SELF, tid).nr_suspended, 1);
    EXPECT_EQ(word_at(PROGRAM_DATA), 0);
    EXPECT_EQ(call_thread_resume(CALL_SELF, tid), 0);
    EXPECT(PROGRAM_WAIT(word_at(PROGRAM_DATA) == 1));
    EXPECT_EQ(call_thread_resume(CALL_SELF, tid), CALL_EINVAL);
}

TEST(call_thread, spinning_thread_is_suspended)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid = create(fixture, program_count, PROGRAM_DATA, 0, 0);
    uint32_t before;

    ASSERT(PROGRAM_WAIT(word_at(PROGRAM_DATA) != 0));
    EXPECT_EQ(call_thread_suspend(CALL_SELF, tid), 0);
    EXPECT_EQ(call_thread_suspend(CALL_SELF, tid), 0);
    ASSERT(PROGRAM_WAIT(info_of(fixture, CALL_SELF, tid).state ==
                        PORTOLAN_THREAD_STOPPED));
    before = word_at(PROGRAM_DATA);
    EXPECT_EQ(call_thread_resume(CALL_SELF, tid), 0);
    thread_sleep(2000000);
    EXPECT_EQ(word_at(PROGRAM_DATA), before);
    EXPECT_EQ(call_thread_resume(CALL_SELF, tid), 0);
    EXPECT(PROGRAM_WAIT(word_at(PROGRAM_DATA) != before));
}

TEST(call_thread, suspensions_do_not_wrap)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid = create(fixture, program_spin, PROGRAM_DATA, 0,
                         PORTOLAN_THREAD_SUSPENDED);
    struct uthread *uthread = uthread_find(fixture->task, tid);

    ASSERT(uthread != NULL);
    WRITE_ONCE(uthread->nr_suspended, UINT32_MAX);
    EXPECT_EQ(call_thread_suspend(CALL_SELF, tid), CALL_EOVERFLOW);
    EXPECT_EQ(uthread->nr_suspended, UINT32_MAX);
    uthread_put(uthread);
}

TEST(call_thread, suspend_refuses)
{
    struct task_fixture *fixture = fixture_create(t);

    EXPECT_EQ(call_thread_suspend(CALL_SELF, 99), CALL_ESRCH);
    EXPECT_EQ(call_thread_suspend(99, 0), CALL_EBADF);
    EXPECT_EQ(call_thread_resume(CALL_SELF, 99), CALL_ESRCH);
    EXPECT_EQ(call_thread_resume(99, 0), CALL_EBADF);
    EXPECT_EQ(call_thread_resume(CALL_SELF, 0), CALL_EINVAL);
    EXPECT_EQ(fixture->uthread->nr_suspended, 0);
}

/*
 * Which thread is meant
 */

TEST(call_thread, thread_is_meant_by_number_or_right)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid = create(fixture, program_sleep, PROGRAM_DATA, 0, 0);
    uint32_t task = call_fixture_right(&fixture->task->object);
    long right = call_thread_open(task, tid, 0, 0);

    ASSERT(right >= 0);
    EXPECT_EQ(info_of(fixture, (uint32_t)right, 0).tid, tid);
    EXPECT_EQ(info_of(fixture, task, tid).tid, tid);
    EXPECT_EQ(info_of(fixture, task, 0).tid, call_thread_self());
    EXPECT_EQ(info_of(fixture, CALL_SELF, 0).tid, call_thread_self());
    /* A right to a thread has no threads. */
    EXPECT_EQ(call_thread_info((uint32_t)right, tid, fixture->memory),
              CALL_EBADF);
    EXPECT_EQ(call_thread_info(CALL_SELF, -1, fixture->memory), CALL_ESRCH);
}

TEST(call_thread, thread_of_another_task_has_no_number_0)
{
    struct task_fixture *fixture = fixture_create(t);
    struct task *other = call_fixture_task(fixture, fixture->container);
    uint32_t task = call_fixture_right(&other->object);

    EXPECT_EQ(call_thread_info(task, 0, fixture->memory), CALL_ESRCH);
    EXPECT_EQ(call_thread_info(task, 1, fixture->memory), CALL_ESRCH);
    EXPECT_EQ(call_thread_open(task, 0, 0, 0), CALL_ESRCH);
}

TEST(call_thread, open_refuses)
{
    struct task_fixture *fixture = fixture_create(t);

    EXPECT_EQ(call_thread_open(99, 0, 0, 0), CALL_EBADF);
    EXPECT_EQ(call_thread_open(CALL_SELF, 99, 0, 0), CALL_ESRCH);
    EXPECT_EQ(call_thread_open(CALL_SELF, 0, 0, 2), CALL_EINVAL);
    EXPECT_EQ(call_thread_open(CALL_SELF, 0, 1 << 20, 0), CALL_EMFILE);
    EXPECT_EQ(call_thread_open(CALL_SELF, 0, 4, 0), 4);
    EXPECT_EQ(call_thread_self(), fixture->uthread->tid);
}

/* A right to a thread stays when it has ended, and is joined. */
TEST(call_thread, right_outlives_the_thread)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid =
        create(fixture, program_exit, 0, 0, PORTOLAN_THREAD_SUSPENDED);
    long right = call_thread_open(CALL_SELF, tid, 0, 0);
    uint64_t status;

    ASSERT(right >= 0);
    EXPECT_EQ(call_thread_resume((uint32_t)right, 0), 0);
    EXPECT_EQ(join(fixture, tid, &status), 0);
    EXPECT_EQ(info_of(fixture, (uint32_t)right, 0).state, PORTOLAN_THREAD_DEAD);
    EXPECT_EQ(call_thread_suspend((uint32_t)right, 0), 0);
    EXPECT_EQ(call_thread_set_sched((uint32_t)right, 0, PORTOLAN_SCHED_RR, 3),
              0);
}

/*
 * What is told and changed
 */

TEST(call_thread, name_is_set_and_inherited)
{
    struct task_fixture *fixture = fixture_create(t);
    static const char text[] = "na\x01me";
    uintptr_t at = call_fixture_text(fixture, text, sizeof(text));
    int32_t tid;

    EXPECT_EQ(call_thread_set_name(CALL_SELF, 0, at, sizeof(text)), 0);
    EXPECT_STREQ(info_of(fixture, CALL_SELF, 0).name, "na?me");
    tid = create(fixture, program_sleep, PROGRAM_DATA, 0, 0);
    EXPECT_STREQ(info_of(fixture, CALL_SELF, tid).name, "na?me");
    EXPECT_EQ(call_thread_set_name(CALL_SELF, 99, at, 2), CALL_ESRCH);
    EXPECT_EQ(call_thread_set_name(99, 0, at, 2), CALL_EBADF);
    EXPECT_EQ(call_thread_set_name(CALL_SELF, 0, 0, 2), CALL_EFAULT);
}

TEST(call_thread, info_refuses)
{
    struct task_fixture *fixture = fixture_create(t);

    EXPECT_EQ(call_thread_info(CALL_SELF, 99, fixture->memory), CALL_ESRCH);
    EXPECT_EQ(call_thread_info(99, 0, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_thread_info(CALL_SELF, 0, 0), CALL_EFAULT);
}

TEST(call_thread, policy_is_set)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid = create(fixture, program_sleep, PROGRAM_DATA, 0, 0);
    struct portolan_thread_info info;

    EXPECT_EQ(call_thread_set_sched(CALL_SELF, tid, PORTOLAN_SCHED_RR, 7), 0);
    info = info_of(fixture, CALL_SELF, tid);
    EXPECT(info.policy == PORTOLAN_SCHED_RR && info.priority == 7);
    EXPECT_EQ(info.now_priority, 7);
    /* The same policy, of the thread that is meant. */
    EXPECT_EQ(call_thread_set_sched(CALL_SELF, tid, PORTOLAN_SCHED_SAME, 9), 0);
    info = info_of(fixture, CALL_SELF, tid);
    EXPECT(info.policy == PORTOLAN_SCHED_RR && info.priority == 9);
    EXPECT_EQ(call_thread_set_sched(CALL_SELF, tid, PORTOLAN_SCHED_FAIR, 0), 0);
    EXPECT_EQ(call_thread_set_sched(CALL_SELF, tid, PORTOLAN_SCHED_SAME, 9), 0);
    info = info_of(fixture, CALL_SELF, tid);
    EXPECT(info.policy == PORTOLAN_SCHED_FAIR && info.priority == 0);
}

TEST(call_thread, policy_is_refused)
{
    struct task_fixture *fixture = fixture_create(t);

    EXPECT_EQ(call_thread_set_sched(CALL_SELF, 0, 3, 1), CALL_EINVAL);
    EXPECT_EQ(call_thread_set_sched(CALL_SELF, 0, -2, 1), CALL_EINVAL);
    EXPECT_EQ(call_thread_set_sched(CALL_SELF, 0, PORTOLAN_SCHED_RR, 0),
              CALL_EINVAL);
    EXPECT_EQ(call_thread_set_sched(CALL_SELF, 0, PORTOLAN_SCHED_FIFO, 255),
              CALL_EINVAL);
    EXPECT_EQ(call_thread_set_sched(CALL_SELF, 99, PORTOLAN_SCHED_FAIR, 0),
              CALL_ESRCH);
    EXPECT_EQ(call_thread_set_sched(99, 0, PORTOLAN_SCHED_FAIR, 0), CALL_EBADF);
    EXPECT_EQ(fixture->uthread->policy, THREAD_FAIR);
}

/* A task whose threads may have priorities up to 10. */
static uint32_t
humble_task(struct task_fixture *fixture)
{
    struct portolan_task_params params = { .name = "humble",
                                           .container = PORTOLAN_SELF,
                                           .max_priority = 10 };
    struct task *task;
    long right;

    verify(user_copy_out(fixture->memory, &params, sizeof(params)) == 0);
    right = call_task_create(fixture->memory);
    verify(right >= 0 && call_get_task((uint32_t)right, &task) == 0);
    program_load(task);
    task_put(task);
    return (uint32_t)right;
}

TEST(call_thread, priority_is_limited_by_the_task)
{
    struct task_fixture *fixture = fixture_create(t);
    uint32_t task = humble_task(fixture);
    struct portolan_thread_params params =
        program_params(program_sleep, PROGRAM_DATA, 0, 0);

    params.policy = PORTOLAN_SCHED_RR;
    params.priority = 11;
    EXPECT_EQ(program_start(task, fixture->memory, &params), CALL_EPERM);
    params.priority = 10;
    EXPECT_EQ(program_start(task, fixture->memory, &params), 1);
    EXPECT_EQ(call_thread_set_sched(task, 1, PORTOLAN_SCHED_RR, 11),
              CALL_EPERM);
    EXPECT_EQ(call_thread_set_sched(task, 1, PORTOLAN_SCHED_SAME, 11),
              CALL_EPERM);
    EXPECT_EQ(info_of(fixture, task, 1).priority, 10);
    EXPECT_EQ(call_task_kill(task, 0), 0);
}

/* Who is more urgent than a task may be starts it as urgent as it may be. */
TEST(call_thread, priority_of_the_creator_is_cut)
{
    struct task_fixture *fixture = fixture_create(t);
    uint32_t task = humble_task(fixture);
    struct portolan_thread_params params =
        program_params(program_sleep, PROGRAM_DATA, 0, 0);

    EXPECT_EQ(call_thread_set_sched(CALL_SELF, 0, PORTOLAN_SCHED_FIFO, 50), 0);
    EXPECT_EQ(program_start(task, fixture->memory, &params), 1);
    EXPECT_EQ(call_thread_set_sched(CALL_SELF, 0, PORTOLAN_SCHED_FAIR, 0), 0);
    EXPECT_EQ(info_of(fixture, task, 1).policy, PORTOLAN_SCHED_FIFO);
    EXPECT_EQ(info_of(fixture, task, 1).priority, 10);
    EXPECT_EQ(call_task_kill(task, 0), 0);
}

/* Write a mask with one CPU, and all bits that are of none. */
static void
write_mask(struct task_fixture *fixture, uint32_t cpu)
{
    unsigned long mask[MASK_SIZE / sizeof(unsigned long)];

    memset(mask, 0xff, sizeof(mask));
    for (uint32_t i = 0; i < cpu_nr_possible; i++) {
        bitmap_clear(mask, i);
    }
    bitmap_set(mask, cpu);
    verify(user_copy_out(MASK(fixture), mask, sizeof(mask)) == 0);
}

/*
 * The CPUs in a thread's mask: how many.
 *
 * @lastp  receives the one with the highest number; may be NULL
 */
static uint32_t
cpus_of(struct task_fixture *fixture, int32_t tid, uint32_t *lastp)
{
    unsigned long mask[MASK_SIZE / sizeof(unsigned long)];
    long bytes =
        call_thread_get_affinity(CALL_SELF, tid, MASK(fixture), MASK_SIZE);
    uint32_t nr = 0;

    verify(bytes > 0);
    verify(user_copy_in(mask, MASK(fixture), (size_t)bytes) == 0);
    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        if (bitmap_test(mask, cpu)) {
            nr++;
            if (lastp != NULL) {
                *lastp = cpu;
            }
        }
    }
    return nr;
}

/* Whether a thread's mask has one CPU only. */
static bool
has_only(struct task_fixture *fixture, int32_t tid, uint32_t cpu)
{
    uint32_t last = UINT32_MAX;

    return cpus_of(fixture, tid, &last) == 1 && last == cpu;
}

TEST(call_thread, affinity_is_of_any_size)
{
    struct task_fixture *fixture = fixture_create(t);
    int32_t tid = create(fixture, program_sleep, PROGRAM_DATA, 0, 0);
    uint32_t cpu = cpu_nr_possible - 1;
    size_t least = cpu / 8 + 1;

    for (size_t bytes = least; bytes <= MASK_SIZE; bytes++) {
        write_mask(fixture, cpu);
        EXPECT_EQ(
            call_thread_set_affinity(CALL_SELF, tid, MASK(fixture), bytes), 0);
        EXPECT(has_only(fixture, tid, cpu));
    }
    /* Bytes behind those of all CPUs are not looked at. */
    write_mask(fixture, 0);
    EXPECT_EQ(call_thread_set_affinity(CALL_SELF, tid, MASK(fixture), SIZE_MAX),
              0);
    EXPECT(has_only(fixture, tid, 0));
}

TEST(call_thread, affinity_refuses)
{
    struct task_fixture *fixture = fixture_create(t);
    uintptr_t at = MASK(fixture);
    static const uint64_t none;
    uint32_t all = cpus_of(fixture, 0, NULL);

    write_mask(fixture, 0);
    EXPECT_EQ(call_thread_set_affinity(CALL_SELF, 0, at, 0), CALL_EINVAL);
    EXPECT_EQ(call_thread_set_affinity(CALL_SELF, 0, 0, 8), CALL_EFAULT);
    EXPECT_EQ(call_thread_set_affinity(CALL_SELF, 0, DIRECT_MAP_BASE, 8),
              CALL_EFAULT);
    EXPECT_EQ(call_thread_set_affinity(CALL_SELF, 99, at, 8), CALL_ESRCH);
    EXPECT_EQ(call_thread_set_affinity(99, 0, at, 8), CALL_EBADF);
    verify(user_copy_out(at, &none, sizeof(none)) == 0);
    EXPECT_EQ(call_thread_set_affinity(CALL_SELF, 0, at, 8), CALL_EINVAL);
    EXPECT_EQ(call_thread_get_affinity(CALL_SELF, 0, at, 0), CALL_EINVAL);
    EXPECT_EQ(call_thread_get_affinity(CALL_SELF, 0, 0, MASK_SIZE),
              CALL_EFAULT);
    EXPECT_EQ(call_thread_get_affinity(CALL_SELF, 99, at, MASK_SIZE),
              CALL_ESRCH);
    EXPECT_EQ(call_thread_get_affinity(99, 0, at, MASK_SIZE), CALL_EBADF);
    EXPECT_EQ(cpus_of(fixture, 0, NULL), all);
}

TEST(call_thread, affinity_is_told_in_as_many_bytes_as_it_has)
{
    struct task_fixture *fixture = fixture_create(t);
    size_t least = (cpu_nr_possible + 7) / 8;
    size_t most = BITMAP_LONGS(cpu_nr_possible) * sizeof(unsigned long);

    EXPECT_EQ(call_thread_get_affinity(CALL_SELF, 0, MASK(fixture), least),
              least);
    EXPECT_EQ(call_thread_get_affinity(CALL_SELF, 0, MASK(fixture), least - 1),
              CALL_EINVAL);
    EXPECT_EQ(call_thread_get_affinity(CALL_SELF, 0, MASK(fixture),
                                       UINT64_C(1) << 61),
              most);
}

TEST(call_thread, affinity_is_inherited)
{
    struct task_fixture *fixture = fixture_create(t);
    uint32_t cpu = cpu_nr_possible - 1;
    int32_t tid;

    EXPECT_EQ(cpus_of(fixture, 0, NULL), cpu_nr_online());
    write_mask(fixture, cpu);
    EXPECT_EQ(call_thread_set_affinity(CALL_SELF, 0, MASK(fixture), MASK_SIZE),
              0);
    tid = create(fixture, program_sleep, PROGRAM_DATA, 0, 0);
    EXPECT(has_only(fixture, tid, cpu));
    EXPECT_EQ(call_thread_cpu(), cpu);
    EXPECT_EQ(thread_set_affinity(thread_self(), NULL), OK);
}

TEST(call_thread, tls_is_refused_beyond_the_users_end)
{
    struct task_fixture *fixture = fixture_create(t);

    EXPECT_EQ(call_thread_set_tls(USER_END), CALL_EINVAL);
    EXPECT_EQ(call_thread_set_tls(UINTPTR_MAX), CALL_EINVAL);
    EXPECT(fixture->uthread->tls == 0);
}

TEST(call_thread, fast_calls_return)
{
    task_fixture_create(t);
    EXPECT_EQ(PEER_FAST(call_null()), 0);
    EXPECT_EQ(PEER_FAST(call_thread_yield()), 0);
    EXPECT(cpu_irq_is_enabled());
    EXPECT(call_thread_cpu() < cpu_nr_possible);
}
