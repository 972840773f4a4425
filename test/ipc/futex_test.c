/* SPDX-License-Identifier: MIT */
/*
 * Futexes: who waits, who is woken, and in which order; locks built of them.
 */
#include <stdatomic.h>

#include <arch/user_copy.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/thread.h>
#include <lib/rand.h>
#include <ipc/call_error.h>
#include <ipc/calls.h>
#include <ipc/futex.h>
#include <vm/object.h>
#include <vm/space.h>
#include <test/ipc/task_fixture.h>
#include <test/test.h>

#define FUTEX_TEST_THREADS 4

/* A thread that waits at a word. */
struct futex_sleeper {
    struct thread *thread;
    uintptr_t word;
    uint64_t deadline;
    status_t status;
    atomic_uint *clock;    /* counts ends; NULL: nobody wants to know */
    unsigned int end_time; /* what it counted up to */
};

static void
futex_sleeper_main(void *arg)
{
    struct futex_sleeper *sleeper = arg;

    sleeper->status = futex_wait(sleeper->word, 0, sleeper->deadline);
    if (sleeper->clock != NULL) {
        sleeper->end_time = atomic_fetch_add(sleeper->clock, 1);
    }
}

/*
 * Have a thread wait at @word of a space.
 *
 * @priority  0: of the fair class
 */
static void
futex_sleeper_start(struct futex_sleeper *sleeper, struct vm_space *space,
                    uintptr_t word, int priority)
{
    struct thread_attr attr = {
        .space = space,
        .policy = priority != 0 ? THREAD_FIFO : THREAD_FAIR,
        .priority = priority,
    };

    sleeper->word = word;
    sleeper->deadline = CLOCK_NEVER;
    sleeper->thread =
        thread_create("sleeper", futex_sleeper_main, sleeper, &attr);
    verify(sleeper->thread != NULL);
    while (READ_ONCE(sleeper->thread->state) != THREAD_PARKED) {
        test_pause();
    }
}

/* Write a word of this thread's space. */
static void
futex_test_write(uintptr_t word, uint32_t value)
{
    verify(user_copy_out(word, &value, sizeof(value)) == 0);
}

TEST(futex, other_value_is_not_waited_for)
{
    struct task_fixture *fixture = task_fixture_create(t);

    futex_test_write(fixture->memory + 4, 7);
    EXPECT_EQ(futex_wait(fixture->memory + 4, 8, CLOCK_NEVER), ERR_AGAIN);
    EXPECT_EQ(futex_wait(fixture->memory, 7, CLOCK_NEVER), ERR_AGAIN);
    EXPECT_EQ(call_futex_wait(fixture->memory, 7, CLOCK_NEVER), CALL_EAGAIN);
}

TEST(futex, deadline_ends_a_wait)
{
    struct task_fixture *fixture = task_fixture_create(t);

    EXPECT_EQ(futex_wait(fixture->memory, 0, 0), ERR_TIMEOUT);
    EXPECT_EQ(futex_wait(fixture->memory, 0, clock_now() + 1000000),
              ERR_TIMEOUT);
    EXPECT_EQ(call_futex_wait(fixture->memory, 0, 1), CALL_ETIMEDOUT);
}

TEST(futex, bad_addresses_are_refused)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uintptr_t hole = fixture->memory + TASK_FIXTURE_MEMORY;
    uint32_t nr;

    ASSERT(space_unmap(fixture->task->space, hole - PAGE_SIZE, PAGE_SIZE) ==
           OK);
    EXPECT_EQ(futex_wait(fixture->memory + 2, 0, 0), ERR_INVALID);
    EXPECT_EQ(futex_wait(hole - PAGE_SIZE, 0, 0), ERR_FAULT);
    EXPECT_EQ(futex_wait(USER_END, 0, 0), ERR_FAULT);
    EXPECT_EQ(futex_wait(UINT64_MAX - 3, 0, 0), ERR_FAULT);
    EXPECT_EQ(futex_wake(fixture->memory + 1, 1, &nr), ERR_INVALID);
    EXPECT_EQ(futex_wake(USER_END, 1, &nr), ERR_FAULT);
    EXPECT_EQ(futex_requeue(fixture->memory, 1, USER_END, 1, &nr), ERR_FAULT);
    EXPECT_EQ(futex_requeue(fixture->memory, 1, fixture->memory, 1, &nr),
              ERR_INVALID);
    EXPECT_EQ(call_futex_wake(fixture->memory + 1, 1), CALL_EINVAL);
    EXPECT_EQ(call_futex_requeue(USER_END, 1, 0, 1), CALL_EFAULT);
    futex_wake_word(3);
    futex_wake_word(UINT64_MAX - 3);
}

