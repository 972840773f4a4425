/* SPDX-License-Identifier: MIT */
/*
 * System calls of rights, as programs see them.
 */
#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/user_copy.h>
#include <kern/fail.h>
#include <lib/string.h>
#include <ipc/calls.h>
#include <ipc/connection.h>
#include <ipc/port.h>
#include <test/ipc/call_fixture.h>
#include <test/test.h>

#define SIDE RIGHT_BASE_SIDE

/* More places than any call here has that allocate. */
#define SITES 60

/* The caller's right to its task, by an index. */
static uint32_t
self_right(struct task_fixture *fixture, uint32_t index)
{
    long name = call_enter_object(&fixture->task->object, 0, index, 0);

    verify(name >= 0);
    return (uint32_t)name;
}

static long
query(struct task_fixture *fixture, uint32_t name,
      struct portolan_right_info *info)
{
    long error = call_right_query(name, fixture->memory);

    memset(info, 0, sizeof(*info));
    if (error == 0) {
        verify(user_copy_in(info, fixture->memory, sizeof(*info)) == 0);
    }
    return error;
}

static bool
is_open(struct task_fixture *fixture, uint32_t name)
{
    struct portolan_right_info info;

    return query(fixture, name, &info) == 0;
}

static uint32_t
flags_of(struct task_fixture *fixture, uint32_t name)
{
    struct portolan_right_info info;

    verify(query(fixture, name, &info) == 0);
    return info.flags;
}

/* A right to a channel of the caller's. */
static uint32_t
connect(uint64_t label)
{
    long chid = call_channel_create(0, 0, 0);
    long coid = call_channel_mint((int32_t)chid, label, 0, 0);

    verify(chid >= 0 && coid >= 0);
    return (uint32_t)coid;
}

TEST(call_right, dup_takes_the_lowest_name_from_an_index)
{
    struct task_fixture *fixture = task_fixture_create(t);

    ASSERT(self_right(fixture, 0) == 0);
    EXPECT_EQ(call_right_dup(0, 0, 0), 1);
    EXPECT_EQ(call_right_dup(0, 7, 0), 7);
    EXPECT_EQ(call_right_dup(0, 7, PORTOLAN_RIGHT_CLOEXEC), 8);
    EXPECT_EQ(flags_of(fixture, 7), 0);
    EXPECT_EQ(flags_of(fixture, 8), PORTOLAN_RIGHT_CLOEXEC);
    EXPECT_EQ(call_right_dup(8, 0, 0), 2);
    EXPECT_EQ(flags_of(fixture, 2), 0);
}

TEST(call_right, dup_refuses)
{
    struct task_fixture *fixture = task_fixture_create(t);

    ASSERT(self_right(fixture, 0) == 0);
    EXPECT_EQ(call_right_dup(1, 0, 0), CALL_EBADF);
    EXPECT_EQ(call_right_dup(UINT32_MAX, 0, 0), CALL_EBADF);
    EXPECT_EQ(call_right_dup(1, SIDE, 0), CALL_EBADF);
    EXPECT_EQ(call_right_dup(0, 0, 2), CALL_EINVAL);
    EXPECT_EQ(call_right_dup(0, UINT32_MAX, 0), CALL_EINVAL);
    EXPECT_EQ(call_right_dup(0, 1U << 31, 0), CALL_EINVAL);
    EXPECT_EQ(call_right_dup(0, RIGHT_SLOTS_MAX, 0), CALL_EMFILE);
    EXPECT(!is_open(fixture, 1));
}

TEST(call_right, dup_goes_between_the_tables)
{
    struct task_fixture *fixture = task_fixture_create(t);

    ASSERT(self_right(fixture, 0) == 0);
    EXPECT_EQ(call_right_dup(0, SIDE + 5, 0), SIDE + 5);
    EXPECT_EQ(call_right_dup(SIDE + 5, 0, 0), 1);
    EXPECT_EQ(call_right_dup_to(SIDE + 5, 9, 0), 9);
    EXPECT_EQ(call_right_dup_to(9, SIDE + 6, 1), SIDE + 6);
    EXPECT_EQ(flags_of(fixture, SIDE + 6), PORTOLAN_RIGHT_CLOEXEC);
}

