/* SPDX-License-Identifier: MIT */
/*
 * What passes leave to be done: see pass.h.
 */
#include <stddef.h>

#include <arch/smp.h>
#include <kern/clock.h>
#include <kern/init.h>
#include <kern/pass.h>
#include <kern/sched.h>
#include <kern/sched_i.h>
#include <kern/spinlock.h>
#include <kern/thread.h>
#include <kern/timer.h>
#include <lib/assert.h>
#include <lib/list.h>

PERCPU(struct thread *, pass_next);

/* No list of those that are recalled has the thread any more. */
static inline void
pass_forget_recall_locked(struct thread *thread)
{
    if (unlikely(list_node_is_linked(&thread->run_node))) {
        list_remove(&thread->run_node);
    }
}

bool
pass_unhold_locked(struct run_queue *queue, struct thread *thread)
{
    if (thread->state != THREAD_HELD || queue->cpu != cpu_id() ||
        !pass_is_held(thread, queue->cpu)) {
        return false;
    }
    pass_forget_recall_locked(thread);
    thread->held_by = THREAD_HELD_BY_NONE;
    WRITE_ONCE(thread->state, THREAD_PARKED);
    return true;
}

/* Those of the fair class are behind all others. */
static void
pass_insert_recalled_locked(struct run_queue *queue, struct thread *thread)
{
    if (sched_is_fair(thread)) {
        list_insert_tail(&queue->recalled, &thread->run_node);
    } else {
        list_insert_head(&queue->recalled, &thread->run_node);
    }
}

/* Whether a thread that runs need not be told: it is this one, and alone. */
static bool
pass_knows(const struct thread *thread)
{
    return thread == thread_self() && !percpu_is_set(pass_next);
}

void
pass_recall_locked(struct run_queue *queue, struct thread *thread)
{
    if (thread->state == THREAD_HELD) {
        if (!list_node_is_linked(&thread->run_node)) {
            pass_insert_recalled_locked(queue, thread);
        }
    } else if (thread->state != THREAD_RUNNING ||
               !READ_ONCE(thread->may_pass) || pass_knows(thread)) {
        return;
    }
    WRITE_ONCE(queue->is_unsettled, true);
    sched_kick_locked(queue);
}

/*
 * Settling
 */

/* A thread that was held goes on: it is in transit. */
static struct thread *
pass_ready_locked(struct thread *thread)
{
    pass_forget_recall_locked(thread);
    thread->held_by = THREAD_HELD_BY_NONE;
    thread->permit = false;
    WRITE_ONCE(thread->state, THREAD_READY);
    return thread;
}

/* The running thread becomes the current one of its queue. */
static void
pass_take_over_locked(struct run_queue *queue, struct thread *self)
{
    struct thread *before = queue->current;
    bool is_over = sched_charge(queue);

    sched_sleep_locked(queue, before);
    pass_forget_recall_locked(self);
    WRITE_ONCE(self->state, THREAD_RUNNING);
    WRITE_ONCE(queue->current, self);
    sched_queue_join(queue, self);
    self->run_start = before->run_start;
    self->slice_left = before->slice_left;
    sched_set_running(queue, self->priority);
    /* The slice of the one before was this one's as well. */
    if (is_over || sched_queue_top(queue) > self->priority) {
        preempt_count_want();
    }
}

/*
 * Who was current before, and has passed the CPU on, waits.
 *
 * Returns: it, if it is to go on, in transit; else NULL
 */
static struct thread *
pass_stop_locked(struct run_queue *queue, struct thread *before)
{
    if (!pass_is_held(before, queue->cpu)) {
        /* It was let go. */
        return NULL;
    }
    if (before->permit) {
        return pass_ready_locked(before);
    }
    WRITE_ONCE(before->state, THREAD_HELD);
    if (before->suspended || !sched_may_run_on(before, queue->cpu)) {
        pass_unhold_locked(queue, before);
    }
    return NULL;
}

static struct thread *
pass_settle_current_locked(struct run_queue *queue)
{
    struct thread *self = thread_self();
    struct thread *before = queue->current;

    if (before == self) {
        return NULL;
    }
    pass_take_over_locked(queue, self);
    return pass_stop_locked(queue, before);
}

