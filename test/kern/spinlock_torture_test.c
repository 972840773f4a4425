/* SPDX-License-Identifier: MIT */
/*
 * Spin locks between threads that are preempted and moved, and interrupts.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/spinlock.h>
#include <kern/timer.h>
#include <test/test.h>

#include "torture.h"

/* Between interrupts: others still do something on an emulator of 10 MHz. */
#define SPIN_TORTURE_PERIOD_NS UINT64_C(200000)

/*
 * Two counts that are equal whenever the lock is free.
 *
 * Keys: [L] lock
 */
struct spin_pair {
    struct spinlock lock;
    uint64_t first;  /* [L] */
    uint64_t second; /* [L] */
    atomic_uint nr;  /* how often both were counted up */
};

struct spin_torture {
    struct torture torture;
    struct spin_pair outer;
    struct spin_pair inner; /* interrupts take it too */
    struct timer timer;
};

static void
spin_pair_count(struct torture *torture, struct spin_pair *pair)
{
    if (pair->first != pair->second) {
        torture_complain(torture, "two are in");
    }
    pair->first++;
    cpu_pause();
    pair->second++;
    atomic_fetch_add(&pair->nr, 1);
}

static void
spin_torture_inner(struct spin_torture *spin)
{
    uint64_t flags;

    flags = spinlock_lock_irqsave(&spin->inner.lock);
    spin_pair_count(&spin->torture, &spin->inner);
    spinlock_unlock_irqrestore(&spin->inner.lock, flags);
}

static void
spin_torture_interrupt(struct timer *timer)
{
    struct spin_torture *spin = container_of(timer, struct spin_torture, timer);

    spin_torture_inner(spin);
    timer_start(timer, clock_now() + SPIN_TORTURE_PERIOD_NS);
}

static void
spin_torture_round(struct torture_worker *worker)
{
    struct spin_torture *spin = worker->torture->arg;

    if (rand_below(&worker->rand, 4) != 0) {
        spinlock_lock(&spin->outer.lock);
    } else if (!spinlock_try_lock(&spin->outer.lock)) {
        spin_torture_inner(spin);
        return;
    }
    spin_pair_count(&spin->torture, &spin->outer);
    if (rand_below(&worker->rand, 4) == 0) {
        spin_torture_inner(spin);
    }
    spinlock_unlock(&spin->outer.lock);
    torture_dawdle(worker);
}

TEST(spinlock, torture_lets_one_in)
{
    struct spin_torture *spin = torture_alloc(t, sizeof(*spin));

    spin->torture.round = spin_torture_round;
    spin->torture.rounds = 300;
    spin->torture.arg = spin;
    spinlock_init(&spin->outer.lock, LOCK_TEST_OUTER, "test");
    spinlock_init(&spin->inner.lock, LOCK_TEST_INTERRUPT, "test");
    timer_init(&spin->timer, spin_torture_interrupt, "test");
    timer_start(&spin->timer, clock_now());
    torture_run(t, &spin->torture);
    timer_cancel(&spin->timer);
    EXPECT_EQ(spin->outer.first, atomic_load(&spin->outer.nr));
    EXPECT_EQ(spin->inner.first, atomic_load(&spin->inner.nr));
    EXPECT_EQ(spin->inner.second, atomic_load(&spin->inner.nr));
}