TEST(futex, nobody_is_woken_where_nobody_waits)
{
    struct task_fixture *fixture = task_fixture_create(t);

    EXPECT_EQ(call_futex_wake(fixture->memory, 100), 0);
    EXPECT_EQ(call_futex_requeue(fixture->memory, 9, fixture->memory + 4, 9),
              0);
}

TEST(futex, the_most_urgent_is_woken_first)
{
    static const int priorities[FUTEX_TEST_THREADS] = { 0, 10, 30, 20 };
    static const unsigned int order[FUTEX_TEST_THREADS] = { 3, 2, 0, 1 };
    struct task_fixture *fixture = task_fixture_create(t);
    struct futex_sleeper sleepers[FUTEX_TEST_THREADS] = { 0 };
    atomic_uint clock = 0;

    for (int i = 0; i < FUTEX_TEST_THREADS; i++) {
        sleepers[i].clock = &clock;
        futex_sleeper_start(&sleepers[i], fixture->task->space, fixture->memory,
                            priorities[i]);
    }
    for (unsigned int i = 0; i < FUTEX_TEST_THREADS; i++) {
        EXPECT_EQ(call_futex_wake(fixture->memory, 1), 1);
        while (atomic_load(&clock) <= i) {
            test_pause();
        }
    }
    for (int i = 0; i < FUTEX_TEST_THREADS; i++) {
        thread_join(sleepers[i].thread);
        EXPECT_EQ(sleepers[i].status, OK);
        EXPECT_EQ(sleepers[i].end_time, order[i]);
    }
}

TEST(futex, equals_are_woken_in_order)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct futex_sleeper sleepers[FUTEX_TEST_THREADS] = { 0 };
    atomic_uint clock = 0;

    for (int i = 0; i < FUTEX_TEST_THREADS; i++) {
        sleepers[i].clock = &clock;
        futex_sleeper_start(&sleepers[i], fixture->task->space, fixture->memory,
                            0);
    }
    for (unsigned int i = 0; i < FUTEX_TEST_THREADS; i++) {
        EXPECT_EQ(call_futex_wake(fixture->memory, 1), 1);
        thread_join(sleepers[i].thread);
        EXPECT_EQ(sleepers[i].end_time, i);
    }
}

TEST(futex, end_of_a_thread_wakes_all)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct futex_sleeper sleepers[FUTEX_TEST_THREADS] = { 0 };

    for (int i = 0; i < FUTEX_TEST_THREADS; i++) {
        futex_sleeper_start(&sleepers[i], fixture->task->space,
                            fixture->memory + 8, 0);
    }
    futex_wake_word(fixture->memory + 4);
    futex_wake_word(fixture->memory + 8);
    for (int i = 0; i < FUTEX_TEST_THREADS; i++) {
        thread_join(sleepers[i].thread);
        EXPECT_EQ(sleepers[i].status, OK);
    }
}

TEST(futex, thread_that_is_to_end_waits_no_longer)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct futex_sleeper sleeper = { 0 };

    futex_sleeper_start(&sleeper, fixture->task->space, fixture->memory, 0);
    thread_request_end(sleeper.thread);
    thread_join(sleeper.thread);
    EXPECT_EQ(sleeper.status, ERR_INTERRUPTED);
    EXPECT_EQ(call_futex_wake(fixture->memory, 1), 0);
}

TEST(futex, requeued_wait_at_the_other_word)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct futex_sleeper sleepers[FUTEX_TEST_THREADS] = { 0 };
    uintptr_t word = fixture->memory, other = fixture->memory + PAGE_SIZE;

    for (int i = 0; i < FUTEX_TEST_THREADS; i++) {
        futex_sleeper_start(&sleepers[i], fixture->task->space, word, 0);
    }
    EXPECT_EQ(call_futex_requeue(word, 1, other, 2), 3);
    thread_join(sleepers[0].thread);
    EXPECT_EQ(call_futex_wake(word, 9), 1);
    thread_join(sleepers[3].thread);
    EXPECT_EQ(call_futex_wake(other, 9), 2);
    thread_join(sleepers[1].thread);
    thread_join(sleepers[2].thread);
}

