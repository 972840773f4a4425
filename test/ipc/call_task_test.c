/* SPDX-License-Identifier: MIT */
/*
 * System calls of tasks, as programs see them; and programs that run in them.
 */
#include <arch/layout.h>
#include <arch/user_copy.h>
#include <kern/fail.h>
#include <lib/string.h>
#include <ipc/calls.h>
#include <ipc/connection.h>
#include <portolan/task.h>
#include <test/ipc/program.h>
#include <test/test.h>

/* More places than task_create() has that allocate. */
#define SITES 120

/* Where a list of rights is in the caller's memory. */
#define LIST(fixture) ((fixture)->memory + PAGE_SIZE)

static struct portolan_task_params
usual(void)
{
    return (struct portolan_task_params){ .name = "child",
                                          .container = PORTOLAN_SELF };
}

static long
create(struct task_fixture *fixture, const struct portolan_task_params *params)
{
    verify(user_copy_out(fixture->memory, params, sizeof(*params)) == 0);
    return call_task_create(fixture->memory);
}

static uint32_t
create_usual(struct task_fixture *fixture)
{
    struct portolan_task_params params = usual();
    long right = create(fixture, &params);

    verify(right >= 0);
    return (uint32_t)right;
}

/* The task of a right; it stays as long as the right. */
static struct task *
task_of(long right)
{
    struct task *task;

    verify(right >= 0 && call_get_task((uint32_t)right, &task) == 0);
    task_put(task);
    return task;
}

static struct portolan_task_info
info_of(struct task_fixture *fixture, uint32_t right)
{
    struct portolan_task_info info;

    verify(call_task_info(right, fixture->memory) == 0);
    verify(user_copy_in(&info, fixture->memory, sizeof(info)) == 0);
    return info;
}

static long
wait_end(struct task_fixture *fixture, uint32_t right,
         struct portolan_task_end *end)
{
    uint64_t deadline = clock_now() + TASK_FIXTURE_PATIENCE;
    long error = call_task_wait(right, fixture->memory, deadline);

    memset(end, 0xff, sizeof(*end));
    if (error == 0) {
        verify(user_copy_in(end, fixture->memory, sizeof(*end)) == 0);
    }
    return error;
}

static enum kobject_kind
kind_in(struct task *task, uint32_t name)
{
    enum kobject_kind kind;

    rcu_read_lock();
    kind = right_table_find(task_table(task, name), name)->object->kind;
    rcu_read_unlock();
    return kind;
}

static void
act_for(struct task *task, uint32_t uid)
{
    struct portolan_credentials who = { .uid = uid };

    task_set_credentials(task, &who);
}

/*
 * Creation
 */

TEST(call_task, create_makes_a_task_and_a_right)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_task_params params = usual();
    struct portolan_task_info info;
    long right;

    params.index = 5;
    right = create(fixture, &params);
    ASSERT(right == 5);
    verify(user_copy_in(&params, fixture->memory, sizeof(params)) == 0);
    info = info_of(fixture, 5);
    EXPECT_EQ(info.pid, params.pid);
    EXPECT_EQ(info.parent, fixture->task->pid);
    EXPECT_EQ(info.nr_threads, 0);
    EXPECT_EQ(info.has_ended, 0);
    EXPECT_STREQ(info.name, "child");
    EXPECT_EQ(task_of(right)->max_priority, THREAD_PRIORITY_MAX);
}

TEST(call_task, create_takes_over_credentials_and_limits)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_task_params params = usual();
    struct portolan_task_info info;
    long container;

    act_for(fixture->task, 77);
    container = call_container_create(CALL_SELF, 0, 0);
    ASSERT(container >= 0);
    params.max_priority = 9;
    params.container = (int32_t)container;
    params.index = 10;
    ASSERT(create(fixture, &params) == 10);
    info = info_of(fixture, 10);
    EXPECT_EQ(info.credentials.uid, 77);
    EXPECT_EQ(task_of(10)->max_priority, 9);
}

/* A container is the same in what is told of tasks and of rights. */
TEST(call_task, container_is_that_of_its_rights)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_task_params params = usual();
    struct portolan_right_info right;
    long container = call_container_create(CALL_SELF, 0, 0);
    long task;

    ASSERT(container >= 0);
    params.container = (int32_t)container;
    task = create(fixture, &params);
    ASSERT(task >= 0);
    ASSERT(call_right_query((uint32_t)container, fixture->memory) == 0);
    verify(user_copy_in(&right, fixture->memory, sizeof(right)) == 0);
    EXPECT_EQ(info_of(fixture, (uint32_t)task).container, right.object);
    /* No program has made the fixture's. */
    EXPECT_EQ(info_of(fixture, CALL_SELF).container, 0);
}

