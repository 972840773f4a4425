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
#include <kern/sched_fair.h>
#include <kern/sched_hooks.h>
#include <kern/spinlock.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <lib/bitmap.h>

#define SCHED_NR_PRIORITIES 256
#define SCHED_RR_SLICE      UINT64_C(4000000) /* nanoseconds */
#define SCHED_SEARCH        8U /* CPUs looked at for an idle one */

/*
 * Keys: [Q] lock   [c] constant once the CPU runs   [a] atomic, written [Q]
 */
struct run_queue {
    struct spinlock lock;    /* rank LOCK_RUNQ */
    uint32_t cpu;            /* [c] */
    struct thread *current;  /* [Q] runs */
    struct thread *idle;     /* [c] */
    struct thread *previous; /* [Q] during a switch: who left */
    atomic_bool is_idle;     /* [a] runs its idle thread */
    uint32_t nr_ready;       /* [Q] in the lists */
    struct sched_fair fair;  /* [Q] */
    unsigned long rt_bitmap[BITMAP_LONGS(SCHED_NR_PRIORITIES)]; /* [Q] */
    struct list rt_lists[SCHED_NR_PRIORITIES];                  /* [Q] */
    struct timer slice_timer; /* started and expiring on its CPU only */
    bool slice_armed;         /* [Q] */
};

static __aligned(CACHE_LINE) PERCPU(struct run_queue, run_queue);

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

/* ------------------------------------------------- the lists of a queue */

static bool
sched_is_fair(const struct thread *thread)
{
    return thread->priority == THREAD_PRIORITY_FAIR;
}

/* @at_head  of its priority: it was preempted, not at the end of its turn */
static void
sched_list_insert(struct run_queue *queue, struct thread *thread, bool at_head)
{
    assert(spinlock_is_locked(&queue->lock) && !thread->queued);
    thread->queued = true;
    queue->nr_ready++;
    if (sched_is_fair(thread)) {
        sched_fair_queue(&queue->fair, thread);
        return;
    }

    bitmap_set(queue->rt_bitmap, (size_t)thread->priority);
    if (at_head) {
        list_insert_head(&queue->rt_lists[thread->priority], &thread->run_node);
    } else {
        list_insert_tail(&queue->rt_lists[thread->priority], &thread->run_node);
    }
}

static void
sched_list_remove(struct run_queue *queue, struct thread *thread)
{
    assert(spinlock_is_locked(&queue->lock) && thread->queued);
    thread->queued = false;
    queue->nr_ready--;
    if (sched_is_fair(thread)) {
        sched_fair_unqueue(&queue->fair, thread);
        return;
    }

    list_remove(&thread->run_node);
    if (list_is_empty(&queue->rt_lists[thread->priority])) {
        bitmap_clear(queue->rt_bitmap, (size_t)thread->priority);
    }
}

/* The largest real-time priority that is ready, or the fair class's. */
static int
sched_top_priority(const struct run_queue *queue)
{
    unsigned i;

    for (i = ARRAY_SIZE(queue->rt_bitmap); i > 0; i--) {
        if (queue->rt_bitmap[i - 1] != 0) {
            return (int)(i * 64) - 1 - __builtin_clzl(queue->rt_bitmap[i - 1]);
        }
    }
    return queue->fair.nr_queued != 0 ? THREAD_PRIORITY_FAIR
                                      : THREAD_PRIORITY_IDLE;
}

/* Take the thread to run next out of the lists. */
static struct thread *
sched_pick(struct run_queue *queue)
{
    struct thread *thread;
    int priority;

    priority = sched_top_priority(queue);
    if (priority == THREAD_PRIORITY_IDLE) {
        return queue->idle;
    }
    if (priority == THREAD_PRIORITY_FAIR) {
        thread = sched_fair_pick(&queue->fair);
    } else {
        thread = list_first_entry(&queue->rt_lists[priority], struct thread,
                                  run_node);
    }

    sched_list_remove(queue, thread);
    return thread;
}

/* Join or leave the sums of the fair class. */
static void
sched_join(struct run_queue *queue, struct thread *thread)
{
    if (sched_is_fair(thread)) {
        sched_fair_join(&queue->fair, thread);
    }
}

static void
sched_leave(struct run_queue *queue, struct thread *thread)
{
    if (sched_is_fair(thread)) {
        sched_fair_leave(&queue->fair, thread);
    }
}

