/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/clock.h>
#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/command.h>
#include <kern/percpu.h>
#include <kern/spinlock.h>
#include <kern/timer.h>
#include <lib/assert.h>

/* Functions called at a time with interrupts disabled, before the rest. */
#define TIMER_BATCH 8

/*
 * Keys: [Q] lock   [a] atomic
 */
struct timer_queue {
    struct spinlock lock;            /* rank LOCK_TIMER */
    struct rbtree tree;              /* [Q] by deadline, FIFO among equals */
    _Atomic(struct timer *) running; /* [a] its function is being called */
    uint64_t nr_expired;             /* [Q] */
};

static __aligned(CACHE_LINE) PERCPU(struct timer_queue, timer_queue);

static int
timer_compare(const struct rbtree_node *a, const struct rbtree_node *b)
{
    uint64_t deadline_a, deadline_b;

    deadline_a = rbtree_entry(a, struct timer, node)->deadline;
    deadline_b = rbtree_entry(b, struct timer, node)->deadline;
    return (deadline_a > deadline_b) - (deadline_a < deadline_b);
}

static struct timer *
timer_queue_first_locked(struct timer_queue *queue)
{
    struct rbtree_node *node;

    assert(spinlock_is_locked(&queue->lock));
    node = rbtree_first(&queue->tree);
    return node != NULL ? rbtree_entry(node, struct timer, node) : NULL;
}

/* Arm the hardware of this CPU for the first timer. */
static void
timer_queue_arm_locked(struct timer_queue *queue)
{
    struct timer *first;

    first = timer_queue_first_locked(queue);
    if (first == NULL) {
        clock_disarm();
    } else {
        clock_arm(first->deadline);
    }
}

void
timer_init(struct timer *timer, timer_fn_t fn, const char *name)
{
    timer->fn = fn;
    timer->name = name;
    timer->deadline = CLOCK_NEVER;
    timer->queued = false;
    atomic_init(&timer->cpu, cpu_id());
}

/*
 * Take a timer out of the queue that it is in.  On another CPU the hardware
 * stays armed: its interrupt finds nothing to do and arms it anew.
 */
static bool
timer_dequeue(struct timer *timer)
{
    struct timer_queue *queue;
    uint64_t flags;
    bool queued;

    queue = percpu_ptr(timer_queue, atomic_load(&timer->cpu));
    flags = spinlock_lock_irqsave(&queue->lock);
    queued = timer->queued;
    if (queued) {
        rbtree_remove(&queue->tree, &timer->node);
        timer->queued = false;
    }
    spinlock_unlock_irqrestore(&queue->lock, flags);
    return queued;
}

void
timer_start(struct timer *timer, uint64_t deadline)
{
    struct timer_queue *queue;
    uint64_t flags;

    timer_dequeue(timer);
    if (deadline == CLOCK_NEVER) {
        return;
    }

    flags = cpu_irq_save();
    queue = percpu_this(timer_queue);
    spinlock_lock(&queue->lock);
    atomic_store(&timer->cpu, cpu_id());
    timer->deadline = deadline;
    timer->queued = true;
    rbtree_insert(&queue->tree, &timer->node, timer_compare);
    if (timer_queue_first_locked(queue) == timer) {
        clock_arm(deadline);
    }
    spinlock_unlock(&queue->lock);
    cpu_irq_restore(flags);
}

bool
timer_cancel(struct timer *timer)
{
    struct timer_queue *queue;
    bool queued;

    queued = timer_dequeue(timer);
    queue = percpu_ptr(timer_queue, atomic_load(&timer->cpu));
    /* Pairs with the release in timer_expire_one(). */
    while (atomic_load_explicit(&queue->running, memory_order_acquire) ==
           timer) {
        cpu_pause();
    }
    return queued;
}

/*
 * Call the function of the first timer if its time has come.
 *
 * Returns: false when there is none
 */
static bool
timer_expire_one(struct timer_queue *queue)
{
    struct timer *timer;

    spinlock_lock(&queue->lock);
    timer = timer_queue_first_locked(queue);
    if (timer == NULL || timer->deadline > clock_now()) {
        spinlock_unlock(&queue->lock);
        return false;
    }

    rbtree_remove(&queue->tree, &timer->node);
    timer->queued = false;
    queue->nr_expired++;
    atomic_store_explicit(&queue->running, timer, memory_order_relaxed);
    spinlock_unlock(&queue->lock);

    timer->fn(timer);
    /* Pairs with the acquire in timer_cancel(): the function has returned. */
    atomic_store_explicit(&queue->running, NULL, memory_order_release);
    return true;
}

void
timer_interrupt(void *ctx __unused)
{
    struct timer_queue *queue;
    unsigned n;

    queue = percpu_this(timer_queue);
    for (n = 0; n < TIMER_BATCH; n++) {
        if (!timer_expire_one(queue)) {
            break;
        }
    }

    /* What is due already makes the interrupt come again at once. */
    spinlock_lock(&queue->lock);
    timer_queue_arm_locked(queue);
    spinlock_unlock(&queue->lock);
}

static status_t
timer_setup(void)
{
    struct timer_queue *queue;

    queue = percpu_this(timer_queue);
    spinlock_init(&queue->lock, LOCK_TIMER, "timer queue");
    rbtree_init(&queue->tree);
    return OK;
}

INIT_OP(timer_setup, INIT_EACH_CPU, AFTER(percpu_setup), AFTER(clock_setup));

/* How many timers of a CPU the monitor shows. */
#define TIMER_SHOWN 16

static void
timer_print_queue(uint32_t cpu)
{
    struct timer_queue *queue;
    const char *names[TIMER_SHOWN];
    uint64_t deadlines[TIMER_SHOWN];
    struct timer *timer;
    uint64_t flags, now;
    unsigned n, i;

    queue = percpu_ptr(timer_queue, cpu);
    n = 0;
    flags = spinlock_lock_irqsave(&queue->lock);
    rbtree_for_each_entry (&queue->tree, timer, node) {
        if (n == TIMER_SHOWN) {
            break;
        }
        names[n] = timer->name;
        deadlines[n] = timer->deadline;
        n++;
    }
    spinlock_unlock_irqrestore(&queue->lock, flags);

    now = clock_now();
    console_printf("cpu %u: %lu expired\n", cpu, queue->nr_expired);
    for (i = 0; i < n; i++) {
        console_printf("    %-24s in %ld us\n", names[i],
                       ((int64_t)deadlines[i] - (int64_t)now) / 1000);
    }
}

static void
timer_command(int argc __unused, char **argv __unused)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        timer_print_queue(cpu);
    }
}

MONITOR_COMMAND(timers, "", "timer queues of all CPUs", timer_command);