TEST(call_right, first_side_channel_is_for_who_asks_for_it)
{
    struct task_fixture *fixture = task_fixture_create(t);

    ASSERT(self_right(fixture, 0) == 0);
    EXPECT_EQ(call_right_dup(0, SIDE, 0), SIDE + 1);
    EXPECT_EQ(self_right(fixture, SIDE), SIDE + 2);
    EXPECT_EQ(call_right_dup(SIDE + 1, SIDE, 0), SIDE + 3);
    EXPECT_EQ(call_right_dup_to(0, SIDE, 0), SIDE);
    EXPECT(is_open(fixture, SIDE));
}

TEST(call_right, dup_to_replaces)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t coid = connect(5);
    uint32_t task = self_right(fixture, 0);
    struct portolan_right_info info;

    EXPECT_EQ(call_right_dup_to(task, coid, PORTOLAN_RIGHT_CLOEXEC), coid);
    ASSERT(query(fixture, coid, &info) == 0);
    EXPECT_EQ(info.kind, PORTOLAN_KIND_TASK);
    EXPECT_EQ(info.flags, PORTOLAN_RIGHT_CLOEXEC);
    /* The same name: nothing happens. */
    EXPECT_EQ(call_right_dup_to(coid, coid, 0), coid);
    EXPECT_EQ(flags_of(fixture, coid), PORTOLAN_RIGHT_CLOEXEC);
}

TEST(call_right, dup_to_refuses)
{
    struct task_fixture *fixture = task_fixture_create(t);

    ASSERT(self_right(fixture, 0) == 0);
    EXPECT_EQ(call_right_dup_to(1, 5, 0), CALL_EBADF);
    EXPECT_EQ(call_right_dup_to(1, 1, 0), CALL_EBADF);
    EXPECT_EQ(call_right_dup_to(1, SIDE + 5, 0), CALL_EBADF);
    EXPECT_EQ(call_right_dup_to(0, RIGHT_SLOTS_MAX, 0), CALL_EBADF);
    EXPECT_EQ(call_right_dup_to(0, UINT32_MAX, 0), CALL_EBADF);
    EXPECT_EQ(call_right_dup_to(0, 5, 4), CALL_EINVAL);
    EXPECT(!is_open(fixture, 5));
}

TEST(call_right, close_gives_the_name_up)
{
    struct task_fixture *fixture = task_fixture_create(t);

    ASSERT(self_right(fixture, 0) == 0);
    ASSERT(self_right(fixture, SIDE + 1) == SIDE + 1);
    EXPECT_EQ(call_right_close(0), 0);
    EXPECT_EQ(call_right_close(0), CALL_EBADF);
    EXPECT_EQ(call_right_close(SIDE + 1), 0);
    EXPECT_EQ(call_right_close(SIDE + 1), CALL_EBADF);
    EXPECT_EQ(call_right_close(UINT32_MAX), CALL_EBADF);
}

TEST(call_right, query_tells_what_it_is)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t coid = connect(0x123456789abcdef0);
    uint32_t task = self_right(fixture, 0);
    struct portolan_right_info info;

    ASSERT(query(fixture, coid, &info) == 0);
    EXPECT_EQ(info.kind, PORTOLAN_KIND_CONNECTION);
    EXPECT_EQ(info.label, 0x123456789abcdef0);
    EXPECT_EQ(info.flags, 0);
    EXPECT_STREQ(info.name, "channel");
    ASSERT(query(fixture, task, &info) == 0);
    EXPECT_EQ(info.kind, PORTOLAN_KIND_TASK);
    EXPECT_STREQ(info.name, "test");
}