/* --------------------------------------------------- time and preemption */

/*
 * Charge the running thread for the time since it was charged last.
 *
 * Returns: whether its slice is over
 */
static bool
sched_charge(struct run_queue *queue)
{
    struct thread *thread;
    uint64_t counter, ticks;

    thread = queue->current;
    counter = clock_counter();
    ticks = counter - thread->run_start;
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

/* Whether somebody waits whom the running thread's slice keeps waiting. */
static bool
sched_slice_matters(const struct run_queue *queue)
{
    const struct thread *thread;

    thread = queue->current;
    if (thread == queue->idle || queue->nr_ready == 0) {
        return false;
    }
    if (thread->priority == THREAD_PRIORITY_FAIR) {
        return queue->fair.nr_queued != 0;
    }
    return thread->policy == THREAD_RR &&
           !list_is_empty(&queue->rt_lists[thread->priority]);
}

/* Own queue only: see to it that the slice of the running thread ends. */
static void
sched_arm_slice(struct run_queue *queue)
{
    if (queue->slice_armed || !sched_slice_matters(queue)) {
        return;
    }

    queue->slice_armed = true;
    timer_start(&queue->slice_timer,
                clock_now() + (queue->current->policy == THREAD_RR
                                   ? SCHED_RR_SLICE
                                   : SCHED_FAIR_SLICE));
}

/*
 * The slice timer: choose anew if the slice is over, else go on.
 */
static void
sched_slice_expired(struct timer *timer __unused)
{
    struct run_queue *queue;

    queue = percpu_this(run_queue);
    spinlock_lock(&queue->lock);
    queue->slice_armed = false;
    if (sched_slice_matters(queue) && sched_charge(queue)) {
        preempt_count_want();
    }
    sched_arm_slice(queue);
    spinlock_unlock(&queue->lock);
}

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
static bool
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

static void
sched_enqueue_locked(struct run_queue *queue, struct thread *thread)
{
    sched_join(queue, thread);
    thread->slice_left = sched_rr_ticks;
    sched_list_insert(queue, thread, false);
    if (sched_preempts(queue, thread)) {
        sched_kick_locked(queue);
    } else if (queue->cpu == cpu_id()) {
        sched_arm_slice(queue);
    } else if (!queue->slice_armed && sched_slice_matters(queue)) {
        smp_send_wake(queue->cpu);
    }
}

/* -------------------------------------------------------------- placement */

static bool
sched_may_run_on(const struct thread *thread, uint32_t cpu)
{
    return cpu_is_online(cpu) &&
           (thread->affinity == NULL || bitmap_test(thread->affinity, cpu));
}

/*
 * Look at a bounded number of CPUs, from @cpu on, for an idle one on which a
 * thread may run.
 *
 * Returns: its number, or cpu_nr_possible
 */
static uint32_t
sched_find_idle(const struct thread *thread, uint32_t cpu)
{
    struct run_queue *queue;
    uint32_t n;

    for (n = 0; n < MIN(cpu_nr_possible, SCHED_SEARCH); n++) {
        queue = percpu_ptr(run_queue, cpu);
        if (sched_may_run_on(thread, cpu) &&
            atomic_load_explicit(&queue->is_idle, memory_order_relaxed)) {
            return cpu;
        }
        cpu = cpu + 1 < cpu_nr_possible ? cpu + 1 : 0;
    }
    return cpu_nr_possible;
}

/*
 * Where a thread that becomes ready should run: where it ran last, unless
 * somebody runs there and a CPU nearby is idle.
 */
static uint32_t
sched_choose_cpu(const struct thread *thread)
{
    uint32_t last, cpu;

    last = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    if (thread->pinned) {
        return last;
    }

    cpu = sched_find_idle(thread, last);
    if (cpu != cpu_nr_possible) {
        return cpu;
    }
    if (sched_may_run_on(thread, last)) {
        return last;
    }
    cpu_for_each (cpu) {
        if (sched_may_run_on(thread, cpu)) {
            return cpu;
        }
    }
    return last;
}

/*
 * A thread was preempted: should a CPU be idle, have it come and take it.
 * Otherwise it could wait here behind real-time threads for ever.
 */
static void
sched_offer(const struct run_queue *queue, const struct thread *thread)
{
    uint32_t cpu;

    if (thread == queue->idle || thread->pinned ||
        thread->state != THREAD_READY) {
        return;
    }

    cpu = sched_find_idle(thread, queue->cpu);
    if (cpu != cpu_nr_possible) {
        smp_send_wake(cpu);
    }
}

void
sched_enqueue(struct thread *thread)
{
    struct run_queue *queue;
    uint64_t flags;

    atomic_store_explicit(&thread->cpu, sched_choose_cpu(thread),
                          memory_order_relaxed);
    queue = sched_lock_thread(thread, &flags);
    if (thread->suspended) {
        thread->state = THREAD_SUSPENDED;
    } else {
        sched_enqueue_locked(queue, thread);
    }
    sched_unlock(queue, flags);
}

/* ----------------------------------------------------------------- switch */

/*
 * End of a switch, in the context that continues.
 */
static void
sched_finish(uint64_t flags)
{
    struct run_queue *queue;
    struct thread *previous, *moved;

    queue = percpu_this(run_queue);
    previous = queue->previous;
    moved = NULL;
    if (previous->state == THREAD_READY && !previous->queued) {
        /* It may not run here any more. */
        moved = previous;
    }
    sched_arm_slice(queue);
    sched_unlock(queue, flags);
    if (unlikely(moved != NULL)) {
        sched_enqueue(moved);
    }
}

static void
sched_switch_to_locked(struct run_queue *queue, struct thread *next,
                       uint64_t flags)
{
    struct thread *previous;

    assert(spinlock_is_locked(&queue->lock));
    preempt_count_unwant();
    previous = queue->current;
    next->state = THREAD_RUNNING;
    if (next == previous) {
        sched_arm_slice(queue);
        sched_unlock(queue, flags);
        return;
    }

    sched_hook_switch(previous);
    next->run_start = previous->run_start;
    next->nr_switches++;
    queue->previous = previous;
    queue->current = next;
    atomic_store_explicit(&queue->is_idle, next == queue->idle,
                          memory_order_relaxed);
    percpu_write(thread_current, next);
    thread_context_switch(&previous->sp, next->sp);
    sched_finish(flags);
}

void
sched_switch_locked(struct run_queue *queue, uint64_t flags)
{
    struct thread *current;

    sched_charge(queue);
    current = queue->current;
    if (current->state != THREAD_RUNNING && current->state != THREAD_READY) {
        sched_leave(queue, current);
    }
    sched_switch_to_locked(queue, sched_pick(queue), flags);
}

void
sched_hand_off_locked(struct run_queue *queue, struct thread *next,
                      uint64_t flags)
{
    assert(next->state == THREAD_PARKED && !next->queued);
    sched_charge(queue);
    sched_leave(queue, queue->current);
    sched_join(queue, next);
    next->slice_left = sched_rr_ticks;
    sched_switch_to_locked(queue, next, flags);
}

void
sched_begin(void)
{
    sched_finish(CPU_FLAGS_IF);
}

/*
 * The running thread goes back to the lists, or on its way to another CPU, or
 * stops.
 *
 * @turn_is_over  else it was preempted and is the next of its priority
 */
static void
sched_requeue_current(struct run_queue *queue, bool turn_is_over)
{
    struct thread *current;

    current = queue->current;
    if (current == queue->idle) {
        return;
    }
    if (current->suspended || !sched_may_run_on(current, queue->cpu)) {
        current->state = current->suspended ? THREAD_SUSPENDED : THREAD_READY;
        sched_leave(queue, current);
        return;
    }

    if (turn_is_over) {
        current->slice_left = sched_rr_ticks;
    }
    current->state = THREAD_READY;
    sched_list_insert(queue, current, !turn_is_over);
}

void
sched_preempt(void)
{
    struct run_queue *queue;
    struct thread *next;
    uint64_t flags;

    queue = sched_lock_thread(thread_self(), &flags);
    sched_requeue_current(queue, sched_charge(queue));
    next = sched_pick(queue);
    if (next != queue->current) {
        sched_offer(queue, queue->current);
    }
    sched_switch_to_locked(queue, next, flags);
}

void
preempt_now(void)
{
    if (cpu_irq_is_enabled()) {
        sched_preempt();
    } else {
        /* An interrupt to itself does it as soon as it can come. */
        smp_send_wake(cpu_id());
    }
}

void
thread_yield(void)
{
    struct run_queue *queue;
    uint64_t flags;

    queue = sched_lock_thread(thread_self(), &flags);
    sched_charge(queue);
    sched_requeue_current(queue, true);
    sched_switch_to_locked(queue, sched_pick(queue), flags);
}

/* --------------------------------------------------------------- changes */

/*
 * A thread counts in the sums of the fair class while it is queued or runs.
 */
bool
sched_begin_change_locked(struct run_queue *queue, struct thread *thread)
{
    bool was_queued;

    was_queued = thread->queued;
    if (was_queued) {
        sched_list_remove(queue, thread);
    }
    if (was_queued || queue->current == thread) {
        sched_leave(queue, thread);
    }
    return was_queued;
}

void
sched_end_change_locked(struct run_queue *queue, struct thread *thread,
                        bool was_queued)
{
    if (was_queued || queue->current == thread) {
        sched_join(queue, thread);
    }
    if (was_queued) {
        sched_list_insert(queue, thread, false);
    }
    if (queue->current == thread) {
        if (sched_top_priority(queue) > thread->priority) {
            sched_kick_locked(queue);
        }
    } else if (was_queued && sched_preempts(queue, thread)) {
        sched_kick_locked(queue);
    }
}

/* --------------------------------------------------------------- balancing */

/*
 * A ready thread of a queue that may run on @cpu, out of the lists; NULL if
 * there is none among the most urgent.
 */
static struct thread *
sched_steal_locked(struct run_queue *queue, uint32_t cpu)
{
    struct thread *thread;
    int priority;

    priority = sched_top_priority(queue);
    if (priority == THREAD_PRIORITY_IDLE) {
        return NULL;
    }
    if (priority == THREAD_PRIORITY_FAIR) {
        thread = sched_fair_pick(&queue->fair);
    } else {
        thread = list_first_entry(&queue->rt_lists[priority], struct thread,
                                  run_node);
    }
    if (thread->pinned || !sched_may_run_on(thread, cpu)) {
        return NULL;
    }

    sched_list_remove(queue, thread);
    sched_leave(queue, thread);
    atomic_store_explicit(&thread->cpu, cpu, memory_order_relaxed);
    return thread;
}

/* Take a thread that waits for another CPU. */
static void
sched_pull(uint32_t own)
{
    struct run_queue *queue;
    struct thread *thread;
    uint64_t flags;
    uint32_t cpu, n;

    cpu = own;
    for (n = 1; n < cpu_nr_possible; n++) {
        cpu = cpu + 1 < cpu_nr_possible ? cpu + 1 : 0;
        queue = percpu_ptr(run_queue, cpu);
        if (READ_ONCE(queue->nr_ready) == 0) {
            continue;
        }

        flags = spinlock_lock_irqsave(&queue->lock);
        thread = sched_steal_locked(queue, own);
        spinlock_unlock_irqrestore(&queue->lock, flags);
        if (thread != NULL) {
            queue = sched_lock_thread(thread, &flags);
            sched_enqueue_locked(queue, thread);
            sched_unlock(queue, flags);
            return;
        }
    }
}

void
sched_idle(void)
{
    uint32_t own;

    own = cpu_id();
    for (;;) {
        sched_pull(own);
        /* A wake-up between the look and the wait stays pending. */
        cpu_irq_disable();
        if (percpu_read(preempt_count) == 0) {
            cpu_irq_enable();
            preempt_now();
            continue;
        }
        sched_hook_idle_enter();
        cpu_idle_wait();
        sched_hook_idle_exit();
    }
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
    thread->state = THREAD_RUNNING;
    thread->run_start = clock_counter();
    atomic_store_explicit(&thread->cpu, queue->cpu, memory_order_relaxed);
    queue->current = thread;
    percpu_write(thread_current, thread);
    atomic_store_explicit(&queue->is_idle, thread == queue->idle,
                          memory_order_relaxed);
    sched_join(queue, thread);
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
    unsigned i;

    if (cpu_id() == 0) {
        sched_rr_ticks = clock_ns_to_ticks(SCHED_RR_SLICE);
    }
    queue = percpu_this(run_queue);
    spinlock_init(&queue->lock, LOCK_RUNQ, "run queue");
    queue->cpu = cpu_id();
    sched_fair_init(&queue->fair);
    for (i = 0; i < SCHED_NR_PRIORITIES; i++) {
        list_init(&queue->rt_lists[i]);
    }
    timer_init(&queue->slice_timer, sched_slice_expired, "slice");
    return OK;
}

INIT_OP(sched_setup, INIT_EACH_CPU, AFTER(timer_setup));
