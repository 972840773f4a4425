/* SPDX-License-Identifier: MIT */
#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cond.h>
#include <kern/cpu.h>
#include <kern/mutex.h>
#include <kern/rtmutex.h>
#include <kern/thread.h>
#include <test/test.h>

TEST(cond, deadline_ends_the_wait)
{
    struct mutex mutex;
    struct cond cond;
    uint64_t deadline;

    mutex_init(&mutex, LOCK_TEST_UNORDERED, "test");
    cond_init(&cond);
    mutex_lock(&mutex);
    deadline = clock_now() + 1000000;
    EXPECT_EQ(cond_wait_until(&cond, &mutex, deadline), ERR_TIMEOUT);
    EXPECT(clock_now() >= deadline);
    EXPECT(mutex_is_owned(&mutex));
    mutex_unlock(&mutex);
}

TEST(cond, signal_without_waiter_is_forgotten)
{
    struct rtmutex mutex;
    struct cond cond;

    rtmutex_init(&mutex, LOCK_TEST_UNORDERED, "test");
    cond_init(&cond);
    cond_signal(&cond);
    cond_broadcast(&cond);
    rtmutex_lock(&mutex);
    EXPECT_EQ(cond_wait_rt_until(&cond, &mutex, clock_now() + 500000),
              ERR_TIMEOUT);
    EXPECT(rtmutex_is_owned(&mutex));
    rtmutex_unlock(&mutex);
}

#define BUFFER_SIZE 4

/* A buffer between threads, of which half put in and half take out. */
struct buffer {
    struct mutex mutex;
    struct cond not_full;
    struct cond not_empty;
    unsigned nr;       /* protected by mutex */
    uint64_t nr_taken; /* protected by mutex */
    uint64_t rounds;
    bool has_bad_number; /* protected by mutex */
};

static void
buffer_put(struct buffer *buffer)
{
    mutex_lock(&buffer->mutex);
    while (buffer->nr == BUFFER_SIZE) {
        cond_wait(&buffer->not_full, &buffer->mutex);
    }
    buffer->nr++;
    buffer->has_bad_number |= buffer->nr > BUFFER_SIZE;
    cond_signal(&buffer->not_empty);
    mutex_unlock(&buffer->mutex);
}

static void
buffer_take(struct buffer *buffer)
{
    status_t status;

    mutex_lock(&buffer->mutex);
    while (buffer->nr == 0) {
        /* Either way of waiting. */
        status = cond_wait_until(&buffer->not_empty, &buffer->mutex,
                                 clock_now() + 300000);
        (void)status;
    }
    buffer->nr--;
    buffer->nr_taken++;
    mutex_unlock(&buffer->mutex);
    cond_signal(&buffer->not_full);
}

static void
buffer_use(void *arg)
{
    struct buffer *buffer = arg;
    uint64_t i;

    for (i = 0; i < buffer->rounds; i++) {
        buffer_put(buffer);
        if (i % 8 == 0) {
            thread_yield();
        }
        buffer_take(buffer);
    }
}

TEST(cond, bounded_buffer_on_all_cpus)
{
    struct buffer buffer = { .rounds = 200 * t->iterations };

    mutex_init(&buffer.mutex, LOCK_TEST_UNORDERED, "test");
    cond_init(&buffer.not_full);
    cond_init(&buffer.not_empty);
    all_cpus_run(buffer_use, &buffer);
    EXPECT_EQ(buffer.nr, 0);
    EXPECT(!buffer.has_bad_number);
    EXPECT_EQ(buffer.nr_taken, buffer.rounds * cpu_nr_online());
}

struct gate {
    struct rtmutex mutex;
    struct cond cond;
    bool is_open;        /* protected by mutex */
    unsigned nr_waiting; /* protected by mutex */
};

static void
gate_pass(void *arg)
{
    struct gate *gate = arg;

    rtmutex_lock(&gate->mutex);
    gate->nr_waiting++;
    while (!gate->is_open) {
        cond_wait_rt(&gate->cond, &gate->mutex);
    }
    gate->nr_waiting--;
    rtmutex_unlock(&gate->mutex);
}

TEST(cond, broadcast_wakes_all)
{
    struct gate gate = { .is_open = false };
    struct thread *threads[8];
    unsigned i, nr;

    rtmutex_init(&gate.mutex, LOCK_TEST_UNORDERED, "test");
    cond_init(&gate.cond);
    for (i = 0; i < 8; i++) {
        threads[i] = thread_create("waits", gate_pass, &gate, NULL);
        ASSERT(threads[i] != NULL);
    }
    do {
        test_pause();
        rtmutex_lock(&gate.mutex);
        nr = gate.nr_waiting;
        gate.is_open = nr == 8;
        rtmutex_unlock(&gate.mutex);
    } while (nr != 8);
    cond_broadcast(&gate.cond);
    for (i = 0; i < 8; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(gate.nr_waiting, 0);
}
