/* SPDX-License-Identifier: MIT */
/*
 * Mutexes of both kinds, with deadlines, one inside of the other.
 */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/mutex.h>
#include <kern/rtmutex.h>
#include <kern/thread.h>
#include <test/test.h>

#include "torture.h"

#define MUTEX_TORTURE_LOCKS 4

/*
 * Keys: [M] the mutex
 */
struct mutex_cell {
    struct mutex mutex;
    struct rtmutex rtmutex;
    uint64_t nr_in;  /* [M] how often somebody was */
    uint64_t nr_out; /* [M] */
};

struct mutex_torture {
    struct torture torture;
    struct mutex_cell cells[MUTEX_TORTURE_LOCKS];
    atomic_uint nr_in;
};

/* How to use a mutex of a kind. */
struct mutex_kind {
    status_t (*lock_until)(struct mutex_cell *cell, uint64_t deadline);
    bool (*try_lock)(struct mutex_cell *cell);
    void (*unlock)(struct mutex_cell *cell);
    bool (*is_owned)(const struct mutex_cell *cell);
};

static status_t
mutex_cell_lock_until(struct mutex_cell *cell, uint64_t deadline)
{
    return mutex_lock_until(&cell->mutex, deadline);
}

static bool
mutex_cell_try_lock(struct mutex_cell *cell)
{
    return mutex_try_lock(&cell->mutex);
}

static void
mutex_cell_unlock(struct mutex_cell *cell)
{
    mutex_unlock(&cell->mutex);
}

static bool
mutex_cell_is_owned(const struct mutex_cell *cell)
{
    return mutex_is_owned(&cell->mutex);
}

static const struct mutex_kind mutex_plain = {
    .lock_until = mutex_cell_lock_until,
    .try_lock = mutex_cell_try_lock,
    .unlock = mutex_cell_unlock,
    .is_owned = mutex_cell_is_owned,
};

static status_t
rtmutex_cell_lock_until(struct mutex_cell *cell, uint64_t deadline)
{
    return rtmutex_lock_until(&cell->rtmutex, deadline);
}

static bool
rtmutex_cell_try_lock(struct mutex_cell *cell)
{
    return rtmutex_try_lock(&cell->rtmutex);
}

static void
rtmutex_cell_unlock(struct mutex_cell *cell)
{
    rtmutex_unlock(&cell->rtmutex);
}

static bool
rtmutex_cell_is_owned(const struct mutex_cell *cell)
{
    return rtmutex_is_owned(&cell->rtmutex);
}

static const struct mutex_kind mutex_inheriting = {
    .lock_until = rtmutex_cell_lock_until,
    .try_lock = rtmutex_cell_try_lock,
    .unlock = rtmutex_cell_unlock,
    .is_owned = rtmutex_cell_is_owned,
};

static bool
mutex_torture_lock(struct torture_worker *worker, const struct mutex_kind *kind,
                   struct mutex_cell *cell)
{
    uint64_t deadline;

    if (rand_below(&worker->rand, 8) == 0) {
        return kind->try_lock(cell);
    }
    deadline = torture_deadline(worker);
    if (kind->lock_until(cell, deadline) == OK) {
        return true;
    }
    TORTURE_EXPECT(worker, deadline != CLOCK_NEVER);
    return false;
}

/* Lock some of the cells from @i on, each inside of the one before. */
static void
mutex_torture_nest(struct torture_worker *worker, const struct mutex_kind *kind,
                   unsigned i)
{
    struct mutex_torture *torture = worker->torture->arg;
    struct mutex_cell *cell = &torture->cells[i];

    if (!mutex_torture_lock(worker, kind, cell)) {
        return;
    }
    TORTURE_EXPECT(worker, kind->is_owned(cell));
    TORTURE_EXPECT(worker, cell->nr_in == cell->nr_out);
    cell->nr_in++;
    atomic_fetch_add(&torture->nr_in, 1);
    torture_dawdle(worker);
    i += 1 + (unsigned)rand_below(&worker->rand, MUTEX_TORTURE_LOCKS);
    if (i < MUTEX_TORTURE_LOCKS) {
        mutex_torture_nest(worker, kind, i);
    }
    cell->nr_out++;
    kind->unlock(cell);
}

static void
mutex_torture_run(struct test *t, void (*round)(struct torture_worker *worker),
                  void (*finish)(struct torture_worker *worker))
{
    struct mutex_torture *torture = torture_alloc(t, sizeof(*torture));
    uint64_t nr_in;
    unsigned i;

    torture->torture.round = round;
    torture->torture.finish = finish;
    torture->torture.rounds = 100;
    torture->torture.arg = torture;
    for (i = 0; i < MUTEX_TORTURE_LOCKS; i++) {
        mutex_init(&torture->cells[i].mutex, LOCK_TEST_UNORDERED, "test");
        rtmutex_init(&torture->cells[i].rtmutex, LOCK_TEST_UNORDERED, "test");
    }
    torture_run(t, &torture->torture);
    nr_in = 0;
    for (i = 0; i < MUTEX_TORTURE_LOCKS; i++) {
        nr_in += torture->cells[i].nr_in;
        EXPECT_EQ(torture->cells[i].nr_in, torture->cells[i].nr_out);
        EXPECT_EQ(atomic_load(&torture->cells[i].mutex.owner), 0);
        EXPECT_EQ(atomic_load(&torture->cells[i].rtmutex.owner), 0);
    }
    EXPECT_EQ(nr_in, atomic_load(&torture->nr_in));
    EXPECT(nr_in != 0);
}

static void
mutex_torture_plain(struct torture_worker *worker)
{
    mutex_torture_nest(worker, &mutex_plain, 0);
}

TEST(mutex, torture_lets_one_in)
{
    mutex_torture_run(t, mutex_torture_plain, NULL);
}

static void
mutex_torture_inheriting(struct torture_worker *worker)
{
    mutex_torture_nest(worker, &mutex_inheriting, 0);
}

/* Who owns nothing inherits nothing, however its waiters left. */
static void
mutex_torture_expect_own_priority(struct torture_worker *worker)
{
    struct thread *self = thread_self();

    TORTURE_EXPECT(worker, self->priority == self->base_priority);
    TORTURE_EXPECT(worker, self->inherited == THREAD_PRIORITY_IDLE);
}

TEST(rtmutex, torture_lets_one_in_and_leaves_no_priority)
{
    mutex_torture_run(t, mutex_torture_inheriting,
                      mutex_torture_expect_own_priority);
}
