/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/thread.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/irq.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/sched.h>
#include <kern/sched_balance.h>
#include <kern/sched_hooks.h>
#include <kern/sched_i.h>
#include <kern/sched_queue.h>
#include <kern/sched_slice.h>
#include <kern/thread.h>
#include <kern/thread_space.h>
#include <kern/thread_user.h>
#include <lib/assert.h>
#include <lib/bitmap.h>

#define SCHED_RR_SLICE UINT64_C(4000000) /* nanoseconds */

/* How often a thread looks for a place; then any will do where it may run. */
#define SCHED_TRIES 1

/* Set on the boot CPU, constant from then on. */
static uint64_t sched_rr_ticks;

/* Preemption is disabled until a CPU has threads. */
PERCPU(uint32_t, preempt_count) = PREEMPT_NOT_WANTED + 1;
PERCPU(struct thread *, thread_current);

struct run_queue *
sched_lock_thread(struct thread *thread, uint64_t *flags)
{
    struct run_queue *queue;
    uint32_t cpu;

    *flags = cpu_irq_save();
    for (;;) {
        cpu = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
        queue = percpu_ptr(run_queue, cpu);
        spinlock_lock(&queue->lock);
        if (atomic_load_explicit(&thread->cpu, memory_order_relaxed) == cpu) {
            return queue;
        }
        spinlock_unlock(&queue->lock);
    }
}

void
sched_unlock(struct run_queue *queue, uint64_t flags)
{
    spinlock_unlock_irqrestore(&queue->lock, flags);
}

bool
sched_is_running_locked(struct run_queue *queue, const struct thread *thread)
{
    return queue->current == thread;
}

/* --------------------------------------------------- time and preemption */

void
sched_kick_locked(struct run_queue *queue)
{
    if (queue->cpu == cpu_id()) {
        preempt_count_want();
    } else {
        smp_send_wake(queue->cpu);
    }
}

void
sched_interrupt(void *ctx __unused)
{
    sched_hook_interrupt();
    preempt_count_want();
}

/* Whether a thread that became ready should run at once. */
static inline bool
sched_preempts(const struct run_queue *queue, const struct thread *thread)
{
    const struct thread *current;

    current = queue->current;
    if (thread->priority != current->priority) {
        return thread->priority > current->priority;
    }
    return sched_is_fair(thread) &&
           (int64_t)(thread->vdeadline - current->vdeadline) < 0;
}

/*
 * Something has changed in a queue: have its CPU choose anew if it must, else
 * end slices if that has begun to matter.
 *
 * @thread  that is queued and may be more urgent than the running one
 */
static inline void
sched_check_locked(struct run_queue *queue, const struct thread *thread)
{
    if (sched_preempts(queue, thread)) {
        sched_kick_locked(queue);
        return;
    }

    sched_queue_publish(queue);
    if (queue->slice_armed || !sched_slice_matters(queue)) {
        return;
    }
    if (queue->cpu == cpu_id()) {
        sched_arm_slice(queue);
    } else {
        /* The timer is its CPU's own. */
        smp_send_wake(queue->cpu);
    }
}

/* -------------------------------------------------------------- placement */

/*
 * Put a thread that is in transit into the queue that it belongs to, which is
 * locked.
 */
static inline void
sched_insert_locked(struct run_queue *queue, struct thread *thread)
{
    if (thread->suspended) {
        WRITE_ONCE(thread->state, THREAD_SUSPENDED);
        return;
    }

    sched_queue_join(queue, thread);
    thread->slice_left = sched_rr_ticks;
    sched_queue_insert(queue, thread, false);
    sched_check_locked(queue, thread);
}

/*
 * A thread in transit goes from one locked queue to another.
 *
 * Returns: the other, locked
 */
static struct run_queue *
sched_move_locked(struct run_queue *queue, struct thread *thread, uint32_t cpu)
{
    struct run_queue *other;

    atomic_store_explicit(&thread->cpu, cpu, memory_order_relaxed);
    spinlock_release(&queue->lock);
    other = percpu_ptr(run_queue, cpu);
    spinlock_lock(&other->lock);
    /* Still disabled by the lock. */
    preempt_enable();
    return other;
}

/*
 * Find a queue for a thread in transit, whose present one is locked.
 *
 * What was chosen without the lock is looked at again with it: affinity may
 * have changed.  Another thread may have come first as well; then one of them
 * is pushed.
 *
 * Returns: the queue that it was put into, locked
 */