TEST(futex, requeued_can_give_up)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct futex_sleeper sleeper = { 0 };
    uintptr_t other = fixture->memory + PAGE_SIZE;

    futex_sleeper_start(&sleeper, fixture->task->space, fixture->memory, 0);
    EXPECT_EQ(call_futex_requeue(fixture->memory, 0, other, 1), 1);
    thread_request_end(sleeper.thread);
    thread_join(sleeper.thread);
    EXPECT_EQ(sleeper.status, ERR_INTERRUPTED);
    EXPECT_EQ(call_futex_wake(other, 1), 0);
}

/* Map an object twice, in the fixture's space.  Returns: the first address */
static uintptr_t
futex_test_map(struct task_fixture *fixture, unsigned int flags,
               uintptr_t *second)
{
    struct space_mapping mapping = {
        .size = 2 * PAGE_SIZE,
        .prot = PMAP_READ | PMAP_WRITE,
        .flags = flags,
    };
    uintptr_t first;

    verify(object_create_anon(&mapping.object, fixture->container, "shared",
                              4) == OK);
    mapping.index = 1;
    verify(space_map(fixture->task->space, &mapping, &first) == OK);
    mapping.index = 2;
    verify(space_map(fixture->task->space, &mapping, second) == OK);
    object_put(mapping.object);
    return first;
}

TEST(futex, shared_word_is_one_at_all_addresses)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct futex_sleeper sleeper = { 0 };
    uintptr_t first, second;

    first = futex_test_map(fixture, 0, &second);
    futex_sleeper_start(&sleeper, fixture->task->space, first + PAGE_SIZE + 8,
                        0);
    EXPECT_EQ(call_futex_wake(second + 12, 1), 0);
    EXPECT_EQ(call_futex_wake(second + PAGE_SIZE + 8, 1), 0);
    EXPECT_EQ(call_futex_wake(second + 8, 1), 1);
    thread_join(sleeper.thread);
}

TEST(futex, copies_are_no_shared_words)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct futex_sleeper sleeper = { 0 };
    uintptr_t first, second;

    first = futex_test_map(fixture, SPACE_MAP_PRIVATE, &second);
    futex_sleeper_start(&sleeper, fixture->task->space, first + PAGE_SIZE, 0);
    EXPECT_EQ(call_futex_wake(second, 1), 0);
    EXPECT_EQ(call_futex_wake(first + PAGE_SIZE, 1), 1);
    thread_join(sleeper.thread);
}

TEST(futex, requeued_to_and_from_shared_words)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct futex_sleeper sleeper = { 0 };
    uintptr_t first, second;

    first = futex_test_map(fixture, 0, &second);
    futex_sleeper_start(&sleeper, fixture->task->space, fixture->memory, 0);
    EXPECT_EQ(call_futex_requeue(fixture->memory, 0, first + PAGE_SIZE, 1), 1);
    EXPECT_EQ(call_futex_requeue(second, 0, fixture->memory, 1), 1);
    EXPECT_EQ(call_futex_requeue(fixture->memory, 0, second, 1), 1);
    EXPECT_EQ(call_futex_wake(first + PAGE_SIZE, 1), 1);
    thread_join(sleeper.thread);
}

/*
 * A lock as programs build it: 0 free, 1 held, 2 held and somebody may wait;
 * and a number that it protects.  Drepper, "Futexes Are Tricky".
 */
struct futex_torture {
    uintptr_t lock;
    uintptr_t value;
    uintptr_t event; /* a number, which changes */
    uintptr_t seed;
    uint64_t nr_rounds;
    atomic_uint nr_running;
    atomic_uint nr_seeds;
};

/* Replace a word.  Returns: what it was */
static uint32_t
futex_torture_exchange(uintptr_t word, uint32_t value)
{
    uint32_t old = 0;

    for (;;) {
        uint32_t expected = old;

        verify(user_cas_u32(word, &old, value) == OK);
        if (old == expected) {
            return old;
        }
    }
}

static void
futex_torture_lock(struct futex_torture *torture, struct rand *rand)
{
    uint32_t old = 0;

    verify(user_cas_u32(torture->lock, &old, 1) == OK);
    if (old == 0) {
        return;
    }
    while (futex_torture_exchange(torture->lock, 2) != 0) {
        uint64_t deadline = rand_below(rand, 4) != 0
                                ? CLOCK_NEVER
                                : clock_now() + rand_below(rand, 50000);
        status_t status = futex_wait(torture->lock, 2, deadline);

        verify(status == OK || status == ERR_AGAIN || status == ERR_TIMEOUT);
    }
}

