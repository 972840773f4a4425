/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <test/explore/threads.h>

static atomic_uint thread_count;
static atomic_bool thread_ready;

static void
thread_add(void *arg)
{
    explore_expect(cpu_irq_is_enabled());
    explore_expect(cpu_id() == (uintptr_t)arg);
    thread_count++;
}

static void
thread_main_joins(void *arg __unused)
{
    thread_join(threads_create_on(1, thread_add, (void *)1));
    /* This one may be given the stack of the first. */
    thread_join(threads_create_on(0, thread_add, (void *)0));
    explore_expect(thread_count == 2);
}

/* A thread reaches an idle CPU, and its end whoever waits for it. */
EXPLORE(thread, join)
{
    threads_run(2, thread_main_joins, NULL);
}

static void
thread_wait_ready(void *arg __unused)
{
    while (!thread_ready) {
        thread_park(CLOCK_NEVER);
    }
    thread_count++;
}

static void
thread_main_unparks(void *arg __unused)
{
    struct thread *thread;

    thread = threads_create_on(1, thread_wait_ready, NULL);
    thread_ready = true;
    thread_unpark(thread);
    thread_join(thread);
    explore_expect(thread_count == 1);
}

/* An unpark is not lost, whenever it comes. */
EXPLORE(thread, unpark)
{
    threads_run(2, thread_main_unparks, NULL);
}

static void
thread_wait_until(void *arg __unused)
{
    uint64_t deadline;

    deadline = clock_now() + explore_random(300);
    while (!thread_ready && clock_now() < deadline) {
        thread_park(deadline);
    }
    thread_count++;
}

static void
thread_main_races_deadline(void *arg __unused)
{
    struct thread *thread;

    thread = threads_create_on(1, thread_wait_until, NULL);
    thread_yield();
    thread_ready = true;
    thread_unpark(thread);
    thread_join(thread);
    explore_expect(thread_count == 1);
}

/* A park with a deadline ends by it or by an unpark, or by both. */
EXPLORE(thread, park_deadline)
{
    threads_run(2, thread_main_races_deadline, NULL);
}

static void
thread_yield_often(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 2; i++) {
        thread_count++;
        thread_yield();
    }
}

static void
thread_main_lets_move(void *arg __unused)
{
    struct thread *threads[2];
    unsigned i;

    for (i = 0; i < 2; i++) {
        threads[i] = thread_create("free", thread_yield_often, NULL, NULL);
        explore_expect(threads[i] != NULL);
    }
    for (i = 0; i < 2; i++) {
        thread_join(threads[i]);
    }
    explore_expect(thread_count == 4);
}

/* A thread that an idle CPU takes over runs once at a time, and goes on. */
EXPLORE(thread, pull)
{
    threads_run(2, thread_main_lets_move, NULL);
}

static void
thread_main_suspends(void *arg __unused)
{
    struct thread *thread;

    thread = threads_create_on(1, thread_yield_often, NULL);
    thread_suspend(thread);
    thread_resume(thread);
    thread_join(thread);
    explore_expect(thread_count == 2);
}

/* A thread that was suspended, in any state, goes on when resumed. */
EXPLORE(thread, suspend)
{
    threads_run(2, thread_main_suspends, NULL);
}

static struct thread *thread_target;

static void
thread_park_often(void *arg __unused)
{
    while (thread_count < 3) {
        thread_park(CLOCK_NEVER);
    }
}

static void
thread_wake_target(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 3; i++) {
        thread_count++;
        thread_unpark(thread_target);
    }
}

static void
thread_main_changes(void *change)
{
    struct thread *waker;

    thread_target = thread_create("target", thread_park_often, NULL, NULL);
    explore_expect(thread_target != NULL);
    waker = threads_create_on(1, thread_wake_target, NULL);
    thread_yield();
    ((explore_fn_t)change)(NULL);
    thread_join(waker);
    thread_join(thread_target);
}

static void
thread_suspend_target(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 2; i++) {
        thread_suspend(thread_target);
        thread_resume(thread_target);
    }
}

/* A thread may be suspended while it is woken and moves to another CPU. */
EXPLORE(thread, suspend_and_wake)
{
    threads_run(3, thread_main_changes, (void *)thread_suspend_target);
}

static void
thread_urge_target(void *arg __unused)
{
    explore_expect(thread_set_policy(thread_target, THREAD_FIFO, 7) == OK);
    explore_expect(thread_priority(thread_target) == 7);
}

/* The same for a change of its priority. */
EXPLORE(thread, urge_and_wake)
{
    threads_run(3, thread_main_changes, (void *)thread_urge_target);
}
