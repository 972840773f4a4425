/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/sem.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

static struct sem sem_tested;
static atomic_uint sem_inside;
static atomic_uint sem_taken;

static void
sem_use(void *arg __unused)
{
    sem_take(&sem_tested);
    explore_expect(++sem_inside <= 1);
    thread_yield();
    sem_inside--;
    sem_taken++;
    sem_release(&sem_tested);
}

static void
sem_use_until(void *arg __unused)
{
    if (sem_take_until(&sem_tested, clock_now() + explore_random(400)) == OK) {
        explore_expect(++sem_inside <= 1);
        sem_inside--;
        sem_taken++;
        sem_release(&sem_tested);
    }
}

/* Have two threads do something, and main the same as the first. */
static void
sem_main(void *second)
{
    struct thread *threads[2];

    sem_init(&sem_tested, 1);
    threads[0] = threads_create_on(0, sem_use, NULL);
    threads[1] = threads_create_on(1, (thread_fn_t)second, NULL);
    sem_use(NULL);
    thread_join(threads[0]);
    thread_join(threads[1]);
    explore_expect(sem_tested.count == 1);
    explore_expect(sem_try_take(&sem_tested) && !sem_try_take(&sem_tested));
}

/* Units are neither lost nor made; who waits for one gets it. */
EXPLORE(sem, units)
{
    threads_run(2, sem_main, (void *)sem_use);
    explore_expect(sem_taken == 3);
}

/* Who gives up takes no unit; who is given one does not give up. */
EXPLORE(sem, deadline)
{
    threads_run(2, sem_main, (void *)sem_use_until);
    explore_expect(sem_taken == 2 || sem_taken == 3);
}

static void
sem_take_until_and_release(void *arg __unused)
{
    if (sem_take_until(&sem_tested, clock_now() + explore_random(400)) == OK) {
        sem_release(&sem_tested);
    }
}

static void
sem_main_releases_and_takes(void *arg __unused)
{
    struct thread *thread;

    sem_init(&sem_tested, 0);
    thread = threads_create_on(1, sem_take_until_and_release, NULL);
    threads_sleep_below(600);
    sem_release(&sem_tested);
    sem_take(&sem_tested);
    thread_join(thread);
    explore_expect(sem_tested.count == 0);
}

/* Who gives up at the last moment takes nobody else out of the queue. */
EXPLORE(sem, given_back)
{
    threads_run(2, sem_main_releases_and_takes, NULL);
}

static void
sem_release_in_interrupt(void *arg __unused)
{
    sem_release(&sem_tested);
}

static void
sem_main_waits_for_interrupts(void *arg __unused)
{
    unsigned i;

    sem_init(&sem_tested, 0);
    for (i = 0; i < 2; i++) {
        explore_interrupt(1 - i, EXPLORE_IRQ);
        sem_take(&sem_tested);
    }
}

/* An interrupt handler may release. */
EXPLORE(sem, interrupt)
{
    threads_setup(2);
    explore_handler(EXPLORE_IRQ, sem_release_in_interrupt, NULL);
    threads_go(2, sem_main_waits_for_interrupts, NULL);
}
