/* SPDX-License-Identifier: MIT */
/*
 * Mutexes, adaptive: a thread that finds one taken spins a little while its
 * owner runs, then sleeps.  No priority inheritance; see rtmutex.h.
 *
 * Whoever sleeps is given the mutex by who unlocks it, the first by priority,
 * so nobody waits for ever.
 */
#ifndef KERN_MUTEX_H
#define KERN_MUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/lock_check_types.h>
#include <kern/waitq.h>
#include <lib/status.h>

/*
 * Keys: [a] atomic; the flag is written under the queue's lock
 */
struct mutex {
    _Atomic uintptr_t owner; /* [a] thread and flag, 0 when free */
    struct waitq queue;
    struct lock_class class; /* rank and name, empty in release */
};

/*
 * Make a mutex, free.
 *
 * @name  constant string, for reports
 */
void mutex_init(struct mutex *mutex, enum lock_rank rank, const char *name);

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
status_t mutex_lock_until(struct mutex *mutex, uint64_t deadline) __must_check;

/* Take a mutex, however long it takes. */
void mutex_lock(struct mutex *mutex);

/* Take a mutex if it is free.  Returns: whether it was taken */
bool mutex_try_lock(struct mutex *mutex) __must_check;

/* Release a mutex.  Context: its owner.  Ordering: release */
void mutex_unlock(struct mutex *mutex);

/* Whether the calling thread owns the mutex; for assertions. */
bool mutex_is_owned(const struct mutex *mutex);

#endif /* KERN_MUTEX_H */