/* A name of another slot, or generation, or table is not meant. */
TEST(call_right, query_is_of_the_very_name)
{
    struct task_fixture *fixture = task_fixture_create(t);

    ASSERT(self_right(fixture, 4) == 4);
    EXPECT_EQ(call_right_query(4, fixture->memory), 0);
    EXPECT_EQ(call_right_query(3, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_right_query(4 + RIGHT_SLOTS_MAX, fixture->memory),
              CALL_EBADF);
    EXPECT_EQ(call_right_query(SIDE + 4, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_right_query(UINT32_MAX, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_right_query(4, 0), CALL_EFAULT);
    EXPECT_EQ(call_right_query(4, DIRECT_MAP_BASE), CALL_EFAULT);
}

TEST(call_right, object_is_the_same_for_all_rights_to_it)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t first = self_right(fixture, 0), second = self_right(fixture, SIDE);
    uint32_t other = connect(0);
    struct portolan_right_info info;
    uint64_t object;

    ASSERT(query(fixture, first, &info) == 0);
    object = info.object;
    EXPECT(object != 0);
    /* It is no address of the kernel's. */
    EXPECT(object < USER_END);
    ASSERT(query(fixture, second, &info) == 0);
    EXPECT_EQ(info.object, object);
    ASSERT(query(fixture, other, &info) == 0);
    EXPECT(info.object != object);
}

TEST(call_right, object_of_another_object_is_never_the_same)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_right_info info;
    uint64_t last = 0;

    for (int i = 0; i < 20; i++) {
        long name = call_container_create(CALL_SELF, 0, 0);

        ASSERT(name >= 0 && query(fixture, (uint32_t)name, &info) == 0);
        EXPECT(info.object != last);
        last = info.object;
        call_right_close((uint32_t)name);
        EXPECT_EQ(kobject_sync(CLOCK_NEVER), OK);
    }
}

TEST(call_right, flags_are_changed_and_told)
{
    struct task_fixture *fixture = task_fixture_create(t);

    ASSERT(self_right(fixture, 0) == 0);
    EXPECT_EQ(call_right_set_flags(0, PORTOLAN_RIGHT_CLOEXEC, 1), 0);
    EXPECT_EQ(call_right_set_flags(0, 0, 0), PORTOLAN_RIGHT_CLOEXEC);
    EXPECT_EQ(call_right_set_flags(0, PORTOLAN_RIGHT_CLOEXEC, 0),
              PORTOLAN_RIGHT_CLOEXEC);
    EXPECT_EQ(flags_of(fixture, 0), 0);
    EXPECT_EQ(call_right_set_flags(0, 2, 2), CALL_EINVAL);
    EXPECT_EQ(call_right_set_flags(1, 1, 1), CALL_EBADF);
}

TEST(call_right, policy_is_for_names_to_come)
{
    struct task_fixture *fixture = task_fixture_create(t);
    long before = call_right_policy(-1);

    EXPECT_EQ(call_right_policy(PORTOLAN_POLICY_UNIQUE), before);
    EXPECT_EQ(call_right_policy(-1), PORTOLAN_POLICY_UNIQUE);
    EXPECT_EQ(call_right_policy(3), CALL_EINVAL);
    EXPECT_EQ(call_right_policy(-2), CALL_EINVAL);
    EXPECT_EQ(call_right_policy(-1), PORTOLAN_POLICY_UNIQUE);

    ASSERT(self_right(fixture, 0) == 0);
    EXPECT_EQ(call_right_close(0), 0);
    EXPECT_EQ(self_right(fixture, 0), RIGHT_SLOTS_MAX);
    EXPECT_EQ(call_right_policy(PORTOLAN_POLICY_ANY), PORTOLAN_POLICY_UNIQUE);
    EXPECT(call_right_dup(RIGHT_SLOTS_MAX, 0, 0) >= 0);
    EXPECT_EQ(call_right_policy(PORTOLAN_POLICY_LOWEST), PORTOLAN_POLICY_ANY);
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

TEST(call_right, copy_gives_to_another_task)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *other = call_fixture_task(fixture, fixture->container);
    uint32_t task = call_fixture_right(&other->object);
    uint32_t own = self_right(fixture, 0);

    EXPECT_EQ(call_right_copy(task, own, CALL_SELF, 0), 0);
    EXPECT_EQ(call_right_copy(task, own, CALL_SELF, 0), 1);
    EXPECT_EQ(call_right_copy(task, own, 7, 0), 7);
    EXPECT_EQ(call_right_copy(task, own, SIDE, 0), SIDE);
    EXPECT_EQ(kind_in(other, 7), KOBJECT_TASK);
    EXPECT_EQ(kind_in(other, SIDE), KOBJECT_TASK);
    /* In place of what is there; to oneself, too. */
    EXPECT_EQ(call_right_copy(task, task, 7, 1), 7);
    EXPECT_EQ(call_right_copy(CALL_SELF, own, 30, 0), 30);
    EXPECT(is_open(fixture, 30));
}

TEST(call_right, copy_refuses)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *other = call_fixture_task(fixture, fixture->container);
    uint32_t task = call_fixture_right(&other->object);
    uint32_t coid = connect(1);

    EXPECT_EQ(call_right_copy(99, task, 0, 0), CALL_EBADF);
    EXPECT_EQ(call_right_copy(coid, task, 0, 0), CALL_EBADF);
    EXPECT_EQ(call_right_copy(task, 99, 0, 0), CALL_EBADF);
    EXPECT_EQ(call_right_copy(task, task, 0, 2), CALL_EINVAL);
    EXPECT_EQ(call_right_copy(task, task, RIGHT_SLOTS_MAX, 0), CALL_EBADF);
    EXPECT_EQ(call_right_copy(task, task, SIDE - 1, 0), CALL_EBADF);
    EXPECT_EQ(kind_in(other, 0), KOBJECT_NONE);
    task_end(other, PORTOLAN_TASK_KILLED, 0);
    EXPECT_EQ(call_right_copy(task, task, 0, 0), CALL_ESRCH);
    EXPECT_EQ(call_right_copy(task, coid, 0, 0), CALL_ESRCH);
}

