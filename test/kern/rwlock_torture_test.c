/* SPDX-License-Identifier: MIT */
/*
 * Read-write locks: readers see what a writer has finished, also those whose
 * wait ends early.
 */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/rwlock.h>
#include <test/test.h>

#include "torture.h"

/*
 * Keys: [L] the lock
 */
struct rwlock_torture {
    struct torture torture;
    struct rwlock lock;
    uint64_t first;  /* [L] */
    uint64_t second; /* [L] equal, but while a writer is in */
    atomic_uint nr_readers;
    atomic_uint nr_writes;
};

static void
rwlock_torture_write(struct torture_worker *worker)
{
    struct rwlock_torture *torture = worker->torture->arg;
    uint64_t deadline = torture_deadline(worker);

    if (rwlock_write_lock_until(&torture->lock, deadline) != OK) {
        TORTURE_EXPECT(worker, deadline != CLOCK_NEVER);
        return;
    }
    TORTURE_EXPECT(worker, atomic_load(&torture->nr_readers) == 0);
    TORTURE_EXPECT(worker, torture->first == torture->second);
    torture->first++;
    torture_dawdle(worker);
    torture->second++;
    atomic_fetch_add(&torture->nr_writes, 1);
    rwlock_write_unlock(&torture->lock);
}

static void
rwlock_torture_read(struct torture_worker *worker)
{
    struct rwlock_torture *torture = worker->torture->arg;
    uint64_t deadline = torture_deadline(worker);

    if (rwlock_read_lock_until(&torture->lock, deadline) != OK) {
        TORTURE_EXPECT(worker, deadline != CLOCK_NEVER);
        return;
    }
    atomic_fetch_add(&torture->nr_readers, 1);
    TORTURE_EXPECT(worker, torture->first == torture->second);
    torture_dawdle(worker);
    TORTURE_EXPECT(worker, torture->first == torture->second);
    atomic_fetch_sub(&torture->nr_readers, 1);
    rwlock_read_unlock(&torture->lock);
}

static void
rwlock_torture_round(struct torture_worker *worker)
{
    if (rand_below(&worker->rand, 4) == 0) {
        rwlock_torture_write(worker);
    } else {
        rwlock_torture_read(worker);
    }
}

TEST(rwlock, torture_keeps_writers_alone)
{
    struct rwlock_torture *torture = torture_alloc(t, sizeof(*torture));

    torture->torture.round = rwlock_torture_round;
    torture->torture.rounds = 120;
    torture->torture.arg = torture;
    rwlock_init(&torture->lock, LOCK_TEST_UNORDERED, "test");
    torture_run(t, &torture->torture);
    EXPECT_EQ(torture->first, atomic_load(&torture->nr_writes));
    EXPECT_EQ(torture->second, torture->first);
    EXPECT_EQ(torture->lock.nr_readers, 0);
    EXPECT_EQ(torture->lock.nr_waiting, 0);
    EXPECT(torture->lock.writer == NULL);
}