TEST(call_task, create_gives_the_rights_that_are_listed)
{
    struct task_fixture *fixture = task_fixture_create(t);
    long chid = call_channel_create(0, 0, 0);
    long coid = call_channel_mint((int32_t)chid, 0, 0, 0);
    struct portolan_task_right rights[] = {
        { .source = (int32_t)coid, .target = 2 },
        { .source = (int32_t)coid, .target = PORTOLAN_SYSMGR },
        { .source = (int32_t)coid, .target = 700, .flags = 1 },
    };
    struct portolan_task_params params = usual();
    struct task *task;
    uint32_t flags;

    verify(user_copy_out(LIST(fixture), rights, sizeof(rights)) == 0);
    params.rights = LIST(fixture);
    params.nr_rights = 3;
    task = task_of(create(fixture, &params));
    EXPECT_EQ(kind_in(task, 0), KOBJECT_NONE);
    EXPECT_EQ(kind_in(task, 2), KOBJECT_CONNECTION);
    EXPECT_EQ(kind_in(task, PORTOLAN_SYSMGR), KOBJECT_CONNECTION);
    EXPECT_EQ(right_table_flags(&task->rights, 700, &flags), OK);
    EXPECT_EQ(flags, PORTOLAN_RIGHT_CLOEXEC);
}

/* One of the rights cannot be given: there is no task. */
static void
refuses_right(struct test *t, struct portolan_task_right bad, long error)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t own = call_fixture_right(&fixture->task->object);
    struct portolan_task_right rights[] = { { .source = (int32_t)own }, bad };
    struct portolan_task_params params = usual();
    uint32_t nr = task_nr();

    verify(user_copy_out(LIST(fixture), rights, sizeof(rights)) == 0);
    params.rights = LIST(fixture);
    params.nr_rights = 2;
    EXPECT_EQ(create(fixture, &params), error);
    EXPECT_EQ(task_nr(), nr);
    EXPECT_EQ(right_table_count(&fixture->task->rights), 1);
    verify(user_copy_in(&params, fixture->memory, sizeof(params)) == 0);
    EXPECT_EQ(params.pid, 0);
}

TEST(call_task, create_without_a_source_is_refused)
{
    refuses_right(t, (struct portolan_task_right){ .source = 99 }, CALL_EBADF);
}

TEST(call_task, create_with_a_bad_target_is_refused)
{
    refuses_right(t, (struct portolan_task_right){ .target = -1 }, CALL_EINVAL);
}

TEST(call_task, create_with_a_target_out_of_range_is_refused)
{
    refuses_right(t, (struct portolan_task_right){ .target = 1 << 20 },
                  CALL_EBADF);
}

TEST(call_task, create_with_flags_of_a_right_is_refused)
{
    refuses_right(t, (struct portolan_task_right){ .flags = 0x10 },
                  CALL_EINVAL);
}

TEST(call_task, create_refuses)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_task_params params = usual();
    uint32_t nr = task_nr();

    EXPECT_EQ(call_task_create(0), CALL_EFAULT);
    EXPECT_EQ(call_task_create(DIRECT_MAP_BASE), CALL_EFAULT);
    params.container = 99;
    EXPECT_EQ(create(fixture, &params), CALL_EBADF);
    params = usual();
    params.max_priority = THREAD_PRIORITY_MAX + 1;
    EXPECT_EQ(create(fixture, &params), CALL_EPERM);
    params = usual();
    params.flags = 2;
    EXPECT_EQ(create(fixture, &params), CALL_EINVAL);
    params = usual();
    params.index = 1 << 20;
    EXPECT_EQ(create(fixture, &params), CALL_EMFILE);
    params = usual();
    params.nr_rights = UINT32_MAX;
    EXPECT_EQ(create(fixture, &params), CALL_E2BIG);
    params.nr_rights = 1;
    params.rights = UINT64_MAX - 4;
    EXPECT_EQ(create(fixture, &params), CALL_EFAULT);
    EXPECT_EQ(task_nr(), nr);
}

