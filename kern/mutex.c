/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/lock_sleep.h>
#include <kern/mutex.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <lib/macros.h>

/* In the owner word: the queue has waiters. */
#define MUTEX_CONTENDED UINT64_C(1)

/* How often a spinning thread looks before it sleeps. */
#define MUTEX_SPINS 200

void
mutex_init(struct mutex *mutex, enum lock_rank rank, const char *name)
{
    lock_class_init(&mutex->class, rank, name);
    atomic_init(&mutex->owner, 0);
    waitq_init(&mutex->queue);
}

static bool
mutex_take(struct mutex *mutex)
{
    uintptr_t expected;

    expected = 0;
    /* Pairs with the release in mutex_unlock(). */
    return atomic_compare_exchange_strong_explicit(&mutex->owner, &expected,
                                                   (uintptr_t)thread_self(),
                                                   memory_order_acquire,
                                                   memory_order_relaxed);
}

/*
 * Spin while the owner runs and nobody sleeps yet.  Threads are type-stable,
 * so looking at an owner that has gone is harmless.
 *
 * Returns: whether the mutex was taken
 */
static bool
mutex_spin(struct mutex *mutex)
{
    const struct thread *owner;
    uintptr_t word;
    unsigned n;

    for (n = 0; n < MUTEX_SPINS; n++) {
        word = atomic_load_explicit(&mutex->owner, memory_order_relaxed);
        if (word == 0 && mutex_take(mutex)) {
            return true;
        }
        owner = (const struct thread *)word;
        if ((word & MUTEX_CONTENDED) ||
            (owner != NULL && READ_ONCE(owner->state) != THREAD_RUNNING)) {
            return false;
        }
        cpu_pause();
    }
    return false;
}

/*
 * Under the queue's lock: take the mutex if it is free by now, else flag it.
 *
 * Returns: whether it was taken
 */
static bool
mutex_take_or_flag_locked(struct mutex *mutex)
{
    uintptr_t owner, wanted;

    owner = atomic_load_explicit(&mutex->owner, memory_order_relaxed);
    do {
        wanted = owner == 0 ? (uintptr_t)thread_self()
                            : owner | MUTEX_CONTENDED;
    } while (!atomic_compare_exchange_weak_explicit(&mutex->owner, &owner,
                                                    wanted,
                                                    memory_order_acquire,
                                                    memory_order_relaxed));
    return owner == 0;
}

/* The last waiter has given up: the owner may unlock without the queue. */
static void
mutex_unflag(struct mutex *mutex)
{
    uint64_t flags;

    flags = waitq_lock(&mutex->queue);
    if (!waitq_has_waiters_locked(&mutex->queue)) {
        atomic_fetch_and_explicit(&mutex->owner, ~MUTEX_CONTENDED,
                                  memory_order_relaxed);
    }
    waitq_unlock(&mutex->queue, flags);
}

static status_t
mutex_lock_slow(struct mutex *mutex, uint64_t deadline)
{
    status_t status;
    uint64_t flags;

    assert(!mutex_is_owned(mutex));
    if (mutex_spin(mutex)) {
        return OK;
    }

    flags = waitq_lock(&mutex->queue);
    if (mutex_take_or_flag_locked(mutex)) {
        waitq_unlock(&mutex->queue, flags);
        return OK;
    }
    status = waitq_wait_locked(&mutex->queue, flags, deadline);
    if (status != OK) {
        mutex_unflag(mutex);
    }
    return status;
}

status_t
mutex_lock_until(struct mutex *mutex, uint64_t deadline)
{
    status_t status = OK;

    lock_sleep_acquire(&mutex->class, mutex);
    if (unlikely(!mutex_take(mutex))) {
        status = mutex_lock_slow(mutex, deadline);
    }
    if (status == OK) {
        lock_sleep_acquired(&mutex->class, mutex);
    }
    return status;
}

bool
mutex_try_lock(struct mutex *mutex)
{
    bool is_taken = mutex_take(mutex);

    if (is_taken) {
        lock_sleep_acquired(&mutex->class, mutex);
    }
    return is_taken;
}

void
mutex_lock(struct mutex *mutex)
{
    status_t status;

    status = mutex_lock_until(mutex, CLOCK_NEVER);
    verify(status == OK);
}

/*
 * Give the mutex to the first waiter, or free it when all have given up.
 */
static void
mutex_unlock_slow(struct mutex *mutex)
{
    struct thread *next;
    uintptr_t owner;
    uint64_t flags;

    flags = waitq_lock(&mutex->queue);
    next = waitq_first_locked(&mutex->queue);
    owner = (uintptr_t)next;
    if (waitq_has_two_waiters_locked(&mutex->queue)) {
        owner |= MUTEX_CONTENDED;
    }
    /* The new owner may unlock as soon as it is woken. */
    atomic_store_explicit(&mutex->owner, owner, memory_order_release);
    waitq_wake_one_locked(&mutex->queue);
    waitq_unlock(&mutex->queue, flags);
}

void
mutex_unlock(struct mutex *mutex)
{
    uintptr_t expected;

    assert(mutex_is_owned(mutex));
    lock_sleep_release(&mutex->class, mutex);
    expected = (uintptr_t)thread_self();
    /* Pairs with the acquire in mutex_take(). */
    if (unlikely(!atomic_compare_exchange_strong_explicit(
            &mutex->owner, &expected, 0, memory_order_release,
            memory_order_relaxed))) {
        mutex_unlock_slow(mutex);
    }
}

bool
mutex_is_owned(const struct mutex *mutex)
{
    return (atomic_load_explicit(&mutex->owner, memory_order_relaxed) &
            ~MUTEX_CONTENDED) == (uintptr_t)thread_self();
}
