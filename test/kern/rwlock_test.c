/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/rwlock.h>
#include <kern/thread.h>
#include <test/test.h>

struct rw {
    struct rwlock lock;
    uint64_t a, b; /* equal, protected by lock */
    uint64_t rounds;
    atomic_uint nr_bad;
    atomic_uint nr_writes;
    atomic_uint nr_inside;
    atomic_uint nr_together;
};

/* Another thread, that goes in and out again if it can. */
struct visitor {
    struct rwlock *lock;
    uint64_t patience; /* nanoseconds */
    bool writes;
    status_t status;
};

static void
visit(void *arg)
{
    struct visitor *visitor = arg;
    uint64_t deadline = clock_now() + visitor->patience;

    if (visitor->writes) {
        visitor->status = rwlock_write_lock_until(visitor->lock, deadline);
    } else {
        visitor->status = rwlock_read_lock_until(visitor->lock, deadline);
    }
    if (visitor->status != OK) {
        return;
    }
    if (visitor->writes) {
        rwlock_write_unlock(visitor->lock);
    } else {
        rwlock_read_unlock(visitor->lock);
    }
}

static status_t
visit_elsewhere(struct rwlock *lock, bool writes, uint64_t patience)
{
    struct visitor visitor = { .lock = lock,
                               .patience = patience,
                               .writes = writes };
    struct thread *thread;

    thread = thread_create("visitor", visit, &visitor, NULL);
    verify(thread != NULL);
    thread_join(thread);
    return visitor.status;
}

TEST(rwlock, readers_share_and_writers_do_not)
{
    struct rwlock lock;

    rwlock_init(&lock, LOCK_TEST_UNORDERED, "test");
    rwlock_read_lock(&lock);
    EXPECT_EQ(visit_elsewhere(&lock, false, 0), OK);
    EXPECT_EQ(visit_elsewhere(&lock, true, 300000), ERR_TIMEOUT);
    /* A writer that gave up keeps nobody out. */
    EXPECT_EQ(visit_elsewhere(&lock, false, 0), OK);
    rwlock_read_unlock(&lock);
    EXPECT_EQ(rwlock_write_lock_until(&lock, clock_now()), OK);
    EXPECT_EQ(visit_elsewhere(&lock, false, 300000), ERR_TIMEOUT);
    rwlock_write_unlock(&lock);
}

static void
write_once(void *arg)
{
    struct rw *rw = arg;

    rwlock_write_lock(&rw->lock);
    rw->a++;
    atomic_store(&rw->nr_writes, 1);
    rwlock_write_unlock(&rw->lock);
}

static void
read_once(void *arg)
{
    struct rw *rw = arg;

    rwlock_read_lock(&rw->lock);
    /* The writer came first. */
    atomic_fetch_add(&rw->nr_bad, atomic_load(&rw->nr_writes) == 0);
    rwlock_read_unlock(&rw->lock);
}

TEST(rwlock, reader_lets_a_waiting_writer_first)
{
    struct thread *writer, *reader;
    struct rw rw = { .rounds = 0 };

    rwlock_init(&rw.lock, LOCK_TEST_UNORDERED, "test");
    rwlock_read_lock(&rw.lock);
    writer = thread_create("writer", write_once, &rw, NULL);
    ASSERT(writer != NULL);
    while (list_is_empty(&rw.lock.writers)) {
        test_pause();
    }
    reader = thread_create("reader", read_once, &rw, NULL);
    ASSERT(reader != NULL);
    while (READ_ONCE(rw.lock.nr_waiting) == 0) {
        test_pause();
    }
    rwlock_read_unlock(&rw.lock);
    thread_join(writer);
    thread_join(reader);
    EXPECT_EQ(atomic_load(&rw.nr_bad), 0);
}

static void
rw_write(struct rw *rw, uint64_t deadline)
{
    if (rwlock_write_lock_until(&rw->lock, deadline) != OK) {
        return;
    }
    rw->a++;
    thread_yield();
    rw->b++;
    atomic_fetch_add(&rw->nr_writes, 1);
    rwlock_write_unlock(&rw->lock);
}

static void
rw_read(struct rw *rw, uint64_t deadline)
{
    if (rwlock_read_lock_until(&rw->lock, deadline) != OK) {
        return;
    }
    atomic_fetch_add(&rw->nr_bad, rw->a != rw->b);
    rwlock_read_unlock(&rw->lock);
}

static void
rw_use(void *arg)
{
    struct rw *rw = arg;
    struct rand rand;
    uint64_t i, deadline;

    rand_init(&rand, (uintptr_t)thread_self());
    for (i = 0; i < rw->rounds; i++) {
        deadline = rand_below(&rand, 3) == 0
                       ? clock_now() + rand_below(&rand, 100000)
                       : CLOCK_NEVER;
        if (rand_below(&rand, 4) == 0) {
            rw_write(rw, deadline);
        } else {
            rw_read(rw, deadline);
        }
    }
}

TEST(rwlock, excludes_with_timeouts_on_all_cpus)
{
    struct rw rw = { .rounds = 400 * t->iterations };

    rwlock_init(&rw.lock, LOCK_TEST_UNORDERED, "test");
    all_cpus_run(rw_use, &rw);
    EXPECT_EQ(atomic_load(&rw.nr_bad), 0);
    EXPECT_EQ(rw.a, atomic_load(&rw.nr_writes));
    EXPECT_EQ(rw.lock.nr_readers, 0);
    EXPECT_EQ(rw.lock.nr_waiting, 0);
    EXPECT(rw.lock.writer == NULL);
}