/* Whatever allocation fails: nothing is left, the fixture looks. */
TEST(call_task, create_without_memory_leaves_nothing)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t own = call_fixture_right(&fixture->task->object);
    struct portolan_task_right right = { .source = (int32_t)own };
    struct portolan_task_params params = usual();
    uint32_t nr = task_nr();
    struct fail fail;
    uint64_t i = 0;

    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    verify(user_copy_out(LIST(fixture), &right, sizeof(right)) == 0);
    params.rights = LIST(fixture);
    params.nr_rights = 1;
    do {
        long result;

        verify(user_copy_out(fixture->memory, &params, sizeof(params)) == 0);
        fail_begin_at(&fail, i++);
        result = call_task_create(fixture->memory);
        fail_end(&fail);
        EXPECT(result >= 0 || (result == CALL_ENOMEM && fail.nr_failed != 0));
        if (result >= 0) {
            EXPECT_EQ(task_nr(), nr + 1);
            EXPECT_EQ(call_task_kill((uint32_t)result, 0), 0);
            EXPECT_EQ(call_right_close((uint32_t)result), 0);
        }
        EXPECT_EQ(task_nr(), nr);
    } while (fail.nr_failed != 0 && i < SITES);
    EXPECT(i < SITES);
}

/*
 * Beginning and end
 */

TEST(call_task, start_refuses)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_thread_params start = program_params(program_spin, 0, 0, 0);
    uint32_t task = program_task(fixture->memory);
    uint32_t space = (uint32_t)call_task_space(task, 0, 0);

    EXPECT_EQ(program_start(99, fixture->memory, &start), CALL_EBADF);
    EXPECT_EQ(program_start(space, fixture->memory, &start), CALL_EBADF);
    EXPECT_EQ(call_task_start(task, 0), CALL_EFAULT);
    start.flags = 4;
    EXPECT_EQ(program_start(task, fixture->memory, &start), CALL_EINVAL);
    start.flags = 0;
    start.tls = USER_END;
    EXPECT_EQ(program_start(task, fixture->memory, &start), CALL_EINVAL);
    start.tls = 0;
    start.tid = 4;
    EXPECT_EQ(program_start(task, fixture->memory, &start), CALL_EFAULT);
    start.tid = 0;
    /* The caller's own has begun. */
    EXPECT_EQ(program_start(CALL_SELF, fixture->memory, &start), CALL_EBUSY);
    EXPECT_EQ(info_of(fixture, task).nr_threads, 0);
    EXPECT_EQ(call_task_kill(task, 0), 0);
    EXPECT_EQ(program_start(task, fixture->memory, &start), CALL_ESRCH);
}

TEST(call_task, start_is_once)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_thread_params start =
        program_params(program_spin, PROGRAM_DATA, 0, 0);
    uint32_t task = program_task(fixture->memory);

    EXPECT_EQ(program_start(task, fixture->memory, &start), 1);
    EXPECT_EQ(program_start(task, fixture->memory, &start), CALL_EBUSY);
    EXPECT_EQ(info_of(fixture, task).nr_threads, 1);
    EXPECT_EQ(call_task_kill(task, 0), 0);
}

TEST(call_task, program_ends_with_its_status)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_thread_params start =
        program_params(program_task_exit, 42, 0, 0);
    uint32_t task = program_task(fixture->memory);
    struct portolan_task_end end;

    ASSERT(program_start(task, fixture->memory, &start) == 1);
    ASSERT(wait_end(fixture, task, &end) == 0);
    EXPECT_EQ(end.cause, PORTOLAN_TASK_EXITED);
    EXPECT_EQ(end.status, 42);
    EXPECT_EQ(end.pid, task_of(task)->pid);
    EXPECT_EQ(info_of(fixture, task).has_ended, 1);
}

/* The last thread takes the task with it. */
TEST(call_task, program_ends_with_its_last_thread)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_thread_params start =
        program_params(program_exit, 42, 0, 0);
    uint32_t task = program_task(fixture->memory);
    struct portolan_task_end end;

    ASSERT(program_start(task, fixture->memory, &start) == 1);
    ASSERT(wait_end(fixture, task, &end) == 0);
    EXPECT_EQ(end.cause, PORTOLAN_TASK_EXITED);
    EXPECT_EQ(end.status, 0);
}

