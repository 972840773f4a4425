/* SPDX-License-Identifier: MIT */
/*
 * Threads and locks.  Both sides of a switch do the same, so that half of what
 * a round takes is one way.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <kern/mutex.h>
#include <kern/rtmutex.h>
#include <kern/sem.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <test/bench.h>

/*
 * Two threads pinned to one CPU: one measures, the other is its peer.
 */
struct bench_pair {
    struct bench *b;
    struct thread *meter;
    struct thread *peer;
    void (*peer_fn)(void *arg);
    int peer_priority;
    atomic_bool stop;
    uint64_t stamp; /* counter when the peer last ran */
};

#define BENCH_PRIORITY 100

static struct thread *
bench_pair_thread(struct bench_pair *pair, const char *name, thread_fn_t fn,
                  int priority)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .pinned = true };
    struct thread *thread;

    attr.priority = priority;
    thread = thread_create(name, fn, pair, &attr);
    verify(thread != NULL);
    return thread;
}

static void
bench_pair_run(struct bench_pair *pair, struct bench *b, thread_fn_t meter)
{
    struct thread *thread;

    pair->b = b;
    atomic_init(&pair->stop, false);
    thread = bench_pair_thread(pair, "meter", meter, BENCH_PRIORITY);
    thread_join(thread);
}

/* First and last thing that who measures does. */
static void
bench_pair_begin(struct bench_pair *pair)
{
    pair->meter = thread_self();
    pair->peer = bench_pair_thread(pair, "peer", pair->peer_fn,
                                   BENCH_PRIORITY + pair->peer_priority);
}

static void
bench_pair_end(struct bench_pair *pair)
{
    atomic_store(&pair->stop, true);
    thread_unpark(pair->peer);
    thread_join(pair->peer);
}

static void
peer_yield(void *arg)
{
    struct bench_pair *pair = arg;

    while (!atomic_load_explicit(&pair->stop, memory_order_relaxed)) {
        pair->stamp = clock_counter();
        thread_yield();
    }
}

/* From before the yield to the first instruction of the other thread. */
static void
meter_switch(void *arg)
{
    struct bench_pair *pair = arg;
    uint64_t start;
    bool more;

    bench_pair_begin(pair);
    thread_yield();
    do {
        start = clock_counter();
        thread_yield();
        more = bench_end_pass(pair->b, pair->stamp - start);
    } while (more);
    bench_pair_end(pair);
}

BENCH(thread, switch)
{
    struct bench_pair pair = { .peer_fn = peer_yield };

    bench_pair_run(&pair, b, meter_switch);
}

static void
peer_park(void *arg)
{
    struct bench_pair *pair = arg;

    while (!atomic_load_explicit(&pair->stop, memory_order_relaxed)) {
        thread_park(CLOCK_NEVER);
        pair->stamp = clock_counter();
    }
}

/* From the unpark of a more urgent thread to its first instruction. */
static void
meter_wakeup(void *arg)
{
    struct bench_pair *pair = arg;
    uint64_t start;
    bool more;

    bench_pair_begin(pair);
    do {
        start = clock_counter();
        thread_unpark(pair->peer);
        more = bench_end_pass(pair->b, pair->stamp - start);
    } while (more);
    bench_pair_end(pair);
}

BENCH(thread, wakeup)
{
    struct bench_pair pair = { .peer_fn = peer_park, .peer_priority = 1 };

    bench_pair_run(&pair, b, meter_wakeup);
}

static void
peer_hand_off(void *arg)
{
    struct bench_pair *pair = arg;

    /* The first hand-off found this thread ready, and left a permit. */
    thread_park(CLOCK_NEVER);
    while (!atomic_load_explicit(&pair->stop, memory_order_relaxed)) {
        pair->stamp = clock_counter();
        thread_hand_off(pair->meter);
    }
}

/* From the hand-off to the first instruction of the other thread. */
static void
meter_hand_off(void *arg)
{
    struct bench_pair *pair = arg;
    uint64_t start;
    bool more;

    bench_pair_begin(pair);
    thread_hand_off(pair->peer);
    do {
        start = clock_counter();
        thread_hand_off(pair->peer);
        more = bench_end_pass(pair->b, pair->stamp - start);
    } while (more);
    bench_pair_end(pair);
}

BENCH(thread, hand_off)
{
    struct bench_pair pair = { .peer_fn = peer_hand_off };

    bench_pair_run(&pair, b, meter_hand_off);
}

static void
bench_do_nothing(void *arg __unused)
{
}

BENCH(thread, create_join)
{
    struct thread *thread;

    BENCH_LOOP(b)
    {
        thread = thread_create("benchmark", bench_do_nothing, NULL, NULL);
        if (thread != NULL) {
            thread_join(thread);
        }
    }
}

BENCH(mutex, uncontended)
{
    struct mutex mutex;

    mutex_init(&mutex, LOCK_TEST_UNORDERED, "test");
    BENCH_LOOP(b)
    {
        mutex_lock(&mutex);
        mutex_unlock(&mutex);
    }
}

BENCH(rtmutex, uncontended)
{
    struct rtmutex mutex;

    rtmutex_init(&mutex, LOCK_TEST_UNORDERED, "test");
    BENCH_LOOP(b)
    {
        rtmutex_lock(&mutex);
        rtmutex_unlock(&mutex);
    }
}

BENCH(sem, take_release)
{
    struct sem sem;

    sem_init(&sem, 1);
    BENCH_LOOP(b)
    {
        sem_take(&sem);
        sem_release(&sem);
    }
}
