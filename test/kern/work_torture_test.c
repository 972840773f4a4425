/* SPDX-License-Identifier: MIT */
/*
 * Work that is queued on any CPU, delayed, cancelled and waited for: each time
 * that it was queued it runs or is cancelled.
 */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/thread.h>
#include <kern/work.h>
#include <lib/string.h>
#include <test/test.h>

#include "torture.h"

/*
 * Of one worker, on its stack.
 */
struct work_torture {
    struct work_delayed delayed;
    struct torture *torture;
    atomic_uint nr_runs;
    atomic_uint nr_inside;
};

static void
work_torture_called(struct work *work)
{
    struct work_torture *one =
        container_of(work, struct work_torture, delayed.work);

    if (atomic_fetch_add(&one->nr_inside, 1) != 0) {
        torture_complain(one->torture, "it runs twice at once");
    }
    if (atomic_fetch_add(&one->nr_runs, 1) % 4 == 0) {
        thread_yield();
    }
    atomic_fetch_sub(&one->nr_inside, 1);
}

/* Have it queued now; returns whether it was not already. */
static bool
work_torture_queue(struct torture_worker *worker, struct work *work)
{
    uint32_t cpu = (uint32_t)rand_below(&worker->rand, cpu_nr_possible);

    return cpu_is_online(cpu) ? work_queue_on(cpu, work) : work_queue(work);
}

static void
work_torture_now(struct torture_worker *worker, struct work_torture *one)
{
    unsigned nr_queued = 0;
    unsigned n = 1 + (unsigned)rand_below(&worker->rand, 4);

    while (n-- > 0) {
        nr_queued += work_torture_queue(worker, &one->delayed.work);
        torture_dawdle(worker);
    }
    if (rand_below(&worker->rand, 2) == 0) {
        nr_queued -= work_cancel(&one->delayed.work);
    } else {
        work_flush(&one->delayed.work);
    }
    TORTURE_EXPECT(worker, atomic_load(&one->nr_runs) == nr_queued);
}

static void
work_torture_later(struct torture_worker *worker, struct work_torture *one)
{
    unsigned nr_left = 1;

    work_delayed_start(&one->delayed,
                       clock_now() + rand_below(&worker->rand, 20000));
    torture_dawdle(worker);
    nr_left -= work_delayed_cancel(&one->delayed);
    TORTURE_EXPECT(worker, atomic_load(&one->nr_runs) == nr_left);
}

static void
work_torture_round(struct torture_worker *worker)
{
    struct work_torture one = { .torture = worker->torture };

    work_delayed_init(&one.delayed, work_torture_called);
    if (rand_below(&worker->rand, 3) != 0) {
        work_torture_now(worker, &one);
    } else {
        work_torture_later(worker, &one);
    }
    TORTURE_EXPECT(worker, atomic_load(&one.nr_inside) == 0);
    memset(&one, 0xa5, sizeof(one));
}

TEST(work, torture_runs_what_is_not_cancelled)
{
    struct torture *torture = torture_alloc(t, sizeof(*torture));

    torture->round = work_torture_round;
    torture->rounds = 60;
    torture_run(t, torture);
}
