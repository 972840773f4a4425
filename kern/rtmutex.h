/* SPDX-License-Identifier: MIT */
/*
 * Mutexes with priority inheritance.
 *
 * One word holds the owner and a flag that somebody waits; without contention
 * locking and unlocking are a compare and swap each.  The first waiter, by
 * priority, is given the mutex by who unlocks it, so there is no overtaking.
 *
 * Invariant: the flag is set exactly while the turnstile has waiters, except
 * under the turnstile lock.
 */
#ifndef KERN_RTMUTEX_H
#define KERN_RTMUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/lock_check_types.h>
#include <kern/turnstile.h>
#include <lib/status.h>

/*
 * Keys: [a] atomic; the flag is written under the turnstile lock
 */
struct rtmutex {
    _Atomic uintptr_t owner; /* [a] thread and flag, 0 when free */
    struct turnstile turnstile;
    struct lock_class class; /* rank and name, empty in release */
};

/*
 * Make a mutex, free.
 *
 * @name  constant string, for reports
 */
void rtmutex_init(struct rtmutex *mutex, enum lock_rank rank, const char *name);

/*
 * Take a mutex.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context:  thread, preemptible; not the owner, and none of a lock of the same
 *           or a greater rank
 * Blocks:   until it is taken or the deadline
 * Ordering: acquire
 * Returns:  OK or ERR_TIMEOUT
 */
status_t rtmutex_lock_until(struct rtmutex *mutex,
                            uint64_t deadline) __must_check;

/* Take a mutex, however long it takes. */
void rtmutex_lock(struct rtmutex *mutex);

/* Take a mutex if it is free.  Returns: whether it was taken */
bool rtmutex_try_lock(struct rtmutex *mutex) __must_check;

/* Release a mutex.  Context: its owner.  Ordering: release */
void rtmutex_unlock(struct rtmutex *mutex);

/* Whether the calling thread owns the mutex; for assertions. */
bool rtmutex_is_owned(const struct rtmutex *mutex);

#endif /* KERN_RTMUTEX_H */
