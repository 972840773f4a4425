/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/clock.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/sched.h>
#include <kern/sched_balance.h>
#include <kern/sched_i.h>
#include <kern/sched_queue.h>
#include <kern/sched_slice.h>
#include <kern/spinlock.h>

uint64_t
sched_run_ticks_locked(struct run_queue *queue, const struct thread *thread)
{
    uint64_t ticks;

    if (queue->current != thread) {
        return thread->run_ticks;
    }
    ticks = clock_counter() - thread->run_start;
    return thread->run_ticks + ((int64_t)ticks > 0 ? ticks : 0);
}

void
sched_slice_expired(struct timer *timer __unused)
{
    struct run_queue *queue;
    struct thread *pushed;
    bool is_over, is_fair;

    pass_settle_if_needed();
    queue = percpu_this(run_queue);
    spinlock_lock(&queue->lock);
    queue->slice_armed = false;
    is_fair = sched_is_fair(queue->current);
    is_over = sched_slice_matters(queue) && sched_charge(queue);
    if (!is_fair) {
        sched_push_later_locked(queue);
    } else if (is_over) {
        /* It is armed again by the switch. */
        preempt_count_want();
    } else {
        sched_arm_slice(queue);
    }
    spinlock_unlock(&queue->lock);

    pushed = is_fair && is_over ? sched_push_fair(queue) : NULL;
    if (pushed != NULL) {
        sched_enqueue_here(pushed);
    }
}