static void
futex_torture_unlock(struct futex_torture *torture)
{
    uint32_t nr;

    if (futex_torture_exchange(torture->lock, 0) == 2) {
        verify(futex_wake(torture->lock, 1, &nr) == OK);
    }
}

/* With the lock held, change the number; the lock is what makes this right. */
static void
futex_torture_change(struct futex_torture *torture)
{
    uint32_t value;

    verify(user_copy_in(&value, torture->value, sizeof(value)) == 0);
    value++;
    verify(user_copy_out(torture->value, &value, sizeof(value)) == 0);
}

static void
futex_torture_main(void *arg)
{
    struct futex_torture *torture = arg;
    struct rand rand;

    rand_init(&rand, torture->seed + atomic_fetch_add(&torture->nr_seeds, 1));
    for (uint64_t i = 0; i < torture->nr_rounds; i++) {
        futex_torture_lock(torture, &rand);
        futex_torture_change(torture);
        if (rand_below(&rand, 8) == 0) {
            thread_yield();
        }
        futex_torture_unlock(torture);
    }
    atomic_fetch_sub(&torture->nr_running, 1);
}

/* Run threads of the fixture's space until all have ended. */
static void
futex_torture_run(struct test *t, struct futex_torture *torture, thread_fn_t fn)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct thread_attr attr = { .space = fixture->task->space };
    struct thread *threads[FUTEX_TEST_THREADS];

    torture->lock = fixture->memory;
    torture->value = fixture->memory + 64;
    torture->event = fixture->memory + PAGE_SIZE;
    torture->seed = rand_u64(&t->rand);
    atomic_init(&torture->nr_running, FUTEX_TEST_THREADS);
    atomic_init(&torture->nr_seeds, 0);
    for (int i = 0; i < FUTEX_TEST_THREADS; i++) {
        threads[i] = thread_create("torture", fn, torture, &attr);
        verify(threads[i] != NULL);
    }
    for (int i = 0; i < FUTEX_TEST_THREADS; i++) {
        thread_join(threads[i]);
    }
}

/* Each wake-up that was lost would have a thread wait for ever. */
TEST(futex, torture_lock)
{
    struct futex_torture torture = { .nr_rounds = 100 * t->iterations };
    uint32_t value;

    futex_torture_run(t, &torture, futex_torture_main);
    ASSERT(user_copy_in(&value, torture.value, sizeof(value)) == 0);
    EXPECT_EQ(value, FUTEX_TEST_THREADS * torture.nr_rounds);
}

/*
 * The same as a barrier: the last one that comes changes the event, wakes one
 * and has the others wait for the lock, which is what a condition does.
 */
static void
futex_torture_barrier(struct futex_torture *torture, struct rand *rand)
{
    uint32_t event, nr, value;

    futex_torture_lock(torture, rand);
    futex_torture_change(torture);
    verify(user_copy_in(&value, torture->value, sizeof(value)) == 0);
    verify(user_copy_in(&event, torture->event, sizeof(event)) == 0);
    if (value % FUTEX_TEST_THREADS == 0) {
        event++;
        verify(user_copy_out(torture->event, &event, sizeof(event)) == 0);
        futex_torture_exchange(torture->lock, 2);
        verify(futex_requeue(torture->event, 1, torture->lock, UINT32_MAX,
                             &nr) == OK);
        futex_torture_unlock(torture);
        return;
    }
    futex_torture_unlock(torture);
    while (futex_wait(torture->event, event, CLOCK_NEVER) != ERR_AGAIN) {
        futex_torture_lock(torture, rand);
        futex_torture_exchange(torture->lock, 2);
        futex_torture_unlock(torture);
    }
}

static void
futex_torture_barrier_main(void *arg)
{
    struct futex_torture *torture = arg;
    struct rand rand;

    rand_init(&rand, torture->seed + atomic_fetch_add(&torture->nr_seeds, 1));
    for (uint64_t i = 0; i < torture->nr_rounds; i++) {
        futex_torture_barrier(torture, &rand);
    }
}

TEST(futex, torture_requeue)
{
    struct futex_torture torture = { .nr_rounds = 50 * t->iterations };
    uint32_t value;

    futex_torture_run(t, &torture, futex_torture_barrier_main);
    ASSERT(user_copy_in(&value, torture.value, sizeof(value)) == 0);
    EXPECT_EQ(value, FUTEX_TEST_THREADS * torture.nr_rounds);
}
