/* SPDX-License-Identifier: MIT */
/*
 * How locks that sleep tell the checker of locks what the calling thread does
 * with them.
 */
#ifndef KERN_LOCK_SLEEP_H
#define KERN_LOCK_SLEEP_H

#include <kern/lock_check.h>
#include <kern/rcu.h>
#include <kern/thread.h>

/* A lock is about to be waited for; see lock_check_sleep_acquire(). */
static inline void
lock_sleep_acquire(const struct lock_class *class __unused,
                   const void *lock __unused)
{
    lock_check_sleep_acquire(&thread_self()->locks, class, lock,
                             rcu_read_is_held());
}

/* It was taken. */
static inline void
lock_sleep_acquired(const struct lock_class *class __unused,
                    const void *lock __unused)
{
    lock_check_sleep_acquired(&thread_self()->locks, class, lock);
}

/* It is about to be released. */
static inline void
lock_sleep_release(const struct lock_class *class __unused,
                   const void *lock __unused)
{
    lock_check_sleep_release(&thread_self()->locks, class, lock);
}

#endif /* KERN_LOCK_SLEEP_H */
