/* SPDX-License-Identifier: MIT */
/*
 * Passing the CPU on: two threads of a CPU, and others that want something of
 * them meanwhile.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/pass.h>
#include <kern/thread.h>
#include <test/test.h>

#define PASS_TEST_ROUNDS 1000

/* Nanoseconds after which something is lost. */
#define PASS_TEST_LIMIT UINT64_C(2000000000)

/*
 * Two threads: one passes the CPU to the other, which passes it back.
 *
 * Keys: [a] atomic   [c] constant once both run
 */
struct pass_pair {
    struct thread *caller, *server; /* [c] */
    uint32_t cpu;                   /* [c] */
    atomic_uint nr_calls;           /* [a] that were passed */
    atomic_uint nr_served;          /* [a] times that the server went on */
    atomic_uint nr_waits;           /* [a] that could not be passed */
    atomic_bool is_over;            /* [a] */
};

/* Be held until somebody passes the CPU or unparks this thread. */
static void
pass_test_hold(void)
{
    cpu_irq_disable();
    (void)pass_hold(thread_self(), cpu_id());
    cpu_irq_enable();
}

/* Pass the CPU to a thread, if it is held here.  Returns: whether it was */
static bool
pass_test_to(struct thread *next)
{
    struct thread *self = thread_self();
    bool is_possible;

    cpu_irq_disable();
    is_possible = pass_is_possible(self, next, cpu_id());
    if (is_possible) {
        (void)pass_to(self, next, cpu_id());
    }
    cpu_irq_enable();
    return is_possible;
}

static void
pass_test_serve(void *arg)
{
    struct pass_pair *pair = arg;

    pass_begin();
    while (!atomic_load(&pair->is_over)) {
        atomic_fetch_add(&pair->nr_served, 1);
        if (!pass_test_to(pair->caller)) {
            thread_unpark(pair->caller);
            pass_test_hold();
        }
    }
}

static void
pass_test_call(void *arg)
{
    struct pass_pair *pair = arg;

    pass_begin();
    while (atomic_load(&pair->nr_calls) < PASS_TEST_ROUNDS) {
        if (pass_test_to(pair->server)) {
            atomic_fetch_add(&pair->nr_calls, 1);
        } else {
            atomic_fetch_add(&pair->nr_waits, 1);
            thread_unpark(pair->server);
            pass_test_hold();
        }
    }
    atomic_store(&pair->is_over, true);
    thread_unpark(pair->server);
}

static bool
pass_test_begin(struct pass_pair *pair)
{
    struct thread_attr attr = { .pinned = true, .cpu = pair->cpu };

    pair->server = thread_create("server", pass_test_serve, pair, &attr);
    if (pair->server == NULL) {
        return false;
    }
    pair->caller = thread_create("caller", pass_test_call, pair, &attr);
    return pair->caller != NULL;
}

static void
pass_test_end(struct pass_pair *pair)
{
    thread_join(pair->caller);
    thread_join(pair->server);
}

/* The last CPU: with several not that of the test. */
static uint32_t
pass_test_cpu(void)
{
    return cpu_nr_possible - 1;
}

TEST(pass, goes_there_and_back)
{
    struct pass_pair pair = { .cpu = pass_test_cpu() };

    ASSERT(pass_test_begin(&pair));
    pass_test_end(&pair);
    EXPECT_EQ(atomic_load(&pair.nr_calls), PASS_TEST_ROUNDS);
    EXPECT(atomic_load(&pair.nr_served) + atomic_load(&pair.nr_waits) >=
           PASS_TEST_ROUNDS / 2);
}

/* What others do to the two neither loses one of them nor stops them. */
static void
pass_test_disturb(struct test *t, struct pass_pair *pair, unsigned i)
{
    struct thread *thread = i % 2 == 0 ? pair->caller : pair->server;

    switch (i / 2 % 4) {
    case 0:
        thread_unpark(thread);
        break;
    case 1:
        thread_suspend(thread);
        thread_resume(thread);
        break;
    case 2:
        EXPECT_EQ(thread_set_weight(thread, THREAD_WEIGHT_DEFAULT + i % 3), OK);
        EXPECT_EQ(thread_set_weight(thread, THREAD_WEIGHT_DEFAULT), OK);
        break;
    case 3:
        EXPECT_EQ(thread_set_policy(thread, THREAD_RR, 3), OK);
        EXPECT_EQ(thread_set_policy(thread, THREAD_FAIR, 0), OK);
        break;
    }
}

TEST(pass, goes_on_whatever_others_do)
{
    if (cpu_nr_possible == 1) {
        SKIP("one CPU");
    }
    struct pass_pair pair = { .cpu = pass_test_cpu() };
    uint64_t limit = clock_now() + PASS_TEST_LIMIT;
    unsigned i;

    ASSERT(pass_test_begin(&pair));
    for (i = 0; !atomic_load(&pair.is_over) && clock_now() < limit; i++) {
        pass_test_disturb(t, &pair, i);
        thread_yield();
    }
    EXPECT(atomic_load(&pair.is_over));
    thread_resume(pair.caller);
    thread_resume(pair.server);
    pass_test_end(&pair);
}

/* One that is held, and then let go by a thread that does not wait. */
struct pass_let_go_case {
    struct thread *held;
    atomic_bool is_held;
    atomic_bool has_gone_on;
    bool was_possible;
    bool is_in_time;
};

static void
pass_test_be_let_go(void *arg)
{
    struct pass_let_go_case *test = arg;

    pass_begin();
    atomic_store(&test->is_held, true);
    pass_test_hold();
    atomic_store(&test->has_gone_on, true);
}

static void
pass_test_let_go(void *arg)
{
    struct pass_let_go_case *test = arg;
    uint64_t limit;

    pass_begin();
    while (!atomic_load(&test->is_held)) {
        thread_yield();
    }
    cpu_irq_disable();
    test->was_possible = pass_may_let_go(thread_self(), test->held, cpu_id());
    if (test->was_possible) {
        pass_let_go(test->held);
    }
    cpu_irq_enable();
    limit = clock_now() + PASS_TEST_LIMIT;
    while (!atomic_load(&test->has_gone_on) && clock_now() < limit) {
        cpu_pause();
    }
    test->is_in_time = atomic_load(&test->has_gone_on);
    thread_unpark(test->held);
}

TEST(pass, who_was_let_go_goes_on_though_nobody_waits)
{
    struct thread_attr attr = { .pinned = true, .cpu = pass_test_cpu() };
    struct pass_let_go_case test = { 0 };
    struct thread *other;

    test.held = thread_create("held", pass_test_be_let_go, &test, &attr);
    ASSERT(test.held != NULL);
    other = thread_create("other", pass_test_let_go, &test, &attr);
    ASSERT(other != NULL);
    thread_join(other);
    thread_join(test.held);
    EXPECT(test.was_possible);
    EXPECT(test.is_in_time);
}

/* A permit that is there already ends the wait at once. */
static void
pass_test_take_permit(void *arg)
{
    pass_begin();
    thread_unpark(thread_self());
    pass_test_hold();
    atomic_store((atomic_bool *)arg, true);
}

TEST(pass, permit_ends_the_wait)
{
    struct thread_attr attr = { .pinned = true, .cpu = pass_test_cpu() };
    atomic_bool is_over = false;
    struct thread *thread;

    thread = thread_create("permit", pass_test_take_permit, &is_over, &attr);
    ASSERT(thread != NULL);
    thread_join(thread);
    EXPECT(atomic_load(&is_over));
}