/* A connection that is given becomes one of who gets it, with the label. */
TEST(call_right, copy_of_a_connection_is_of_the_other_task)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *other = call_fixture_task(fixture, fixture->container);
    uint32_t task = call_fixture_right(&other->object), coid = connect(42);
    struct right *right;

    ASSERT(call_right_copy(task, coid, 3, 0) == 3);
    ASSERT(right_table_get(&other->rights, 3, &right) == OK);
    EXPECT_EQ(right->label, 42);
    EXPECT_EQ(connection_of_object(right->object)->pid, other->pid);
    right_put(right);
}

TEST(call_right, copy_of_a_dead_connection_is_refused)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *other = call_fixture_task(fixture, fixture->container);
    uint32_t task = call_fixture_right(&other->object);
    long chid = call_channel_create(0, 0, 0);
    long coid = call_channel_mint((int32_t)chid, 0, 0, 0);

    ASSERT(chid >= 0 && coid >= 0);
    EXPECT_EQ(call_channel_destroy((int32_t)chid), 0);
    EXPECT_EQ(call_right_copy(task, (uint32_t)coid, 3, 0), CALL_ESRCH);
    EXPECT_EQ(kind_in(other, 3), KOBJECT_NONE);
}

/* Closes what a task has been given, again and again. */
struct closer {
    struct task *task;
    atomic_bool is_over;
};

static void
closer_main(void *arg)
{
    struct closer *closer = arg;

    while (!atomic_load(&closer->is_over)) {
        /* It may not be there. */
        (void)right_table_close(&closer->task->rights, 3);
        cpu_pause();
    }
}

/*
 * The task's last right to a connection is closed while it is given another
 * one: that makes it a new connection.
 */
TEST(call_right, copy_does_not_mind_who_closes)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *other = call_fixture_task(fixture, fixture->container);
    uint32_t task = call_fixture_right(&other->object), coid = connect(1);
    struct closer closer = { .task = other };
    struct thread *thread = thread_create("closer", closer_main, &closer, NULL);
    uint32_t failures = 0;

    ASSERT(thread != NULL);
    for (uint64_t i = 0; i < 500 * t->iterations; i++) {
        failures += call_right_copy(task, coid, 3, 0) != 3;
    }
    atomic_store(&closer.is_over, true);
    thread_join(thread);
    EXPECT_EQ(failures, 0);
}

/* Who gets a right pays for the room. */
TEST(call_right, copy_is_charged_to_who_gets_it)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct container *poor;
    struct task *other;
    uint32_t task;

    ASSERT(container_create(&poor, fixture->container, "poor") == OK);
    other = call_fixture_task(fixture, poor);
    task = call_fixture_right(&other->object);
    container_set_limit(poor, CONTAINER_RIGHTS, 0);
    EXPECT_EQ(call_right_copy(task, task, 0, 0), CALL_ENOMEM);
    EXPECT_EQ(call_right_copy(task, task, CALL_SELF, 0), CALL_ENOMEM);
    EXPECT_EQ(kind_in(other, 0), KOBJECT_NONE);
    container_put(poor);
}

static void
fill(struct task_fixture *fixture, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last; i++) {
        verify(self_right(fixture, i) == i);
    }
}

/* How many of some names there are. */
static uint32_t
count(struct task_fixture *fixture, uint32_t first, uint32_t last)
{
    uint32_t nr = 0;

    for (uint32_t i = first; i <= last; i++) {
        nr += is_open(fixture, i);
    }
    return nr;
}