static void
is_killed(struct test *t, const char *code)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_thread_params start =
        program_params(code, PROGRAM_DATA, 0, 0);
    uint32_t task = program_task(fixture->memory);
    struct task *found = task_of(task);
    struct portolan_task_end end;

    ASSERT(program_start(task, fixture->memory, &start) == 1);
    ASSERT(PROGRAM_WAIT(program_data(found, PROGRAM_DATA) != 0));
    EXPECT_EQ(call_task_kill(task, 9), 0);
    ASSERT(wait_end(fixture, task, &end) == 0);
    EXPECT_EQ(end.cause, PORTOLAN_TASK_KILLED);
    EXPECT_EQ(end.status, 9);
    EXPECT(end.run_time > 0);
}

TEST(call_task, program_is_killed_while_it_spins)
{
    is_killed(t, program_spin);
}

TEST(call_task, program_is_killed_while_it_sleeps)
{
    is_killed(t, program_sleep);
}

TEST(call_task, program_that_is_suspended_is_killed)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_thread_params start =
        program_params(program_spin, PROGRAM_DATA, 0, 0);
    uint32_t task = program_task(fixture->memory);
    struct portolan_task_end end;

    start.flags = PORTOLAN_THREAD_SUSPENDED;
    ASSERT(program_start(task, fixture->memory, &start) == 1);
    EXPECT_EQ(call_task_kill(task, 3), 0);
    ASSERT(wait_end(fixture, task, &end) == 0);
    EXPECT_EQ(end.status, 3);
}

TEST(call_task, program_that_faults_is_ended)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_thread_params start =
        program_params(program_fault, 0, 0, 0);
    uint32_t task = program_task(fixture->memory);
    struct portolan_task_end end;

    ASSERT(program_start(task, fixture->memory, &start) == 1);
    ASSERT(wait_end(fixture, task, &end) == 0);
    EXPECT_EQ(end.cause, PORTOLAN_TASK_EXCEPTION);
    EXPECT_EQ(end.status, USER_EXCEPTION_MEMORY);
}

TEST(call_task, program_without_code_is_ended)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_thread_params start = program_params(program_spin, 0, 0, 0);
    uint32_t task = program_task(fixture->memory);
    struct portolan_task_end end;

    start.pc = UINT64_MAX;
    start.sp = UINT64_C(0x8000000000000000);
    ASSERT(program_start(task, fixture->memory, &start) == 1);
    ASSERT(wait_end(fixture, task, &end) == 0);
    EXPECT_EQ(end.cause, PORTOLAN_TASK_EXCEPTION);
}

/* What creates threads, joins them, and ends with the sum. */
TEST(call_task, program_creates_and_joins_threads)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_thread_params child =
        program_params(program_add, PROGRAM_DATA, 3, 0);
    struct portolan_thread_params start = program_params(program_creator,
                                                         PROGRAM_DATA + 64, 40,
                                                         PROGRAM_DATA + 512);
    uint32_t task = program_task(fixture->memory);
    struct vm_space *own = fixture->task->space;
    struct portolan_task_end end;

    space_use(task_of(task)->space);
    verify(user_copy_out(PROGRAM_DATA + 64, &child, sizeof(child)) == 0);
    space_use(own);
    ASSERT(program_start(task, fixture->memory, &start) == 1);
    ASSERT(wait_end(fixture, task, &end) == 0);
    EXPECT_EQ(end.cause, PORTOLAN_TASK_EXITED);
    EXPECT_EQ(end.status, 3 * 40);
}

TEST(call_task, first_cause_stays)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t task = create_usual(fixture);
    struct portolan_task_end end;

    EXPECT_EQ(call_task_kill(task, 1), 0);
    EXPECT_EQ(call_task_kill(task, 2), 0);
    ASSERT(wait_end(fixture, task, &end) == 0);
    EXPECT_EQ(end.status, 1);
    EXPECT_EQ(call_task_kill(99, 2), CALL_EBADF);
}

TEST(call_task, exit_ends_the_caller)
{
    struct task_fixture *fixture = task_fixture_create(t);

    EXPECT_EQ(call_task_exit(6), 0);
    EXPECT(thread_is_ending());
    EXPECT(!task_is_alive(fixture->task));
    EXPECT_EQ(fixture->task->end.status, 6);
    atomic_store(&thread_self()->user_work, 0);
}

