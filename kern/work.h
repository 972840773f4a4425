/* SPDX-License-Identifier: MIT */
/*
 * Work: functions that a thread of the CPU calls, one after the other, for
 * those who may not wait, interrupt handlers above all.
 *
 * Each CPU has a queue and a thread.  A work is in at most one queue, at most
 * once; queued again while it runs, it runs again, on the same CPU, so that it
 * never runs on two at once.  A function may sleep, but what is queued behind
 * it waits; it may queue its work again, and free it.
 */
#ifndef KERN_WORK_H
#define KERN_WORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/timer.h>
#include <lib/list.h>
#include <lib/status.h>

struct work;

typedef void (*work_fn_t)(struct work *work);

/*
 * Keys: [c] constant   [a] atomic, changed under the lock of the queue that
 *       it names   [Q] that lock
 */
struct work {
    struct list node; /* [Q] */
    work_fn_t fn;     /* [c] */
    atomic_uint cpu;  /* [a] whose queue, the last time */
    bool is_queued;   /* [Q] */
};

/* A work that a timer queues. */
struct work_delayed {
    struct work work;
    struct timer timer;
};

/* Make a work ready. */
void work_init(struct work *work, work_fn_t fn);

/*
 * Queue a work on this CPU, or where it runs at the moment.
 *
 * Context:  any but NMI
 * Ordering: stores before the call are visible to the function
 * Returns:  false, it was queued already
 */
bool work_queue(struct work *work);

/* The same on a CPU that is online. */
bool work_queue_on(uint32_t cpu, struct work *work);

/*
 * Wait until a work is neither queued nor runs.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: thread, not the function of a work of that CPU
 * Returns: OK or ERR_TIMEOUT
 */
status_t work_flush_until(struct work *work, uint64_t deadline) __must_check;

/* The same, however long it takes. */
void work_flush(struct work *work);

/*
 * Take a work out of its queue and wait until it does not run.
 *
 * Context: as work_flush(); nobody queues it meanwhile
 * Returns: whether it was queued
 */
bool work_cancel(struct work *work);

/* Make a delayed work ready. */
void work_delayed_init(struct work_delayed *delayed, work_fn_t fn);

/*
 * Have it queued at a time, on the CPU that the timer is on.
 *
 * @deadline  absolute nanoseconds of clock_now()
 *
 * Context: any but NMI
 */
void work_delayed_start(struct work_delayed *delayed, uint64_t deadline);

/* Neither timer nor work any more.  As work_cancel() */
bool work_delayed_cancel(struct work_delayed *delayed);

#endif /* KERN_WORK_H */
