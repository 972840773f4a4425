/* SPDX-License-Identifier: MIT */
/*
 * Wait queues: each that was woken was woken by somebody, once.
 */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/waitq.h>
#include <test/test.h>

#include "torture.h"

struct waitq_torture {
    struct torture torture;
    struct waitq one;     /* woken one by one */
    struct waitq all;     /* woken together */
    atomic_uint nr_begun; /* times that @all was woken */
    atomic_uint nr_ended;
    atomic_uint nr_waked;
    atomic_uint nr_woken;
};

static uint64_t
waitq_torture_deadline(struct torture_worker *worker)
{
    return clock_now() + rand_below(&worker->rand, 50000);
}

static void
waitq_torture_wait_one(struct torture_worker *worker)
{
    struct waitq_torture *torture = worker->torture->arg;
    uint64_t flags;

    flags = waitq_lock(&torture->one);
    if (waitq_wait_locked(&torture->one, flags,
                          waitq_torture_deadline(worker)) == OK) {
        atomic_fetch_add(&torture->nr_woken, 1);
    }
}

static void
waitq_torture_wake_one(struct waitq_torture *torture)
{
    uint64_t flags;

    flags = waitq_lock(&torture->one);
    if (waitq_wake_one_locked(&torture->one) != NULL) {
        atomic_fetch_add(&torture->nr_waked, 1);
    }
    waitq_unlock(&torture->one, flags);
}

/* Whoever was woken was so by a call that had not ended when it came. */
static void
waitq_torture_wait_all(struct torture_worker *worker)
{
    struct waitq_torture *torture = worker->torture->arg;
    unsigned nr_ended;
    uint64_t flags;

    nr_ended = atomic_load(&torture->nr_ended);
    flags = waitq_lock(&torture->all);
    if (waitq_wait_locked(&torture->all, flags,
                          waitq_torture_deadline(worker)) == OK) {
        TORTURE_EXPECT(worker, atomic_load(&torture->nr_begun) != nr_ended);
    }
}

static void
waitq_torture_wake_all(struct waitq_torture *torture)
{
    atomic_fetch_add(&torture->nr_begun, 1);
    waitq_wake_all(&torture->all);
    atomic_fetch_add(&torture->nr_ended, 1);
}

static void
waitq_torture_round(struct torture_worker *worker)
{
    struct waitq_torture *torture = worker->torture->arg;

    switch (rand_below(&worker->rand, 8)) {
    case 0:
        waitq_torture_wait_one(worker);
        break;
    case 1:
        waitq_torture_wait_all(worker);
        break;
    case 2:
        waitq_torture_wake_all(torture);
        break;
    default:
        waitq_torture_wake_one(torture);
        break;
    }
    torture_dawdle(worker);
}

static void
waitq_torture_expect_empty(struct test *t, struct waitq *queue)
{
    uint64_t flags;

    flags = waitq_lock(queue);
    EXPECT(!waitq_has_waiters_locked(queue));
    waitq_unlock(queue, flags);
}

TEST(waitq, torture_wakes_each_once)
{
    struct waitq_torture *torture = torture_alloc(t, sizeof(*torture));

    torture->torture.round = waitq_torture_round;
    torture->torture.rounds = 200;
    torture->torture.arg = torture;
    waitq_init(&torture->one);
    waitq_init(&torture->all);
    torture_run(t, &torture->torture);
    EXPECT_EQ(atomic_load(&torture->nr_woken), atomic_load(&torture->nr_waked));
    waitq_torture_expect_empty(t, &torture->one);
    waitq_torture_expect_empty(t, &torture->all);
}
