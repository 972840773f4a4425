/* SPDX-License-Identifier: MIT */
/*
 * Scenarios with real threads on the real scheduler: CPU 0 begins as the
 * thread "main", the others as idle threads.
 */
#ifndef TEST_EXPLORE_THREADS_H
#define TEST_EXPLORE_THREADS_H

#include <kern/sched.h>
#include <kern/thread.h>
#include <test/explore/explore.h>

static inline void
threads_idle(void *arg __unused)
{
    sched_idle();
}

/*
 * Run main(arg) as the first thread of a machine with that many CPUs, until
 * it returns; it joins the threads that it creates.
 */
static inline void
threads_run(unsigned nr_cpus, explore_fn_t main, void *arg)
{
    unsigned cpu;

    explore_cpus(nr_cpus);
    explore_init_op("timer_setup");
    explore_init_op("sched_setup");
    explore_init_op("thread_setup");
    explore_fibre(main, arg);
    for (cpu = 1; cpu < nr_cpus; cpu++) {
        explore_daemon(threads_idle, NULL);
    }
    explore_run();
}

/* Create a thread that stays on a CPU, which must succeed. */
static inline struct thread *
threads_create_on(uint32_t cpu, thread_fn_t fn, void *arg)
{
    struct thread_attr attr = { .pinned = true, .cpu = cpu };
    struct thread *thread;

    thread = thread_create("explored", fn, arg, &attr);
    explore_expect(thread != NULL);
    return thread;
}

#endif /* TEST_EXPLORE_THREADS_H */