static struct run_queue *
sched_find_place_locked(struct run_queue *queue, struct thread *thread)
{
    unsigned tries;
    uint32_t cpu;

    for (tries = SCHED_TRIES; !thread->suspended; tries -= tries != 0) {
        if (tries == 0 && sched_may_run_on(thread, queue->cpu)) {
            break;
        }
        cpu = sched_choose_cpu(thread);
        if (cpu == queue->cpu) {
            break;
        }
        queue = sched_move_locked(queue, thread, cpu);
    }
    return queue;
}

static inline struct run_queue *
sched_place_locked(struct run_queue *queue, struct thread *thread)
{
    if (!thread->pinned) {
        queue = sched_find_place_locked(queue, thread);
    }
    sched_insert_locked(queue, thread);
    return queue;
}

static void
sched_push_one(struct run_queue *queue)
{
    struct thread *thread;

    thread = sched_push(queue);
    if (thread != NULL) {
        sched_enqueue_here(thread);
    }
}

void
sched_enqueue_locked(struct run_queue *queue, struct thread *thread,
                     uint64_t flags)
{
    bool waits;

    assert(!thread->queued);
    queue = sched_place_locked(queue, thread);
    waits = atomic_load_explicit(&queue->hints.waiting, memory_order_relaxed) !=
            THREAD_PRIORITY_IDLE;
    if (unlikely(waits) && !(flags & CPU_FLAGS_IF)) {
        /* Interrupts are to be enabled before. */
        sched_push_later_locked(queue);
        waits = false;
    }
    spinlock_release(&queue->lock);
    if (unlikely(waits)) {
        /* A CPU that chose before it could see this is seen by this look. */
        sched_push_one(queue);
    }
    preempt_enable_irqrestore(flags);
}

void
sched_enqueue(struct thread *thread)
{
    struct run_queue *queue;
    uint64_t flags;

    queue = sched_lock_thread(thread, &flags);
    sched_enqueue_locked(queue, thread, flags);
}

void
sched_enqueue_here(struct thread *thread)
{
    struct run_queue *queue;
    uint64_t flags;

    queue = sched_lock_thread(thread, &flags);
    if (!sched_may_run_on(thread, queue->cpu)) {
        queue = sched_place_locked(queue, thread);
    } else {
        sched_insert_locked(queue, thread);
    }
    sched_unlock(queue, flags);
}

/* ----------------------------------------------------------------- switch */

/*
 * This CPU runs something less urgent than before: what waits for another CPU
 * may come.
 */
static void
sched_pull_one(struct run_queue *queue)
{
    struct thread *thread;
    int running;

    running = atomic_load_explicit(&queue->hints.running, memory_order_relaxed);
    thread = sched_pull(queue, MAX(running + 1, THREAD_PRIORITY_MIN));
    if (thread != NULL) {
        sched_enqueue_here(thread);
    }
}

/*
 * Who left this CPU for good, or may not run here any more, has left its
 * stack now.
 */
static void
sched_see_off(struct thread *previous)
{
    if (previous->state == THREAD_DEAD) {
        thread_announce_end(previous);
    } else {
        sched_enqueue(previous);
    }
}

void
sched_release_and_mend(struct run_queue *queue)
{
    struct thread *previous;
    uint8_t first;

    /* One at a time: each takes long enough. */
    first = queue->aftermath & (uint8_t)-queue->aftermath;
    previous = queue->previous;
    queue->aftermath &= (uint8_t)~(first | SCHED_ARMED);
    if (queue->aftermath != 0) {
        preempt_count_want();
    }
    spinlock_release(&queue->lock);
    switch (first) {
    case SCHED_SEE_OFF:
        sched_see_off(previous);
        break;
    case SCHED_PUSH:
        sched_push_one(queue);
        break;
    case SCHED_PULL:
        sched_pull_one(queue);
        break;
    }
}

/*
 * The switch itself.  Returns: as sched_finish()
 */
static __always_inline bool
sched_switch(struct run_queue *queue, struct thread *next, uint64_t flags)
{
    struct thread *previous;

    assert(spinlock_is_locked(&queue->lock));
    previous = queue->previous;
    sched_load_next(previous, next);
    thread_context_switch(&previous->sp, next->sp, SCHED_SWITCHED);
    /* The thread may have moved; the queue is that of where it runs now. */
    return sched_finish(percpu_this(run_queue), flags);
}

/* Whether a thread that stops running here has still to be put somewhere. */
static inline bool
sched_is_leaving(const struct run_queue *queue, const struct thread *thread)
{
    /* The idle thread is in no queue. */
    return !thread->queued &&
           (thread->state == THREAD_READY || thread->state == THREAD_DEAD) &&
           thread != queue->idle;
}

