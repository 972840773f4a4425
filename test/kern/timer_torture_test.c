/* SPDX-License-Identifier: MIT */
/*
 * Timers that are started, moved and cancelled by threads that move between
 * CPUs: each that was started fires once or is cancelled.
 */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/timer.h>
#include <lib/string.h>
#include <test/test.h>

#include "torture.h"

#define TIMER_TORTURE_NR 4

struct timer_torture {
    struct timer timer;
    atomic_uint nr_fired;
    atomic_uint nr_restarts; /* that the function still does */
};

static void
timer_torture_fire(struct timer *timer)
{
    struct timer_torture *one =
        container_of(timer, struct timer_torture, timer);

    atomic_fetch_add(&one->nr_fired, 1);
    if (atomic_load(&one->nr_restarts) != 0) {
        atomic_fetch_sub(&one->nr_restarts, 1);
        timer_start(timer, clock_now() + UINT64_C(1000));
    }
}

static uint64_t
timer_torture_deadline(struct torture_worker *worker)
{
    switch (rand_below(&worker->rand, 4)) {
    case 0:
        return 0;
    case 1:
        return clock_now() + UINT64_C(3600000000000);
    default:
        return clock_now() + rand_below(&worker->rand, 30000);
    }
}

/* Started once, it fires as often as it may, or is cancelled. */
static void
timer_torture_start_once(struct torture_worker *worker,
                         struct timer_torture *one)
{
    unsigned nr_restarts = (unsigned)rand_below(&worker->rand, 3);
    unsigned nr_fired;

    atomic_store(&one->nr_restarts, nr_restarts);
    timer_start(&one->timer, timer_torture_deadline(worker));
    torture_dawdle(worker);
    if (timer_cancel(&one->timer)) {
        TORTURE_EXPECT(worker, atomic_load(&one->nr_fired) <= nr_restarts);
    } else {
        TORTURE_EXPECT(worker, atomic_load(&one->nr_fired) >= 1);
    }
    nr_fired = atomic_load(&one->nr_fired);
    TORTURE_EXPECT(worker, nr_fired <= 1 + nr_restarts);
    torture_dawdle(worker);
    TORTURE_EXPECT(worker, atomic_load(&one->nr_fired) == nr_fired);
}

/* Started several times, each may fire. */
static void
timer_torture_start_often(struct torture_worker *worker,
                          struct timer_torture *one)
{
    unsigned nr_starts = 1 + (unsigned)rand_below(&worker->rand, 4);
    unsigned i;
    bool was_queued;

    for (i = 0; i < nr_starts; i++) {
        timer_start(&one->timer, timer_torture_deadline(worker));
        torture_dawdle(worker);
    }
    was_queued = timer_cancel(&one->timer);
    TORTURE_EXPECT(worker,
                   atomic_load(&one->nr_fired) + was_queued <= nr_starts);
    TORTURE_EXPECT(worker, atomic_load(&one->nr_fired) + was_queued >= 1);
}

static void
timer_torture_round(struct torture_worker *worker)
{
    struct timer_torture timers[TIMER_TORTURE_NR];
    unsigned i;

    memset(timers, 0, sizeof(timers));
    for (i = 0; i < TIMER_TORTURE_NR; i++) {
        timer_init(&timers[i].timer, timer_torture_fire, "test");
    }
    timer_torture_start_once(worker, &timers[0]);
    for (i = 1; i < TIMER_TORTURE_NR; i++) {
        timer_torture_start_often(worker, &timers[i]);
    }
    memset(timers, 0xa5, sizeof(timers));
}

TEST(timer, torture_fires_what_is_not_cancelled)
{
    struct torture *torture = torture_alloc(t, sizeof(*torture));

    torture->round = timer_torture_round;
    torture->rounds = 30;
    torture_run(t, torture);
}
