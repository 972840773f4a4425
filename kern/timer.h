/* SPDX-License-Identifier: MIT */
/*
 * Timers: a function called at a time, in interrupt context.
 *
 * Each CPU has a queue, ordered by deadline, in a red-black tree; a timer is
 * queued on the CPU that starts it.  The machine's one-shot timer is armed for
 * the first of them, and not at all when there is none.
 *
 * Invariant: the queue's earliest deadline is armed whenever its lock is free,
 * but in the timer interrupt, which arms at its end.
 */
#ifndef KERN_TIMER_H
#define KERN_TIMER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lib/rbtree.h>

struct timer;

typedef void (*timer_fn_t)(struct timer *timer);

/*
 * Keys: [c] constant   [Q] lock of the queue that @queue names
 */
struct timer {
    struct rbtree_node node; /* [Q] */
    timer_fn_t fn;           /* [c] */
    const char *name;        /* [c] */
    uint64_t deadline;       /* [Q] nanoseconds of clock_now() */
    atomic_uint cpu;         /* whose queue; changed under its lock, while
                                neither queued nor running */
    bool queued;             /* [Q] */
};

/*
 * Make a timer ready.
 *
 * @fn    called with interrupts disabled on the CPU that started the timer;
 *        may start it again, and may free its memory
 * @name  constant string, for the monitor
 */
void timer_init(struct timer *timer, timer_fn_t fn, const char *name);

/*
 * Have the function called at a time, once.  A timer that is queued already
 * gets the new time.  One whose function runs on another CPU stays there, so
 * that it never runs on two CPUs at once.
 *
 * @deadline  absolute nanoseconds of clock_now(); CLOCK_NEVER stops it
 *
 * Context: any but NMI; starts and cancels of one timer do not overlap, but
 *          for those by its own function
 * Locks:   takes and drops LOCK_TIMER
 */
void timer_start(struct timer *timer, uint64_t deadline);

/*
 * Make sure that the function is not called any more and does not run, even
 * if it is about to start the timer again.
 *
 * Context: any but NMI and the timer's own function; while it runs on
 *          another CPU this waits
 * Returns: whether it was still to come
 */
bool timer_cancel(struct timer *timer);

/* The timer interrupt of this CPU.  Context: interrupts disabled. */
void timer_interrupt(void *ctx);

#endif /* KERN_TIMER_H */
