/* SPDX-License-Identifier: MIT */
/*
 * Threads and locks that stay on one CPU.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/mutex.h>
#include <kern/rtmutex.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <test/sharing/share.h>

/*
 * Keys: [c] constant once the second runs   [a] atomic
 */
struct thread_pair {
    struct thread *first;  /* [c] */
    struct thread *second; /* [c] */
    atomic_bool ends;      /* [a] */
};

static void
thread_pair_create(struct thread_pair *pair, thread_fn_t fn)
{
    struct thread_attr attr = { .pinned = true, .cpu = cpu_id() };

    pair->first = thread_self();
    atomic_init(&pair->ends, false);
    pair->second = thread_create("share", fn, pair, &attr);
    verify(pair->second != NULL);
}

static void
thread_pair_destroy(struct thread_pair *pair)
{
    atomic_store(&pair->ends, true);
    thread_unpark(pair->second);
    thread_join(pair->second);
}

static void
thread_pair_yield(void *arg)
{
    struct thread_pair *pair = arg;

    while (!atomic_load(&pair->ends)) {
        thread_yield();
    }
}

static void
thread_pair_hand_off(void *arg)
{
    struct thread_pair *pair = arg;

    /* The first hand-off may find this thread ready, and leave a permit. */
    thread_park(CLOCK_NEVER);
    while (!atomic_load(&pair->ends)) {
        thread_hand_off(pair->first);
    }
}

static void
thread_pair_park(void *arg)
{
    struct thread_pair *pair = arg;

    while (!atomic_load(&pair->ends)) {
        thread_unpark(pair->first);
        thread_park(CLOCK_NEVER);
    }
}

/* To another thread of this CPU and back, as in the next two. */
SHARE(thread, yield)
{
    struct thread_pair pair;

    thread_pair_create(&pair, thread_pair_yield);
    SHARE_LOOP(s)
    {
        thread_yield();
    }
    thread_pair_destroy(&pair);
}

SHARE(thread, hand_off)
{
    struct thread_pair pair;

    thread_pair_create(&pair, thread_pair_hand_off);
    SHARE_LOOP(s)
    {
        thread_hand_off(pair.second);
    }
    thread_pair_destroy(&pair);
}

SHARE(thread, unpark_park)
{
    struct thread_pair pair;

    thread_pair_create(&pair, thread_pair_park);
    SHARE_LOOP(s)
    {
        thread_unpark(pair.second);
        thread_park(CLOCK_NEVER);
    }
    thread_pair_destroy(&pair);
}

static void
thread_do_nothing(void *arg __unused)
{
}

/* A thread of this CPU; it shares the list of all threads. */
SHARE(thread, create_join)
{
    struct thread_attr attr = { .pinned = true, .cpu = cpu_id() };
    struct thread *thread;

    SHARE_LOOP(s)
    {
        thread = thread_create("share", thread_do_nothing, NULL, &attr);
        verify(thread != NULL);
        thread_join(thread);
    }
}

/* A mutex of each CPU. */
SHARE(mutex, lock_unlock)
{
    struct mutex mutex;

    mutex_init(&mutex, LOCK_TEST_UNORDERED, "test");
    SHARE_LOOP(s)
    {
        mutex_lock(&mutex);
        mutex_unlock(&mutex);
    }
}

SHARE(rtmutex, lock_unlock)
{
    struct rtmutex mutex;

    rtmutex_init(&mutex, LOCK_TEST_UNORDERED, "test");
    SHARE_LOOP(s)
    {
        rtmutex_lock(&mutex);
        rtmutex_unlock(&mutex);
    }
}
