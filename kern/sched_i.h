/* SPDX-License-Identifier: MIT */
/*
 * What the ends of slices (sched_slice.c) and the idle thread (sched_idle.c)
 * need of the scheduler.
 */
#ifndef KERN_SCHED_I_H
#define KERN_SCHED_I_H

#include <kern/sched.h>
#include <kern/sched_queue.h>

/* What remains to be done when a switch is over and the queue unlocked. */
#define SCHED_SEE_OFF 1 /* the previous thread ends or moves */
#define SCHED_ARMED   2 /* nothing: a timer was started, and that is enough */
#define SCHED_PUSH    4 /* somebody began to wait who may run elsewhere */
#define SCHED_PULL    8 /* somebody waits elsewhere who may run here */

/*
 * Put a thread in transit into a queue: a place was chosen already; another one
 * only if it may not be there.
 *
 * Context: no run queue locked
 * Locks:   takes and drops LOCK_RUNQ
 */
void sched_enqueue_here(struct thread *thread);

/* Have the queue's CPU see who could run elsewhere, out of interrupts. */
static inline void
sched_push_later_locked(struct run_queue *queue)
{
    queue->aftermath |= SCHED_PUSH;
    sched_kick_locked(queue);
}

#endif /* KERN_SCHED_I_H */
