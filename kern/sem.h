/* SPDX-License-Identifier: MIT */
/*
 * Counting semaphores.
 *
 * A unit that is released goes to the first waiter, by priority, then by
 * arrival; only without one it is counted.  Invariant: the count is 0 while
 * somebody waits.
 */
#ifndef KERN_SEM_H
#define KERN_SEM_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/waitq.h>
#include <lib/status.h>

/*
 * Keys: [W] lock of @queue
 */
struct sem {
    struct waitq queue;
    uint64_t count; /* [W] units that may be taken */
};

/* Make a semaphore with some units. */
void sem_init(struct sem *sem, uint64_t count);

/*
 * Take a unit.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context:  thread, no spin lock held
 * Blocks:   until there is one or the deadline
 * Ordering: acquire, of what was before sem_release()
 * Returns:  OK or ERR_TIMEOUT
 */
status_t sem_take_until(struct sem *sem, uint64_t deadline) __must_check;

/* Take a unit, however long it takes. */
void sem_take(struct sem *sem);

/* Take a unit if there is one.  Context: any but NMI */
bool sem_try_take(struct sem *sem) __must_check;

/* Give a unit.  Context: any but NMI.  Ordering: release */
void sem_release(struct sem *sem);

#endif /* KERN_SEM_H */
