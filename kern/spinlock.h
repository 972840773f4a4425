/* SPDX-License-Identifier: MIT */
/*
 * Fair spin locks (ticket locks).
 *
 * A CPU draws a ticket and waits until it is served: first come, first
 * served.  Invariant: owner <= next, and the holder's ticket is owner.
 * All spin locks are taken with interrupts disabled when an interrupt
 * handler takes them too; the _irqsave forms do that.  Preemption is disabled
 * while one is held.
 *
 * Debug builds check rank order, recursion and unlock by the holder.
 */
#ifndef KERN_SPINLOCK_H
#define KERN_SPINLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <kern/lock_check.h>
#include <kern/lock_rank.h>
#include <kern/preempt.h>
#include <lib/assert.h>

/*
 * Keys: [a] atomic   [H] the holder   [c] constant
 */
struct spinlock {
    _Atomic uint16_t owner;  /* [a] ticket served now */
    _Atomic uint16_t next;   /* [a] ticket of the next to come */
    struct lock_class class; /* [c] rank and name, empty in release */
};

#define SPINLOCK_INITIALIZER(rank_, name_)                                     \
    { .class = LOCK_CLASS_INITIALIZER(rank_, name_) }

/*
 * Make a lock ready for use.
 *
 * @name  constant string, for reports
 */
static inline void
spinlock_init(struct spinlock *lock, enum lock_rank rank, const char *name)
{
    atomic_init(&lock->owner, 0);
    atomic_init(&lock->next, 0);
    lock_class_init(&lock->class, rank, name);
}

/*
 * Take a lock, waiting in line.
 *
 * Context: any that does not hold a lock of the same or a greater rank
 * Ordering: acquire
 */
static inline void
spinlock_lock(struct spinlock *lock)
{
    uint16_t ticket;

    preempt_disable();
    lock_check_acquire(&lock->class, lock);
    ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);
    /* Pairs with the release in spinlock_unlock(). */
    while (atomic_load_explicit(&lock->owner, memory_order_acquire) != ticket) {
        cpu_pause();
    }
}

/*
 * Take a lock if that needs no waiting.
 *
 * Returns: whether it was taken
 */
static inline bool
spinlock_try_lock(struct spinlock *lock)
{
    uint16_t owner;

    preempt_disable();
    owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);
    /* Pairs with the release in spinlock_unlock(). */
    if (!atomic_compare_exchange_strong_explicit(&lock->next, &owner,
                                                 (uint16_t)(owner + 1),
                                                 memory_order_acquire,
                                                 memory_order_relaxed)) {
        preempt_enable();
        return false;
    }

    lock_check_try_acquired(&lock->class, lock);
    return true;
}

/*
 * Release a lock, but leave preemption disabled.
 */
static inline void
spinlock_release(struct spinlock *lock)
{
    lock_check_release(&lock->class, lock);
    /* Pairs with the acquire in spinlock_lock() and spinlock_try_lock(). */
    spinlock_serve_next(&lock->owner);
}

/*
 * Release a lock; a reschedule that was wanted meanwhile happens now.
 *
 * Ordering: release
 */
static inline void
spinlock_unlock(struct spinlock *lock)
{
    spinlock_release(lock);
    preempt_enable();
}

/*
 * Disable interrupts, then take a lock.
 *
 * Returns: the former interrupt state, for spinlock_unlock_irqrestore()
 */
static inline uint64_t
spinlock_lock_irqsave(struct spinlock *lock)
{
    uint64_t flags;

    flags = cpu_irq_save();
    spinlock_lock(lock);
    return flags;
}

/* Release a lock, then restore the interrupt state. */
static inline void
spinlock_unlock_irqrestore(struct spinlock *lock, uint64_t flags)
{
    spinlock_release(lock);
    preempt_enable_irqrestore(flags);
}

/* Whether somebody holds the lock; for assertions. */
static inline bool
spinlock_is_locked(const struct spinlock *lock)
{
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) !=
           atomic_load_explicit(&lock->next, memory_order_relaxed);
}

#endif /* KERN_SPINLOCK_H */
