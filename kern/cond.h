/* SPDX-License-Identifier: MIT */
/*
 * Condition variables.
 *
 * The condition is the caller's, protected by its mutex: wait in a loop that
 * looks at it.  A wait may end early.  Who signals need not hold the mutex,
 * but must have held it when it changed the condition.
 *
 * Invariant: a waiter is in the queue before it lets its mutex go, so a signal
 * after that finds it.
 */
#ifndef KERN_COND_H
#define KERN_COND_H

#include <stdint.h>

#include <kern/waitq.h>
#include <lib/status.h>

struct mutex;
struct rtmutex;

struct cond {
    struct waitq queue;
};

/* Make a condition variable nobody waits for. */
void cond_init(struct cond *cond);

/*
 * Release a mutex, wait for a signal, take the mutex again.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: thread, owner of @mutex, no spin lock held
 * Blocks:  until signalled or the deadline, then until the mutex is free
 * Returns: OK or ERR_TIMEOUT; the mutex is owned in either case
 */
status_t cond_wait_until(struct cond *cond, struct mutex *mutex,
                         uint64_t deadline) __must_check;

/* The same, however long it takes. */
void cond_wait(struct cond *cond, struct mutex *mutex);

/* cond_wait_until() with a mutex of the other kind. */
status_t cond_wait_rt_until(struct cond *cond, struct rtmutex *mutex,
                            uint64_t deadline) __must_check;

/* cond_wait() with a mutex of the other kind. */
void cond_wait_rt(struct cond *cond, struct rtmutex *mutex);

/*
 * Wake the first waiter, by priority, then by arrival.
 *
 * Context:  any but NMI
 * Ordering: stores before the call are visible to the waiter
 */
void cond_signal(struct cond *cond);

/* Wake all who wait now.  Context, ordering: as cond_signal() */
void cond_broadcast(struct cond *cond);

#endif /* KERN_COND_H */