TEST(call_right, range_is_closed)
{
    struct task_fixture *fixture = task_fixture_create(t);

    fill(fixture, 60, 140);
    EXPECT_EQ(call_right_close_range(70, 130, 0), 0);
    EXPECT_EQ(count(fixture, 60, 140), 20);
    EXPECT_EQ(count(fixture, 70, 130), 0);
    EXPECT_EQ(call_right_close_range(131, 131, 0), 0);
    EXPECT(!is_open(fixture, 131));
    EXPECT_EQ(call_right_close_range(500, 600, 0), 0);
    EXPECT_EQ(call_right_close_range(2, 1, 0), CALL_EINVAL);
    EXPECT_EQ(call_right_close_range(1, 2, 2), CALL_EINVAL);
    EXPECT_EQ(count(fixture, 60, 140), 19);
}

TEST(call_right, range_goes_over_both_tables)
{
    struct task_fixture *fixture = task_fixture_create(t);

    fill(fixture, 0, 9);
    fill(fixture, SIDE + 1, SIDE + 9);
    EXPECT_EQ(call_right_close_range(5, SIDE + 3, 0), 0);
    EXPECT_EQ(count(fixture, 0, 9), 5);
    EXPECT_EQ(count(fixture, SIDE + 1, SIDE + 9), 6);
    EXPECT_EQ(call_right_close_range(3, UINT32_MAX, 0), 0);
    EXPECT_EQ(count(fixture, 0, 9), 3);
    EXPECT_EQ(count(fixture, SIDE + 1, SIDE + 9), 0);
}

TEST(call_right, range_is_marked)
{
    struct task_fixture *fixture = task_fixture_create(t);

    fill(fixture, 0, 9);
    EXPECT_EQ(call_right_close_range(4, 6, PORTOLAN_RIGHT_CLOEXEC), 0);
    EXPECT_EQ(count(fixture, 0, 9), 10);
    EXPECT_EQ(flags_of(fixture, 3), 0);
    EXPECT_EQ(flags_of(fixture, 4), PORTOLAN_RIGHT_CLOEXEC);
    EXPECT_EQ(flags_of(fixture, 6), PORTOLAN_RIGHT_CLOEXEC);
    EXPECT_EQ(flags_of(fixture, 7), 0);
}

/* Names with generations are larger than those of the slots behind. */
TEST(call_right, range_is_of_names_with_generations)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t high;

    call_right_policy(PORTOLAN_POLICY_UNIQUE);
    fill(fixture, 0, 9);
    EXPECT_EQ(call_right_close(3), 0);
    high = self_right(fixture, 0);
    EXPECT_EQ(high, 3 + RIGHT_SLOTS_MAX);
    EXPECT_EQ(call_right_close_range(2, 5, 0), 0);
    EXPECT_EQ(count(fixture, 0, 9), 6);
    EXPECT(is_open(fixture, high));
    EXPECT_EQ(call_right_close_range(8, high, 0), 0);
    EXPECT(!is_open(fixture, high));
    EXPECT_EQ(count(fixture, 0, 9), 4);
}

TEST(call_right, range_ends_at_the_last_slot)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t last = RIGHT_SLOTS_MAX - 1;

    ASSERT(self_right(fixture, 0) == 0);
    EXPECT_EQ(call_right_dup_to(0, last, 0), last);
    EXPECT_EQ(call_right_close_range(1, UINT32_MAX, PORTOLAN_RIGHT_CLOEXEC), 0);
    EXPECT_EQ(flags_of(fixture, last), PORTOLAN_RIGHT_CLOEXEC);
    EXPECT_EQ(call_right_close_range(last, last, 0), 0);
    EXPECT(!is_open(fixture, last) && is_open(fixture, 0));
}

/* Whatever allocation fails: the right is there, or nothing is. */
TEST(call_right, nothing_changes_without_memory)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t coid = connect(1);
    struct fail fail;
    uint64_t i = 0;

    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    do {
        struct task *other = call_fixture_task(fixture, fixture->container);
        uint32_t task = call_fixture_right(&other->object);
        long copied;

        fail_begin_at(&fail, i++);
        copied = call_right_copy(task, coid, 700, 0);
        fail_end(&fail);
        EXPECT(copied == 700 || (copied == CALL_ENOMEM && fail.nr_failed));
        EXPECT_EQ(kind_in(other, 700),
                  copied == 700 ? KOBJECT_CONNECTION : KOBJECT_NONE);
        task_end(other, PORTOLAN_TASK_KILLED, 0);
        call_right_close(task);
    } while (fail.nr_failed != 0 && i < SITES);
    EXPECT(i < SITES);
}
