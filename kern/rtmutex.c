/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/preempt.h>
#include <kern/lock_sleep.h>
#include <kern/rtmutex.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <lib/macros.h>

/* In the owner word: the turnstile has waiters. */
#define RTMUTEX_CONTENDED UINT64_C(1)

void
rtmutex_init(struct rtmutex *mutex, enum lock_rank rank, const char *name)
{
    lock_class_init(&mutex->class, rank, name);
    atomic_init(&mutex->owner, 0);
    turnstile_init(&mutex->turnstile);
}

static bool
rtmutex_take(struct rtmutex *mutex)
{
    uintptr_t expected;

    expected = 0;
    /* Pairs with the release in rtmutex_unlock(). */
    return atomic_compare_exchange_strong_explicit(&mutex->owner, &expected,
                                                   (uintptr_t)thread_self(),
                                                   memory_order_acquire,
                                                   memory_order_relaxed);
}

/*
 * Under the turnstile lock: take the mutex if it is free by now, else flag it,
 * so that its owner cannot release it without that lock.
 *
 * Returns: whether it was taken
 */
static bool
rtmutex_take_or_flag_locked(struct rtmutex *mutex)
{
    uintptr_t owner, wanted;

    owner = atomic_load_explicit(&mutex->owner, memory_order_relaxed);
    do {
        wanted = owner == 0 ? (uintptr_t)thread_self()
                            : owner | RTMUTEX_CONTENDED;
    } while (!atomic_compare_exchange_weak_explicit(&mutex->owner, &owner,
                                                    wanted,
                                                    memory_order_acquire,
                                                    memory_order_relaxed));
    if (owner == 0) {
        return true;
    }

    turnstile_set_owner_locked(&mutex->turnstile,
                               (struct thread *)(owner & ~RTMUTEX_CONTENDED));
    return false;
}

/* The last waiter has left without the mutex: no more inheritance. */
static void
rtmutex_unflag_locked(struct rtmutex *mutex)
{
    if (turnstile_has_waiters_locked(&mutex->turnstile)) {
        return;
    }

    turnstile_set_owner_locked(&mutex->turnstile, NULL);
    atomic_fetch_and_explicit(&mutex->owner, ~RTMUTEX_CONTENDED,
                              memory_order_relaxed);
}

/* Returns: OK, the mutex came after all; ERR_TIMEOUT */
static status_t
rtmutex_give_up(struct rtmutex *mutex, struct turnstile_waiter *waiter)
{
    struct thread *owner;
    uint64_t flags;

    flags = turnstile_lock();
    if (atomic_load_explicit(&waiter->released, memory_order_acquire)) {
        turnstile_unlock(flags);
        return OK;
    }

    owner = mutex->turnstile.owner;
    turnstile_leave_locked(waiter);
    rtmutex_unflag_locked(mutex);
    turnstile_unlock(flags);
    turnstile_propagate(owner);
    return ERR_TIMEOUT;
}

static status_t
rtmutex_lock_slow(struct rtmutex *mutex, uint64_t deadline)
{
    struct turnstile_waiter waiter;
    uint64_t flags;

    assert(!rtmutex_is_owned(mutex));
    flags = turnstile_lock();
    if (rtmutex_take_or_flag_locked(mutex)) {
        turnstile_unlock(flags);
        return OK;
    }

    turnstile_enter_locked(&mutex->turnstile, &waiter);
    turnstile_unlock(flags);
    turnstile_propagate(thread_self());
    if (turnstile_wait(&waiter, deadline)) {
        return OK;
    }
    return rtmutex_give_up(mutex, &waiter);
}

status_t
rtmutex_lock_until(struct rtmutex *mutex, uint64_t deadline)
{
    status_t status = OK;

    lock_sleep_acquire(&mutex->class, mutex);
    if (unlikely(!rtmutex_take(mutex))) {
        status = rtmutex_lock_slow(mutex, deadline);
    }
    if (status == OK) {
        lock_sleep_acquired(&mutex->class, mutex);
    }
    return status;
}

bool
rtmutex_try_lock(struct rtmutex *mutex)
{
    bool is_taken = rtmutex_take(mutex);

    if (is_taken) {
        lock_sleep_acquired(&mutex->class, mutex);
    }
    return is_taken;
}

void
rtmutex_lock(struct rtmutex *mutex)
{
    status_t status;

    status = rtmutex_lock_until(mutex, CLOCK_NEVER);
    verify(status == OK);
}

/*
 * Give the mutex to the first waiter, or free it when all have given up.
 */
static void
rtmutex_unlock_slow(struct rtmutex *mutex)
{
    struct turnstile_waiter *first;
    uint64_t flags, graph_flags;
    struct thread *next;
    uintptr_t owner;

    /*
     * What this thread inherited it may lose from here on: it must not be
     * preempted for that before it has woken the next owner, for which it ran
     * so urgently.  Nor should interrupts come that delay both.
     */
    flags = cpu_irq_save();
    preempt_disable();
    graph_flags = turnstile_lock();
    first = turnstile_hand_over_locked(&mutex->turnstile);
    next = first != NULL ? first->thread : NULL;
    owner = (uintptr_t)next;
    if (turnstile_has_waiters_locked(&mutex->turnstile)) {
        owner |= RTMUTEX_CONTENDED;
    }
    /* The new owner may unlock as soon as it is released. */
    atomic_store_explicit(&mutex->owner, owner, memory_order_release);
    if (first != NULL) {
        turnstile_release(first);
    }
    turnstile_unlock(graph_flags);
    if (next != NULL) {
        thread_unpark(next);
    }
    preempt_enable_irqrestore(flags);
    if (next != NULL) {
        turnstile_disinherit();
    }
}

void
rtmutex_unlock(struct rtmutex *mutex)
{
    uintptr_t expected;

    assert(rtmutex_is_owned(mutex));
    lock_sleep_release(&mutex->class, mutex);
    expected = (uintptr_t)thread_self();
    /* Pairs with the acquire in rtmutex_take(). */
    if (unlikely(!atomic_compare_exchange_strong_explicit(
            &mutex->owner, &expected, 0, memory_order_release,
            memory_order_relaxed))) {
        rtmutex_unlock_slow(mutex);
    }
}

bool
rtmutex_is_owned(const struct rtmutex *mutex)
{
    return (atomic_load_explicit(&mutex->owner, memory_order_relaxed) &
            ~RTMUTEX_CONTENDED) == (uintptr_t)thread_self();
}
