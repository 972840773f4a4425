/* SPDX-License-Identifier: MIT */
/*
 * Scenarios with real threads on the real scheduler: CPU 0 begins as the
 * thread "main", the others as idle threads.
 *
 * threads_run() is all that most need.  Modules with threads of their own are
 * set up between threads_setup() and threads_go(): until then preemption is
 * disabled on all CPUs, so that what is created there begins to run only when
 * the schedule does.
 */
#ifndef TEST_EXPLORE_THREADS_H
#define TEST_EXPLORE_THREADS_H

#include <kern/preempt.h>
#include <kern/sched.h>
#include <kern/thread.h>
#include <lib/macros.h>
#include <test/explore/explore.h>

/* As explore_cpus_apart(), with the scheduler.  Context: set-up, first */
static inline void
threads_setup_apart(unsigned nr_cpus, unsigned stride)
{
    unsigned cpu;

    explore_cpus_apart(nr_cpus, stride);
    explore_init_op("timer_setup");
    explore_init_op("sched_setup");
    explore_init_op("pass_setup");
    explore_init_op("thread_setup");
    for (cpu = 0; cpu < nr_cpus; cpu++) {
        explore_on_cpu(cpu);
        preempt_disable();
    }
    explore_on_cpu(0);
}

/* Make a machine with the scheduler.  Context: set-up, first */
static inline void
threads_setup(unsigned nr_cpus)
{
    threads_setup_apart(nr_cpus, 1);
}

static inline void
threads_idle(void *arg __unused)
{
    preempt_enable();
    sched_idle();
}

/* The first thread; constant during a schedule. */
struct threads_main {
    explore_fn_t fn;
    void *arg;
};

static inline void
threads_main_run(void *arg)
{
    const struct threads_main *main = arg;

    preempt_enable();
    main->fn(main->arg);
}

/*
 * Run main(arg) as the first thread, until it returns; it joins the threads
 * that it creates.
 *
 * Context: set-up, after threads_setup()
 */
static inline void
threads_go(unsigned nr_cpus, explore_fn_t main, void *arg)
{
    struct threads_main first = { .fn = main, .arg = arg };
    unsigned cpu;

    explore_fibre(threads_main_run, &first);
    for (cpu = 1; cpu < nr_cpus; cpu++) {
        explore_daemon(threads_idle, NULL);
    }
    explore_run();
}

/* Both, for scenarios that need no other module. */
static inline void
threads_run(unsigned nr_cpus, explore_fn_t main, void *arg)
{
    threads_setup(nr_cpus);
    threads_go(nr_cpus, main, arg);
}

/* Create a thread, which must succeed. */
static inline struct thread *
threads_create(thread_fn_t fn, void *arg, const struct thread_attr *attr)
{
    struct thread *thread;

    thread = thread_create("explored", fn, arg, attr);
    explore_expect(thread != NULL);
    return thread;
}

/* Create a thread that stays on a CPU. */
static inline struct thread *
threads_create_on(uint32_t cpu, thread_fn_t fn, void *arg)
{
    struct thread_attr attr = { .pinned = true, .cpu = cpu };

    return threads_create(fn, arg, &attr);
}

/* The same, real-time. */
static inline struct thread *
threads_create_urgent(uint32_t cpu, int priority, thread_fn_t fn, void *arg)
{
    struct thread_attr attr = {
        .policy = THREAD_FIFO, .priority = priority, .pinned = true, .cpu = cpu
    };

    return threads_create(fn, arg, &attr);
}

/* How long threads_wait_parked() leaves the CPU to others, nanoseconds. */
#define THREADS_LOOK_NS 200

/*
 * Wait until a thread has nothing to do but to wait.
 *
 * Context: thread
 */
static inline void
threads_wait_parked(const struct thread *thread)
{
    while (READ_ONCE(thread->state) != THREAD_PARKED) {
        thread_sleep(THREADS_LOOK_NS);
    }
}

/* Sleep for less than @limit nanoseconds, or not at all.  Context: thread */
static inline void
threads_sleep_below(uint64_t limit)
{
    if (explore_random(2) == 0) {
        thread_sleep(explore_random(limit));
    }
}

#endif /* TEST_EXPLORE_THREADS_H */