static inline bool
sched_switch_to_locked(struct run_queue *queue, struct thread *next,
                       uint64_t flags)
{
    bool is_less_urgent;

    sched_set_current(queue, next);
    is_less_urgent = sched_set_running(queue, next->priority);
    sched_settle_locked(queue, is_less_urgent || queue->previous == next);
    if (queue->previous == next) {
        return sched_finish(queue, flags);
    }
    if (unlikely(sched_is_leaving(queue, queue->previous))) {
        queue->aftermath |= SCHED_SEE_OFF;
    }
    return sched_switch(queue, next, flags);
}

/* The same, for all but sched_preempt(), which its callers repeat. */
static void
sched_switch_and_look(struct run_queue *queue, struct thread *next,
                      uint64_t flags)
{
    if (unlikely(sched_switch_to_locked(queue, next, flags))) {
        preempt_now();
    }
}

void
sched_switch_locked(struct run_queue *queue, uint64_t flags)
{
    struct thread *current;

    sched_charge(queue);
    current = queue->current;
    sched_sleep_locked(queue, current);
    sched_switch_and_look(queue, sched_queue_pick(queue), flags);
}

bool
sched_may_hand_off_locked(struct run_queue *queue, const struct thread *next)
{
    return atomic_load_explicit(&next->cpu, memory_order_relaxed) ==
               queue->cpu &&
           (next->state == THREAD_PARKED || next->queued) && !next->suspended &&
           sched_may_run_on(next, queue->cpu) &&
           sched_queue_top(queue) <= next->priority;
}

void
sched_hand_off_locked(struct run_queue *queue, struct thread *next,
                      uint64_t flags)
{
    assert(sched_may_hand_off_locked(queue, next));
    sched_charge(queue);
    sched_sleep_locked(queue, queue->current);
    if (next->queued) {
        sched_queue_remove(queue, next);
    } else {
        sched_queue_join(queue, next);
        next->slice_left = sched_rr_ticks;
    }
    sched_switch_and_look(queue, next, flags);
}

void
sched_begin(void)
{
    if (sched_finish(percpu_this(run_queue), CPU_FLAGS_IF)) {
        preempt_now();
    }
}

/* Whether a thread that runs here need not stop or move. */
static inline bool
sched_may_go_on(const struct run_queue *queue, const struct thread *thread)
{
    return !thread->suspended && (likely(thread->affinity == NULL) ||
                                  sched_may_run_on(thread, queue->cpu));
}

/*
 * The running thread goes back to the lists, or on its way to another CPU, or
 * stops.
 *
 * @turn_is_over  else it was preempted and is the next of its priority
 */
static inline void
sched_requeue_current(struct run_queue *queue, bool turn_is_over)
{
    struct thread *current;

    current = queue->current;
    if (current == queue->idle) {
        return;
    }
    if (unlikely(!sched_may_go_on(queue, current))) {
        WRITE_ONCE(current->state,
                   current->suspended ? THREAD_SUSPENDED : THREAD_READY);
        sched_queue_leave(queue, current);
        return;
    }

    if (turn_is_over) {
        current->slice_left = sched_rr_ticks;
    }
    WRITE_ONCE(current->state, THREAD_READY);
    sched_queue_insert(queue, current, !turn_is_over);
}

/*
 * Choose anew.  Returns: as sched_finish()
 */
static bool
sched_preempt(void)
{
    struct run_queue *queue;
    uint64_t flags;

    queue = sched_lock_own(&flags);
    sched_requeue_current(queue, sched_charge(queue));
    return sched_switch_to_locked(queue, sched_queue_pick(queue), flags);
}

/*
 * What pends has its turn: a handler and a switch with interrupts disabled are
 * long enough each.  They must not switch, or the stack would grow with each.
 * Who waits for the switch is not delayed by that, but by the interrupts, as
 * he would be if he ran already; so it is not recorded.
 *
 * Context: interrupts disabled
 */
static void
sched_take_interrupts(void)
{
    preempt_count_inc();
    cpu_irq_window();
    preempt_count_dec();
}

void
sched_interrupt_end(void)
{
    do {
        sched_take_interrupts();
    } while (sched_preempt());
}

void
preempt_now(void)
{
    if (cpu_irq_is_enabled()) {
        while (sched_preempt()) {
        }
    } else {
        /* An interrupt to itself does it as soon as it can come. */
        smp_send_wake(cpu_id());
    }
}

/*
 * The most frequent case: another thread of this real-time priority waits and
 * nobody more urgent, so it is its turn and nothing else changes.
 *
 * Returns: it, or NULL
 */