TEST(call_task, wait_refuses)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t task = create_usual(fixture);
    uint32_t self = call_fixture_right(&fixture->task->object);
    uintptr_t at = fixture->memory;

    EXPECT_EQ(call_task_wait(99, at, CLOCK_NEVER), CALL_EBADF);
    EXPECT_EQ(call_task_wait(CALL_SELF, at, CLOCK_NEVER), CALL_EDEADLK);
    EXPECT_EQ(call_task_wait(self, at, CLOCK_NEVER), CALL_EDEADLK);
    EXPECT_EQ(call_task_wait(task, at, 0), CALL_ETIMEDOUT);
    EXPECT_EQ(call_task_wait(task, at, clock_now() + 1000000), CALL_ETIMEDOUT);
    thread_request_end(thread_self());
    EXPECT_EQ(call_task_wait(task, at, CLOCK_NEVER), CALL_EINTR);
    atomic_store(&thread_self()->user_work, 0);
    EXPECT_EQ(call_task_kill(task, 0), 0);
    EXPECT_EQ(call_task_wait(task, 0, 0), CALL_EFAULT);
    EXPECT_EQ(call_task_wait(task, at, 0), 0);
}

/*
 * What nobody started
 */

TEST(call_task, that_is_not_started_ends_with_its_creator)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task_params params = { .name = "creator",
                                  .container = fixture->container };
    struct task *creator, *first, *second;
    struct portolan_task_end end;

    ASSERT(task_create(&creator, &params) == OK);
    params.parent = creator->pid;
    ASSERT(task_create(&first, &params) == OK);
    ASSERT(task_create(&second, &params) == OK);
    task_end(second, PORTOLAN_TASK_KILLED, 5);
    task_end(creator, PORTOLAN_TASK_KILLED, 0);
    EXPECT_EQ(task_wait(first, &end, 0), OK);
    EXPECT_EQ(end.cause, PORTOLAN_TASK_KILLED);
    EXPECT_EQ(task_wait(second, &end, 0), OK);
    EXPECT_EQ(end.status, 5);
    task_put(creator);
    task_put(first);
    task_put(second);
}

/* Also if they have rights to each other, and nobody else has. */
TEST(call_task, that_nobody_knows_ends_with_its_creator)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task_params params = { .name = "creator",
                                  .container = fixture->container };
    uint32_t nr = task_nr();
    struct task *creator, *child;
    uint32_t name;

    ASSERT(task_create(&creator, &params) == OK);
    params.parent = creator->pid;
    ASSERT(task_create(&child, &params) == OK);
    name = call_fixture_right(&child->object);
    EXPECT_EQ(call_right_copy(name, name, 0, 0), 0);
    EXPECT_EQ(call_right_close(name), 0);
    task_put(child);
    EXPECT_EQ(task_nr(), nr + 2);
    task_end(creator, PORTOLAN_TASK_KILLED, 0);
    task_put(creator);
    EXPECT_EQ(task_nr(), nr);
}

TEST(call_task, that_has_started_outlives_its_creator)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task_params params = { .name = "creator",
                                  .container = fixture->container };
    struct portolan_thread_params start =
        program_params(program_spin, PROGRAM_DATA, 0, 0);
    struct task *creator, *child;
    struct portolan_task_end end;
    uint32_t name;

    ASSERT(task_create(&creator, &params) == OK);
    params.parent = creator->pid;
    ASSERT(task_create(&child, &params) == OK);
    program_load(child);
    name = call_fixture_right(&child->object);
    ASSERT(program_start(name, fixture->memory, &start) == 1);
    task_end(creator, PORTOLAN_TASK_KILLED, 0);
    task_put(creator);
    EXPECT(task_is_alive(child));
    EXPECT(PROGRAM_WAIT(program_data(child, PROGRAM_DATA) != 0));
    EXPECT_EQ(call_task_kill(name, 0), 0);
    EXPECT_EQ(wait_end(fixture, name, &end), 0);
    task_put(child);
}

/*
 * What is told and changed
 */

TEST(call_task, info_refuses)
{
    struct task_fixture *fixture = task_fixture_create(t);

    EXPECT_EQ(call_task_info(99, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_task_info(CALL_SELF, 0), CALL_EFAULT);
    EXPECT_EQ(call_task_info(CALL_SELF, DIRECT_MAP_BASE), CALL_EFAULT);
}

/* All bytes are said: none is what was on the kernel's stack. */
TEST(call_task, info_has_nothing_else)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_task_info info = info_of(fixture, CALL_SELF);

    static_assert(sizeof(info) == 16 + sizeof(struct portolan_credentials) + 4 +
                                      24 + PORTOLAN_NAME_SIZE,
                  "no holes");
    EXPECT_EQ(info.reserved, 0);
    EXPECT_EQ(info.pid, fixture->task->pid);
    EXPECT_EQ(info.nr_threads, 1);
}

