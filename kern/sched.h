/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: who runs on which CPU.
 *
 * Each CPU has a run queue: a list for each real-time priority with a bitmap
 * of those not empty, and a tree for the fair class.  The lock of the queue is
 * held across the switch and released by the thread that continues, so the
 * queue always tells the truth about who runs, and a thread that was queued by
 * its own CPU can be taken by another only when its context is saved.
 *
 * A thread belongs to the queue of thread->cpu, whose lock protects its
 * scheduling state, thread->cpu included; to change queues it is taken out
 * under the lock of the old one and put in under the lock of the new one.  No
 * two are held at once.  In between it is in transit: ready, in no queue, and
 * exactly one CPU is about to put it in, which looks at affinity and suspension
 * again then.
 */
#ifndef KERN_SCHED_H
#define KERN_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/thread_types.h>

struct run_queue;

/*
 * Lock the run queue that a thread belongs to.
 *
 * Returns: it; the interrupts are disabled, sched_unlock() restores @flags
 */
struct run_queue *sched_lock_thread(struct thread *thread, uint64_t *flags);

/* Release a run queue. */
void sched_unlock(struct run_queue *queue, uint64_t flags);

/*
 * Put a thread that is in transit (ready, in no queue) into one, as its
 * affinity and the load say, and have that CPU look at it.
 *
 * Context: any but NMI, no run queue locked
 */
void sched_enqueue(struct thread *thread);

/* The same, when its present queue is locked, which is released. */
void sched_enqueue_locked(struct run_queue *queue, struct thread *thread,
                          uint64_t flags);

/*
 * Take a thread out of the lists if it is in there.
 *
 * Returns: whether it was; then it is in transit
 */
bool sched_dequeue_locked(struct run_queue *queue, struct thread *thread);

/*
 * Give up the CPU in the state that was set under the lock of this CPU's
 * queue, which is released.
 *
 * Context: interrupts disabled, the own queue locked by sched_lock_thread()
 */
void sched_switch_locked(struct run_queue *queue, uint64_t flags);

/*
 * Whether a thread may be continued here at once: it is parked or ready,
 * belongs to this CPU, and nobody more urgent waits.
 */
bool sched_may_hand_off_locked(struct run_queue *queue,
                               const struct thread *next);

/*
 * The same as sched_switch_locked(), but continue @next, without its passing
 * through the lists.
 */
void sched_hand_off_locked(struct run_queue *queue, struct thread *next,
                           uint64_t flags);

/* First thing of a new thread: end the switch that came to it. */
void sched_begin(void);

/*
 * A thread's class, priority or weight is to change: take it out of the
 * queue's lists if it is in one, and have it put back afterwards.
 */
bool sched_begin_change_locked(struct run_queue *queue, struct thread *thread);

/* End sched_begin_change_locked(). */
void sched_end_change_locked(struct run_queue *queue, struct thread *thread,
                             bool was_queued);

/* Whether the thread runs on its CPU right now. */
bool sched_is_running_locked(struct run_queue *queue,
                             const struct thread *thread);

/* Counter ticks that a thread ran in all, its present run included. */
uint64_t sched_run_ticks_locked(struct run_queue *queue,
                                const struct thread *thread);

/* Have the CPU of a locked queue choose anew. */
void sched_kick_locked(struct run_queue *queue);

/* The interrupt by which another CPU asks this one to choose anew. */
void sched_interrupt(void *ctx);

/*
 * Make what a CPU executes from its start a thread.
 *
 * @thread  its name, policy and priority are set
 */
void sched_adopt(struct thread *thread);

/* Name the idle thread of the CPU that it belongs to. */
void sched_set_idle(struct thread *thread);

/*
 * Let a more urgent thread run, at the end of an interrupt; others may come
 * before.
 *
 * Context: the interrupt is acknowledged; interrupts disabled, preemption
 *          enabled
 */
void sched_interrupt_end(void);

/*
 * Do nothing until there is something to do, for ever.
 *
 * Context: the idle thread of a CPU
 */
__attribute__((noreturn)) void sched_idle(void);

/* Threads ready or running on a CPU, the idle one not counted. */
uint32_t sched_load(uint32_t cpu);

#endif /* KERN_SCHED_H */
