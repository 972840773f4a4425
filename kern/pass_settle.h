/* SPDX-License-Identifier: MIT */
/*
 * For the scheduler: have a CPU's run queue tell again who runs (pass.h).
 */
#ifndef KERN_PASS_SETTLE_H
#define KERN_PASS_SETTLE_H

#include <stdbool.h>

#include <kern/percpu.h>
#include <kern/sched_queue.h>
#include <lib/macros.h>

/*
 * Settle this CPU: the thread that runs is the current one of its queue, who
 * was let go is ready, and one of those who were recalled is held no more.
 *
 * Context: interrupts disabled, no run queue locked
 */
void pass_settle(void);

/* The same, if there is anything to settle.  Context: as pass_settle() */
static inline void
pass_settle_if_needed(void)
{
    if (unlikely(percpu_is_set(run_queue.is_unsettled))) {
        pass_settle();
    }
}

/*
 * Have a thread that is held here be parked like any other.
 *
 * Context: its queue locked
 * Returns: whether it was held, and by this CPU
 */
bool pass_unhold_locked(struct run_queue *queue, struct thread *thread);

/*
 * Something of a thread has changed that it may have been passed with: have
 * its CPU look at it.  Nothing is done for one that is not concerned.
 *
 * Ordering: what was written before is seen by that CPU when it settles; pairs
 *           with the interrupt
 *
 * Context: its queue locked
 */
void pass_recall_locked(struct run_queue *queue, struct thread *thread);

#endif /* KERN_PASS_SETTLE_H */
