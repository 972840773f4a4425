/* SPDX-License-Identifier: MIT */
/*
 * Condition variables: a bounded buffer of numbers, of which none is lost.
 */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/cond.h>
#include <kern/mutex.h>
#include <kern/rtmutex.h>
#include <kern/thread.h>
#include <test/test.h>

#include "torture.h"

#define COND_TORTURE_ROOM 3

/*
 * Keys: [M] the mutex of the kind that the test is about
 */
struct cond_torture {
    struct torture torture;
    bool inherits; /* constant: the mutex is of the other kind */
    struct mutex mutex;
    struct rtmutex rtmutex;
    struct cond not_full;
    struct cond not_empty;
    uint64_t numbers[COND_TORTURE_ROOM]; /* [M] */
    unsigned nr;                         /* [M] */
    uint64_t next;                       /* [M] number to put in */
    uint64_t sum_put;                    /* [M] */
    uint64_t sum_taken;                  /* [M] */
};

static void
cond_torture_lock(struct cond_torture *torture)
{
    if (torture->inherits) {
        rtmutex_lock(&torture->rtmutex);
    } else {
        mutex_lock(&torture->mutex);
    }
}

static void
cond_torture_unlock(struct cond_torture *torture)
{
    if (torture->inherits) {
        rtmutex_unlock(&torture->rtmutex);
    } else {
        mutex_unlock(&torture->mutex);
    }
}

static void
cond_torture_wait(struct torture_worker *worker, struct cond *cond)
{
    struct cond_torture *torture = worker->torture->arg;
    uint64_t deadline;
    status_t status;

    deadline = torture_deadline(worker);
    if (torture->inherits) {
        status = cond_wait_rt_until(cond, &torture->rtmutex, deadline);
        TORTURE_EXPECT(worker, rtmutex_is_owned(&torture->rtmutex));
    } else {
        status = cond_wait_until(cond, &torture->mutex, deadline);
        TORTURE_EXPECT(worker, mutex_is_owned(&torture->mutex));
    }
    TORTURE_EXPECT(worker, status == OK || deadline != CLOCK_NEVER);
}

/* There is one thing more of something; holding the mutex, or not. */
static void
cond_torture_tell(struct torture_worker *worker, struct cond *cond)
{
    struct cond_torture *torture = worker->torture->arg;
    bool is_early = rand_below(&worker->rand, 2) == 0;

    if (!is_early) {
        cond_torture_unlock(torture);
    }
    if (rand_below(&worker->rand, 4) == 0) {
        cond_broadcast(cond);
    } else {
        cond_signal(cond);
    }
    if (is_early) {
        cond_torture_unlock(torture);
    }
}

/* Put a number in, then take one out. */
static void
cond_torture_round(struct torture_worker *worker)
{
    struct cond_torture *torture = worker->torture->arg;

    cond_torture_lock(torture);
    while (torture->nr == COND_TORTURE_ROOM) {
        cond_torture_wait(worker, &torture->not_full);
    }
    torture->numbers[torture->nr++] = ++torture->next;
    torture->sum_put += torture->next;
    TORTURE_EXPECT(worker, torture->nr <= COND_TORTURE_ROOM);
    cond_torture_tell(worker, &torture->not_empty);

    torture_dawdle(worker);
    cond_torture_lock(torture);
    while (torture->nr == 0) {
        cond_torture_wait(worker, &torture->not_empty);
    }
    torture->sum_taken += torture->numbers[--torture->nr];
    cond_torture_tell(worker, &torture->not_full);
}

static void
cond_torture_run(struct test *t, bool inherits)
{
    struct cond_torture *torture = torture_alloc(t, sizeof(*torture));

    torture->torture.round = cond_torture_round;
    torture->torture.rounds = 60;
    torture->torture.arg = torture;
    torture->inherits = inherits;
    mutex_init(&torture->mutex, LOCK_TEST_UNORDERED, "test");
    rtmutex_init(&torture->rtmutex, LOCK_TEST_UNORDERED, "test");
    cond_init(&torture->not_full);
    cond_init(&torture->not_empty);
    torture_run(t, &torture->torture);
    EXPECT_EQ(torture->nr, 0);
    EXPECT_EQ(torture->sum_taken, torture->sum_put);
    EXPECT_EQ(torture->next,
              torture->torture.rounds * torture->torture.nr_workers);
}

TEST(cond, torture_loses_no_signal)
{
    cond_torture_run(t, false);
}

TEST(cond, torture_with_inheritance_loses_no_signal)
{
    cond_torture_run(t, true);
}