static inline struct thread *
sched_take_turn(struct run_queue *queue, struct thread *current)
{
    struct thread *next;

    if (current->priority < THREAD_PRIORITY_MIN || preempt_is_wanted() ||
        unlikely(!sched_may_go_on(queue, current))) {
        return NULL;
    }
    next = sched_queue_rotate(queue, current);
    if (unlikely(next == NULL)) {
        return NULL;
    }

    WRITE_ONCE(current->state, THREAD_READY);
    current->slice_left = sched_rr_ticks;
    sched_set_current(queue, next);
    if (unlikely(next->policy == THREAD_RR)) {
        sched_arm_slice(queue);
    }
    return next;
}

void
thread_yield(void)
{
    struct run_queue *queue;
    struct thread *next;
    uint64_t flags;
    bool again;

    assert(preempt_is_enabled());
    queue = sched_lock_own(&flags);
    sched_charge(queue);
    next = sched_take_turn(queue, queue->current);
    if (likely(next != NULL)) {
        again = sched_switch(queue, next, flags);
    } else {
        sched_requeue_current(queue, true);
        again = sched_switch_to_locked(queue, sched_queue_pick(queue), flags);
    }
    if (unlikely(again)) {
        preempt_now();
    }
}

/* --------------------------------------------------------------- changes */

/*
 * The running thread has another class, priority or weight now.
 */
static void
sched_check_current_locked(struct run_queue *queue)
{
    if (sched_queue_top(queue) > queue->current->priority ||
        (!queue->slice_armed && sched_slice_matters(queue)) ||
        atomic_load(&sched_nr_overloaded) != 0) {
        sched_kick_locked(queue);
    }
}

/*
 * A thread counts in the sums of the fair class while it is queued or runs.
 */
bool
sched_begin_change_locked(struct run_queue *queue, struct thread *thread)
{
    bool was_queued;

    was_queued = thread->queued;
    if (was_queued) {
        sched_queue_remove(queue, thread);
        sched_queue_leave(queue, thread);
    } else if (queue->current == thread) {
        /* So far it ran as what it was. */
        sched_charge(queue);
        sched_queue_leave(queue, thread);
    }
    return was_queued;
}

void
sched_end_change_locked(struct run_queue *queue, struct thread *thread,
                        bool was_queued)
{
    if (was_queued) {
        sched_queue_join(queue, thread);
        sched_queue_insert(queue, thread, false);
        sched_check_locked(queue, thread);
    } else if (queue->current == thread) {
        sched_queue_join(queue, thread);
        sched_set_running(queue, thread->priority);
        sched_check_current_locked(queue);
    }
    pass_recall_locked(queue, thread);
}

bool
sched_dequeue_locked(struct run_queue *queue, struct thread *thread)
{
    if (!thread->queued) {
        return false;
    }

    sched_queue_remove(queue, thread);
    sched_queue_leave(queue, thread);
    sched_queue_publish(queue);
    return true;
}

/* ------------------------------------------------------------------ set-up */

uint32_t
sched_load(uint32_t cpu)
{
    struct run_queue *queue;

    queue = percpu_ptr(run_queue, cpu);
    return READ_ONCE(queue->nr_ready) +
           (READ_ONCE(queue->current) != queue->idle);
}

void
sched_adopt(struct thread *thread)
{
    struct run_queue *queue;
    uint64_t flags;

    flags = cpu_irq_save();
    queue = percpu_this(run_queue);
    spinlock_lock(&queue->lock);
    WRITE_ONCE(thread->state, THREAD_RUNNING);
    thread->run_start = clock_counter();
    atomic_store_explicit(&thread->cpu, queue->cpu, memory_order_relaxed);
    queue->current = thread;
    percpu_write(thread_current, thread);
    sched_queue_join(queue, thread);
    atomic_store(&queue->hints.running, thread->priority);
    spinlock_unlock(&queue->lock);
    cpu_irq_restore(flags);
}

void
sched_set_idle(struct thread *thread)
{
    percpu_ptr(run_queue, atomic_load(&thread->cpu))->idle = thread;
}

static status_t
sched_setup(void)
{
    struct run_queue *queue;

    if (cpu_id() == 0) {
        sched_rr_ticks = clock_ns_to_ticks(SCHED_RR_SLICE);
    }
    queue = percpu_this(run_queue);
    sched_queue_init(queue, cpu_id());
    timer_init(&queue->slice_timer, sched_slice_expired, "slice");
    return OK;
}

INIT_OP(sched_setup, INIT_EACH_CPU, AFTER(timer_setup));
