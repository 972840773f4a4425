/* SPDX-License-Identifier: MIT */
/*
 * What the ends of slices (sched_slice.c), the idle thread (sched_idle.c) and
 * passes (pass.c) need of the scheduler.
 */
#ifndef KERN_SCHED_I_H
#define KERN_SCHED_I_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/cpu.h>
#include <arch/thread.h>
#include <kern/pass_settle.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/sched.h>
#include <kern/sched_hooks.h>
#include <kern/sched_queue.h>
#include <kern/sched_slice.h>
#include <kern/thread_space.h>
#include <kern/thread_user.h>
#include <lib/assert.h>

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

/* Words that contexts are continued with: who does it. */
#define SCHED_SWITCHED 0 /* a switch; the run queue is locked */
#define SCHED_PASSED   1 /* a pass; interrupts are disabled, and that is all */

/*
 * Lock the queue of this CPU, which is that of the calling thread, and has it
 * for its current one.
 */
static inline struct run_queue *
sched_lock_own(uint64_t *flags)
{
    struct run_queue *queue;

    *flags = cpu_irq_save();
    pass_settle_if_needed();
    queue = percpu_this(run_queue);
    spinlock_lock(&queue->lock);
    return queue;
}

/*
 * It is settled what runs here.  Who waits is taken elsewhere when it begins
 * to, or comes when a CPU begins to run something less urgent; in between
 * nothing changes.  The idle thread looks by itself.
 */
static inline void
sched_settle_locked(struct run_queue *queue, bool is_less_urgent)
{
    if (unlikely(sched_arm_slice(queue))) {
        queue->aftermath |= SCHED_ARMED;
    }
    if (unlikely(sched_queue_publish(queue))) {
        queue->aftermath |= SCHED_PUSH;
    } else if (is_less_urgent &&
               unlikely(atomic_load(&sched_nr_overloaded) != 0) &&
               queue->current != queue->idle) {
        queue->aftermath |= SCHED_PULL;
    }
}

/*
 * Unlock the queue; preemption and interrupts stay disabled.  What else is to
 * be done waits for the next switch, which is wanted at once.
 */
void sched_release_and_mend(struct run_queue *queue);

/*
 * End of a switch, in the context that continues.  All is done before this
 * thread can be preempted: it may be less urgent than those concerned.
 *
 * Returns: whether this thread should be preempted at once.  That is left to
 * who called for the switch: done here, a thread that continues only to be
 * preempted again, as the idle one, would go deeper into its stack each time.
 */
static inline bool
sched_finish(struct run_queue *queue, uint64_t flags)
{
    bool is_wanted;

    if (unlikely(queue->aftermath != 0)) {
        sched_release_and_mend(queue);
    } else {
        spinlock_release(&queue->lock);
    }
    latency_preempt_on();
    is_wanted = preempt_count_dec();
    cpu_irq_restore(flags);
    return is_wanted;
}

/*
 * Tell others what runs here.
 *
 * Returns: whether it is less urgent than before
 */
static inline bool
sched_set_running(struct run_queue *queue, int priority)
{
    int before;

    before = atomic_load_explicit(&queue->hints.running, memory_order_relaxed);
    if (priority < before) {
        /* Pairs with the addition in sched_queue_set_waiting(). */
        atomic_exchange(&queue->hints.running, priority);
    } else if (priority > before) {
        atomic_store_explicit(&queue->hints.running, priority,
                              memory_order_relaxed);
    }
    return priority < before;
}

/* From here on another thread runs, as far as the queue is concerned. */
static inline void
sched_set_current(struct run_queue *queue, struct thread *next)
{
    preempt_count_unwant();
    WRITE_ONCE(next->state, THREAD_RUNNING);
    queue->previous = queue->current;
    WRITE_ONCE(queue->current, next);
}

/* The running thread parks or ends. */
static inline void
sched_sleep_locked(struct run_queue *queue, struct thread *current)
{
    sched_queue_leave(queue, current);
    sched_fair_sleep(current);
}

/*
 * Have the processor be another thread's, but for its stack.
 *
 * Context: interrupts disabled, the run queue locked
 */
static inline void
sched_load_next(struct thread *previous, struct thread *next)
{
    sched_hook_switch(previous);
    next->run_start = previous->run_start;
    next->nr_switches++;
    percpu_write(thread_current, next);
    thread_space_switch(next);
    thread_user_switch(previous, next, cpu_id());
}

#endif /* KERN_SCHED_I_H */