static struct thread *
pass_settle_next_locked(void)
{
    struct thread *next = percpu_read(pass_next);

    if (next == NULL) {
        return NULL;
    }
    percpu_write(pass_next, NULL);
    return pass_ready_locked(next);
}

/* One is recalled at a time: each takes long enough. */
static struct thread *
pass_settle_recalled_locked(struct run_queue *queue)
{
    struct thread *thread;

    if (list_is_empty(&queue->recalled)) {
        return NULL;
    }
    thread = list_first_entry(&queue->recalled, struct thread, run_node);
    if (thread->permit) {
        thread = pass_ready_locked(thread);
    } else {
        pass_unhold_locked(queue, thread);
        thread = NULL;
    }
    if (!list_is_empty(&queue->recalled)) {
        /* To want it is not enough: the caller is about to choose anew. */
        WRITE_ONCE(queue->is_unsettled, true);
        smp_send_wake(queue->cpu);
    }
    return thread;
}

void
pass_settle(void)
{
    struct run_queue *queue = percpu_this(run_queue);
    struct thread *ready[3];

    assert(!cpu_irq_is_enabled());
    spinlock_lock(&queue->lock);
    WRITE_ONCE(queue->is_unsettled, false);
    ready[0] = pass_settle_current_locked(queue);
    ready[1] = pass_settle_next_locked();
    ready[2] = pass_settle_recalled_locked(queue);
    /* Preemption stays disabled: the caller is about to choose anew. */
    spinlock_release(&queue->lock);
    for (size_t i = 0; i < ARRAY_SIZE(ready); i++) {
        if (ready[i] != NULL) {
            sched_enqueue(ready[i]);
        }
    }
    latency_preempt_on();
    (void)preempt_count_dec();
}

/*
 * Waiting
 */

void
pass_end_switch(void)
{
    if (sched_finish(percpu_this(run_queue), CPU_FLAGS_IF)) {
        preempt_now();
    }
}

/* Switch to who is ready, without being so. */
static bool
pass_hold_locked(struct run_queue *queue, struct thread *self)
{
    struct thread *next;
    bool is_less_urgent;

    sched_charge(queue);
    sched_sleep_locked(queue, self);
    next = sched_queue_pick(queue);
    sched_set_current(queue, next);
    is_less_urgent = sched_set_running(queue, next->priority);
    sched_settle_locked(queue, is_less_urgent);
    self->tables = utable_loaded_here();
    sched_load_next(self, next);
    if (likely(thread_context_switch(&self->sp, next->sp, SCHED_SWITCHED) ==
               SCHED_PASSED)) {
        return true;
    }
    pass_end_switch();
    return false;
}

bool
pass_hold_slow(void)
{
    struct thread *self = thread_self();
    struct run_queue *queue;
    uint64_t flags;

    queue = sched_lock_own(&flags);
    if (self->permit) {
        self->permit = false;
        sched_unlock(queue, CPU_FLAGS_IF);
        return false;
    }
    if (self->suspended || !sched_may_run_on(self, queue->cpu)) {
        WRITE_ONCE(self->state, THREAD_PARKED);
        sched_switch_locked(queue, CPU_FLAGS_IF);
        return false;
    }
    WRITE_ONCE(self->state, THREAD_HELD);
    self->held_by = queue->cpu;
    return pass_hold_locked(queue, self);
}

/* Own to each CPU, which starts it; it expires there. */
static PERCPU(struct timer, pass_timer);

PERCPU(bool, pass_is_armed);

static void
pass_expired(struct timer *timer __unused)
{
    percpu_write(pass_is_armed, false);
    pass_settle_if_needed();
}

void
pass_arm(void)
{
    percpu_write(pass_is_armed, true);
    timer_start(percpu_this(pass_timer), clock_now() + PASS_DELAY);
}

static status_t
pass_setup(void)
{
    timer_init(percpu_this(pass_timer), pass_expired, "pass");
    return OK;
}

INIT_OP(pass_setup, INIT_EACH_CPU, AFTER(timer_setup));
