/* SPDX-License-Identifier: MIT */
/*
 * Semaphores: units are taken in all ways, and given back by threads and by
 * interrupts.
 */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/sem.h>
#include <kern/timer.h>
#include <test/test.h>

#include "torture.h"

#define SEM_TORTURE_UNITS_MAX 3

struct sem_torture {
    struct torture torture;
    unsigned nr_units; /* constant */
    struct sem sem;
    atomic_uint nr_inside;
};

/* Gives a unit back, in an interrupt. */
struct sem_torture_timer {
    struct timer timer;
    struct sem_torture *torture;
};

static void
sem_torture_leave(struct sem_torture *torture)
{
    atomic_fetch_sub(&torture->nr_inside, 1);
    sem_release(&torture->sem);
}

static void
sem_torture_interrupt(struct timer *timer)
{
    sem_torture_leave(
        container_of(timer, struct sem_torture_timer, timer)->torture);
}

static bool
sem_torture_take(struct torture_worker *worker)
{
    struct sem_torture *torture = worker->torture->arg;
    uint64_t deadline;
    bool is_taken;

    if (rand_below(&worker->rand, 4) == 0) {
        return sem_try_take(&torture->sem);
    }
    deadline = torture_deadline(worker);
    is_taken = sem_take_until(&torture->sem, deadline) == OK;
    TORTURE_EXPECT(worker, is_taken || deadline != CLOCK_NEVER);
    return is_taken;
}

static void
sem_torture_leave_later(struct torture_worker *worker)
{
    struct sem_torture_timer later = { .torture = worker->torture->arg };

    timer_init(&later.timer, sem_torture_interrupt, "test");
    timer_start(&later.timer, clock_now() + rand_below(&worker->rand, 20000));
    torture_dawdle(worker);
    if (timer_cancel(&later.timer)) {
        sem_torture_leave(later.torture);
    }
}

static void
sem_torture_round(struct torture_worker *worker)
{
    struct sem_torture *torture = worker->torture->arg;

    if (!sem_torture_take(worker)) {
        return;
    }
    TORTURE_EXPECT(worker, atomic_fetch_add(&torture->nr_inside, 1) <
                               torture->nr_units);
    torture_dawdle(worker);
    if (rand_below(&worker->rand, 4) == 0) {
        sem_torture_leave_later(worker);
    } else {
        sem_torture_leave(torture);
    }
}

TEST(sem, torture_keeps_the_number_of_units)
{
    struct sem_torture *torture = torture_alloc(t, sizeof(*torture));
    unsigned i;

    torture->torture.round = sem_torture_round;
    torture->torture.rounds = 150;
    torture->torture.arg = torture;
    torture->nr_units = 1 +
                        (unsigned)rand_below(&t->rand, SEM_TORTURE_UNITS_MAX);
    sem_init(&torture->sem, torture->nr_units);
    torture_run(t, &torture->torture);
    for (i = 0; i < torture->nr_units; i++) {
        EXPECT(sem_try_take(&torture->sem));
    }
    EXPECT(!sem_try_take(&torture->sem));
}
