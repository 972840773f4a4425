/* SPDX-License-Identifier: MIT */
/*
 * Run queues: who is ready gets a CPU.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <lib/bitmap.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

static struct thread *sched_threads[2];
static atomic_bool sched_go;
static atomic_uint sched_arrived;
static atomic_uint sched_turn;

static void
sched_meet(void)
{
    sched_arrived++;
    while (sched_arrived < ARRAY_SIZE(sched_threads)) {
        cpu_pause();
    }
}

static void
sched_wait_and_meet(void *arg __unused)
{
    while (!sched_go) {
        thread_park(CLOCK_NEVER);
    }
    sched_meet();
}

static void
sched_wake_second(void *arg __unused)
{
    thread_unpark(sched_threads[1]);
}

/* Something less urgent to do, so that the CPU is not idle. */
static void
sched_stay(void *arg __unused)
{
    while (sched_arrived < ARRAY_SIZE(sched_threads)) {
        cpu_pause();
    }
}

static void
sched_main_has_two_meet(void *arg __unused)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 5 };
    struct thread *waker, *busy;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(sched_threads); i++) {
        sched_threads[i] = threads_create(sched_wait_and_meet, NULL, &attr);
    }
    busy = threads_create_on(1, sched_stay, NULL);
    sched_go = true;
    waker = threads_create_urgent(1, 7, sched_wake_second, NULL);
    thread_unpark(sched_threads[0]);
    thread_join(waker);
    thread_join(busy);
    for (i = 0; i < ARRAY_SIZE(sched_threads); i++) {
        thread_join(sched_threads[i]);
    }
}

/* Nobody waits behind an equal while a CPU has less urgent things to do. */
EXPLORE(sched, spreads)
{
    threads_run(2, sched_main_has_two_meet, NULL);
}

static void
sched_end(void *arg __unused)
{
}

static void
sched_wake_second_and_stay(void *arg __unused)
{
    thread_unpark(sched_threads[1]);
    sched_stay(NULL);
}

static void
sched_main_has_them_meet_late(void *arg __unused)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 5 };
    struct thread *others[2];
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(sched_threads); i++) {
        sched_threads[i] = threads_create(sched_wait_and_meet, NULL, &attr);
        threads_wait_parked(sched_threads[i]);
    }
    sched_go = true;
    others[0] = threads_create_urgent(1, 7, sched_end, NULL);
    others[1] = threads_create_urgent(2, 9, sched_wake_second_and_stay, NULL);
    thread_unpark(sched_threads[0]);
    for (i = 0; i < ARRAY_SIZE(sched_threads); i++) {
        thread_join(sched_threads[i]);
        thread_join(others[i]);
    }
}

/* Who begins to wait and a CPU that becomes free see each other. */
EXPLORE(sched, sees_waiting)
{
    threads_run(3, sched_main_has_them_meet_late, NULL);
}

static void
sched_meet_at_once(void *arg __unused)
{
    sched_meet();
}

static void
sched_main_wakes_for_slices(void *arg)
{
    struct thread_attr attr = { .policy = *(enum thread_policy *)arg,
                                .priority = 5,
                                .pinned = true,
                                .cpu = 1 };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(sched_threads); i++) {
        sched_threads[i] = threads_create(sched_meet_at_once, NULL, &attr);
        threads_sleep_below(300);
    }
    for (i = 0; i < ARRAY_SIZE(sched_threads); i++) {
        thread_join(sched_threads[i]);
    }
}

/* Two that stay on a CPU share it, in slices. */
EXPLORE(sched, round_robin)
{
    enum thread_policy policy = THREAD_RR;

    threads_run(2, sched_main_wakes_for_slices, &policy);
}

/* The same in the fair class. */
EXPLORE(sched, fair_slices)
{
    enum thread_policy policy = THREAD_FAIR;

    threads_run(2, sched_main_wakes_for_slices, &policy);
}

#define SCHED_TURNS 6

/* Takes turns with the other one. */
static void
sched_take_turns(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;

    while (!sched_go) {
        thread_park(CLOCK_NEVER);
    }
    while (sched_turn < SCHED_TURNS) {
        if (sched_turn % 2 != self) {
            /* Here its turn may come. */
            thread_yield();
            thread_park(CLOCK_NEVER);
        } else if (++sched_turn < SCHED_TURNS) {
            thread_hand_off(sched_threads[!self]);
        }
    }
    thread_unpark(sched_threads[!self]);
}

static void
sched_wake_in_vain(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 4; i++) {
        thread_unpark(sched_threads[i % 2]);
    }
}

static void
sched_main_lets_hand_off(void *arg __unused)
{
    struct thread *waker;
    uintptr_t i;

    for (i = 0; i < 2; i++) {
        sched_threads[i] = threads_create_on(1, sched_take_turns, (void *)i);
    }
    sched_go = true;
    waker = threads_create_on(0, sched_wake_in_vain, NULL);
    for (i = 0; i < 2; i++) {
        thread_unpark(sched_threads[i]);
    }
    thread_join(waker);
    for (i = 0; i < 2; i++) {
        thread_join(sched_threads[i]);
    }
}

/* A hand-off is an unpark and a park: neither is lost. */
EXPLORE(sched, hand_off)
{
    threads_run(2, sched_main_lets_hand_off, NULL);
}

static atomic_uint sched_home = UINT32_MAX;

/* Comes when it is called, wherever it runs or waits. */
static void
sched_go_home(void *arg __unused)
{
    bool is_there;

    do {
        preempt_disable();
        is_there = cpu_id() == sched_home;
        preempt_enable();
        if (sched_home == UINT32_MAX) {
            thread_park(CLOCK_NEVER);
        } else {
            cpu_pause();
        }
    } while (!is_there);
    /* And stays there. */
    thread_yield();
    explore_expect(cpu_id() == sched_home);
    thread_sleep(THREADS_LOOK_NS);
    explore_expect(cpu_id() == sched_home);
}

static void
sched_wake_first(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 4; i++) {
        thread_unpark(sched_threads[0]);
    }
}

static void
sched_main_calls_home(void *arg __unused)
{
    unsigned long mask[BITMAP_LONGS(EXPLORE_CPUS_MAX)];
    struct thread *waker;
    uint32_t home;
    unsigned i;

    home = (uint32_t)explore_random(2);
    sched_threads[0] = threads_create(sched_go_home, NULL, NULL);
    waker = threads_create_on(1, sched_wake_first, NULL);
    for (i = 0; i < 3; i++) {
        home = !home;
        bitmap_zero(mask, EXPLORE_CPUS_MAX);
        bitmap_set(mask, home);
        explore_expect(thread_set_affinity(sched_threads[0], mask) == OK);
    }
    sched_home = home;
    thread_unpark(sched_threads[0]);
    thread_join(waker);
    thread_join(sched_threads[0]);
}

/* A thread that may not run where it is moves, and does not come back. */
EXPLORE(sched, affinity)
{
    threads_run(2, sched_main_calls_home, NULL);
}