TEST(call_task, pid_is_the_callers)
{
    struct task_fixture *fixture = task_fixture_create(t);

    EXPECT_EQ(call_task_pid(), fixture->task->pid);
}

TEST(call_task, open_is_for_the_same_user)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *other = call_fixture_task(fixture, fixture->container);

    act_for(fixture->task, 5);
    act_for(other, 6);
    EXPECT_EQ(call_task_open(other->pid, 0, 0), CALL_EPERM);
    act_for(other, 0);
    EXPECT_EQ(call_task_open(other->pid, 0, 0), CALL_EPERM);
    act_for(other, 5);
    EXPECT_EQ(call_task_open(other->pid, 0, 0), 0);
    act_for(other, 6);
    act_for(fixture->task, 0);
    EXPECT_EQ(call_task_open(other->pid, 3, 0), 3);
    EXPECT(task_of(3) == other);
}

TEST(call_task, open_refuses)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *other = call_fixture_task(fixture, fixture->container);

    EXPECT_EQ(call_task_open(0, 0, 0), CALL_ESRCH);
    EXPECT_EQ(call_task_open(-1, 0, 0), CALL_ESRCH);
    EXPECT_EQ(call_task_open(INT32_MAX, 0, 0), CALL_ESRCH);
    EXPECT_EQ(call_task_open(other->pid, 0, 2), CALL_EINVAL);
    EXPECT_EQ(call_task_open(other->pid, 1 << 20, 0), CALL_EMFILE);
    task_end(other, PORTOLAN_TASK_KILLED, 0);
    EXPECT_EQ(call_task_open(other->pid, 0, 0), CALL_ESRCH);
}

static long
set_credentials(struct task_fixture *fixture, uint32_t task, uint32_t uid,
                uint32_t nr_groups)
{
    struct portolan_credentials who = { .uid = uid, .nr_groups = nr_groups };

    verify(user_copy_out(fixture->memory, &who, sizeof(who)) == 0);
    return call_task_set_credentials(task, fixture->memory);
}

TEST(call_task, credentials_are_set_by_user_0_only)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t task = create_usual(fixture);

    EXPECT_EQ(set_credentials(fixture, task, 5, 1), 0);
    EXPECT_EQ(info_of(fixture, task).credentials.uid, 5);
    EXPECT_EQ(info_of(fixture, task).credentials.nr_groups, 1);
    EXPECT_EQ(set_credentials(fixture, task, 6, PORTOLAN_GROUPS_MAX + 1),
              CALL_EINVAL);
    EXPECT_EQ(set_credentials(fixture, 99, 6, 0), CALL_EBADF);
    EXPECT_EQ(call_task_set_credentials(task, 0), CALL_EFAULT);
    EXPECT_EQ(set_credentials(fixture, CALL_SELF, 7, 0), 0);
    EXPECT_EQ(set_credentials(fixture, CALL_SELF, 0, 0), CALL_EPERM);
    EXPECT_EQ(set_credentials(fixture, task, 7, 0), CALL_EPERM);
    EXPECT_EQ(info_of(fixture, task).credentials.uid, 5);
}

TEST(call_task, name_is_set)
{
    struct task_fixture *fixture = task_fixture_create(t);
    static const char text[] = "a\nname";
    uintptr_t at = call_fixture_text(fixture, text, sizeof(text));

    EXPECT_EQ(call_task_set_name(CALL_SELF, at, sizeof(text)), 0);
    EXPECT_STREQ(info_of(fixture, CALL_SELF).name, "a?name");
    EXPECT_EQ(call_task_set_name(CALL_SELF, at, 1), 0);
    EXPECT_STREQ(info_of(fixture, CALL_SELF).name, "a");
    EXPECT_EQ(call_task_set_name(CALL_SELF, 0, 4), CALL_EFAULT);
    EXPECT_EQ(call_task_set_name(99, at, 4), CALL_EBADF);
    EXPECT_STREQ(info_of(fixture, CALL_SELF).name, "a");
}
