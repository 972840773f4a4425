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

/*
 * No further function is called in an interrupt after so many nanoseconds: the
 * interrupt comes again, once what pends besides has had its turn.
 */
#define TIMER_BUDGET_NS UINT64_C(300)

/*
 * Keys: [Q] lock   [a] atomic   [I] its CPU, interrupts disabled
 */
struct timer_queue {
    struct spinlock lock;            /* rank LOCK_TIMER */
    struct rbtree tree;              /* [Q] by deadline, FIFO among equals */
    _Atomic(struct timer *) running; /* [a] its function is being called */
    bool is_expiring;                /* [I] the interrupt will arm */
    uint64_t nr_expired;             /* [Q] */
};

static __aligned(CACHE_LINE) PERCPU(struct timer_queue, timer_queue);

/* In ticks of the counter; set on the boot CPU, constant from then on. */
static uint64_t timer_budget;

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
 * Lock the queue that a timer belongs to.
 */
static struct timer_queue *
timer_lock_queue(struct timer *timer, uint64_t *flags)
{
    struct timer_queue *queue;
    unsigned cpu;

    for (;;) {
        cpu = atomic_load(&timer->cpu);
        queue = percpu_ptr(timer_queue, cpu);
        *flags = spinlock_lock_irqsave(&queue->lock);
        if (cpu == atomic_load(&timer->cpu)) {
            return queue;
        }
        spinlock_unlock_irqrestore(&queue->lock, *flags);
    }
}

/*
 * Take a timer out of its queue.  On another CPU the hardware stays armed:
 * its interrupt finds nothing to do and arms it anew.
 *
 * Returns: whether it was in there
 */
static bool
timer_dequeue_locked(struct timer_queue *queue, struct timer *timer)
{
    assert(spinlock_is_locked(&queue->lock));
    if (!timer->queued) {
        return false;
    }

    rbtree_remove(&queue->tree, &timer->node);
    timer->queued = false;
    return true;
}

static bool
timer_is_running_locked(struct timer_queue *queue, const struct timer *timer)
{
    assert(spinlock_is_locked(&queue->lock));
    return atomic_load_explicit(&queue->running, memory_order_relaxed) == timer;
}

static void
timer_enqueue_locked(struct timer_queue *queue, struct timer *timer,
                     uint64_t deadline)
{
    assert(spinlock_is_locked(&queue->lock));
    timer->deadline = deadline;
    timer->queued = true;
    rbtree_insert(&queue->tree, &timer->node, timer_compare);
}

void
timer_start(struct timer *timer, uint64_t deadline)
{
    struct timer_queue *queue, *own;
    uint64_t flags;
    bool moves;

    queue = timer_lock_queue(timer, &flags);
    own = percpu_this(timer_queue);
    timer_dequeue_locked(queue, timer);
    moves = queue != own && !timer_is_running_locked(queue, timer);
    if (moves) {
        atomic_store(&timer->cpu, cpu_id());
        spinlock_unlock(&queue->lock);
        queue = own;
        spinlock_lock(&queue->lock);
    }

    if (deadline != CLOCK_NEVER) {
        timer_enqueue_locked(queue, timer, deadline);
        /* Another CPU's is armed when the function has returned there. */
        if (queue == own && !own->is_expiring &&
            timer_queue_first_locked(queue) == timer) {
            clock_arm(deadline);
        }
    }
    spinlock_unlock_irqrestore(&queue->lock, flags);
}

bool
timer_cancel(struct timer *timer)
{
    struct timer_queue *queue;
    uint64_t flags;
    bool was_queued, runs;

    was_queued = false;
    do {
        queue = timer_lock_queue(timer, &flags);
        was_queued = timer_dequeue_locked(queue, timer) || was_queued;
        runs = timer_is_running_locked(queue, timer);
        spinlock_unlock_irqrestore(&queue->lock, flags);
        /* Pairs with the release in timer_expire_one(). */
        while (atomic_load_explicit(&queue->running, memory_order_acquire) ==
               timer) {
            cpu_pause();
        }
        /* Before it ended it may have started the timer again. */
    } while (runs);

    return was_queued;
}

/*
 * Call the function of the first timer if its time has come, else arm the
 * hardware.
 *
 * @has_time  else arm it in any case
 *
 * Returns: false if it was armed
 */
static bool
timer_expire_one(struct timer_queue *queue, bool has_time)
{
    struct timer *timer;

    spinlock_lock(&queue->lock);
    timer = timer_queue_first_locked(queue);
    if (!has_time || timer == NULL || timer->deadline > clock_now()) {
        /* What is due already makes the interrupt come again at once. */
        queue->is_expiring = false;
        timer_queue_arm_locked(queue);
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
    uint64_t end;
    bool has_time;

    queue = percpu_this(timer_queue);
    queue->is_expiring = true;
    end = clock_counter() + timer_budget;
    has_time = true;
    while (timer_expire_one(queue, has_time)) {
        has_time = clock_counter() < end;
    }
}

static status_t
timer_setup(void)
{
    struct timer_queue *queue;

    if (cpu_id() == 0) {
        timer_budget = clock_ns_to_ticks(TIMER_BUDGET_NS);
    }
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
