/* SPDX-License-Identifier: MIT */
/*
 * Slices: what the running thread is charged, and when its turn is over.
 *
 * All that is inline is part of each switch.
 */
#ifndef KERN_SCHED_SLICE_H
#define KERN_SCHED_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/clock.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/sched_fair.h>
#include <kern/sched_queue.h>
#include <kern/thread.h>
#include <kern/timer.h>
#include <lib/list.h>
#include <lib/macros.h>

/*
 * The slice timer of a queue expires: choose anew if the slice is over, else go
 * on.
 *
 * Context: interrupt, on the queue's CPU
 */
void sched_slice_expired(struct timer *timer);

/*
 * Charge the running thread for the time since it was charged last.
 *
 * Returns: whether its slice is over
 */
static inline bool
sched_charge(struct run_queue *queue)
{
    struct thread *thread;
    uint64_t counter, ticks;

    thread = queue->current;
    counter = clock_counter();
    ticks = counter - thread->run_start;
    if (unlikely((int64_t)ticks < 0)) {
        /* Another CPU's counter is behind. */
        return false;
    }
    thread->run_start = counter;
    thread->run_ticks += ticks;
    if (thread->priority == THREAD_PRIORITY_FAIR) {
        return sched_fair_charge(&queue->fair, thread,
                                 clock_ticks_to_ns(ticks));
    }
    if (thread->policy != THREAD_RR) {
        return false;
    }
    thread->slice_left -= MIN(ticks, thread->slice_left);
    return thread->slice_left == 0;
}

/*
 * Whether somebody waits whom the running thread's slice keeps waiting, or
 * who should find another CPU if that takes as long as a slice: of the fair
 * class, behind a real-time thread.
 */
static inline bool
sched_slice_matters(const struct run_queue *queue)
{
    const struct thread *thread;

    thread = queue->current;
    if (queue->nr_ready == 0 || thread == queue->idle) {
        return false;
    }
    if (sched_is_fair(thread)) {
        return queue->fair.nr_queued != 0;
    }
    return (thread->policy == THREAD_RR &&
            !list_is_empty(&queue->rt_lists[thread->priority])) ||
           (queue->nr_movable_fair != 0 && cpu_nr_possible > 1);
}

/* Nanoseconds that are left of the slice of the running thread. */
static inline uint64_t
sched_slice_left(const struct thread *thread)
{
    if (sched_is_fair(thread)) {
        return sched_fair_slice_left(thread);
    }
    return thread->policy == THREAD_RR ? clock_ticks_to_ns(thread->slice_left)
                                       : SCHED_FAIR_SLICE;
}

/*
 * Own queue only: see to it that the slice of the running thread ends.  A
 * timer that runs for another thread's slice is left alone: when it expires it
 * is started for what is left of this one.
 *
 * Returns: whether a timer was started
 */
static inline bool
sched_arm_slice(struct run_queue *queue)
{
    if (likely(!sched_slice_matters(queue)) || queue->slice_armed) {
        return false;
    }

    queue->slice_armed = true;
    timer_start(&queue->slice_timer,
                clock_now() + sched_slice_left(queue->current));
    return true;
}

#endif /* KERN_SCHED_SLICE_H */
