/* SPDX-License-Identifier: MIT */
/*
 * Callbacks: what is to be done after a grace period, CPU by CPU.
 *
 * A callback goes through three lists of its CPU: next (no grace period is
 * chosen for it yet), waiting (for the one of the cookie), done (it has
 * passed).  A thread of the CPU moves whole lists on and calls what is done,
 * RCU_CALL_BATCH at a time; then it looks whether the lists can move, so that
 * the next grace period passes meanwhile.  rcu_call() itself is an insertion
 * with interrupts disabled: no lock, no barrier, nothing shared.  The first
 * of a list starts a timer, so that one grace period serves all that come in
 * RCU_CALL_LINGER_NS, and the thread is woken once for them.
 *
 * Invariants: the lists are touched by their CPU only, interrupts disabled.
 * Callbacks are called in the order of rcu_call() on one CPU.  While next is
 * not empty, the timer is started or is_due is set; the thread is woken when
 * is_due is set, and moves next on only then.  count is the length of all
 * lists and of what is being called.
 *
 * Bound: from RCU_CALLS_URGENT on grace periods are expedited; from
 * RCU_CALLS_MAX on a caller that may wait puts a callback of its own behind
 * all others and waits for it.  One that may not wait (interrupt, lock held,
 * inside a section, a callback) may exceed the bound.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/mutex.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <kern/rcu_tree.h>
#include <kern/thread.h>
#include <kern/timer.h>
#include <kern/xcall.h>
#include <lib/assert.h>
#include <lib/fmt.h>

/* Callbacks called before the lists are looked at again. */
#define RCU_CALL_BATCH 32

/* How long the first callback waits for others, nanoseconds. */
#define RCU_CALL_LINGER_NS UINT64_C(1000000)

/* In order; @last is undefined while it is empty. */
struct rcu_chain {
    struct rcu_head *first;
    struct rcu_head *last;
};

/*
 * Keys: [I] its CPU, interrupts disabled   [c] constant once the CPU runs
 *       [B] rcu_barrier_mutex   [T] its thread
 */
struct rcu_calls {
    struct rcu_chain next;        /* [I] */
    struct rcu_chain waiting;     /* [I] */
    struct rcu_chain done;        /* [I] */
    uint64_t cookie;              /* [I] of what is waiting */
    uint32_t count;               /* [I] */
    uint32_t max;                 /* [I] largest count so far */
    bool is_due;                  /* [I] next is to move on */
    bool is_boosted;              /* [I] the thread runs with RCU_PRIORITY */
    struct thread *thread;        /* [c] */
    struct timer timer;           /* [I] sets is_due */
    uint64_t nr_called;           /* [T] */
    uint64_t nr_waits;            /* [I] */
    struct rcu_head barrier_head; /* [B] */
};

static __aligned(CACHE_LINE) PERCPU(struct rcu_calls, rcu_calls);

/* ---------------------------------------------------------------- lists */

static void
rcu_chain_append(struct rcu_chain *list, struct rcu_head *head)
{
    head->next = NULL;
    if (list->first == NULL) {
        list->first = head;
    } else {
        list->last->next = head;
    }
    list->last = head;
}

/* Move all of @from behind @to. */
static void
rcu_chain_move(struct rcu_chain *to, struct rcu_chain *from)
{
    if (from->first == NULL) {
        return;
    }
    if (to->first == NULL) {
        to->first = from->first;
    } else {
        to->last->next = from->first;
    }
    to->last = from->last;
    from->first = NULL;
}

/* ------------------------------------------------------------- rcu_call() */

/*
 * Whether the caller may wait for callbacks.
 *
 * @flags  interrupts of the caller
 */
static bool
rcu_call_may_wait(uint64_t flags)
{
    struct thread *self;

    self = thread_self();
    return (flags & CPU_FLAGS_IF) && preempt_is_enabled() &&
           !rcu_read_is_held() && self != percpu_this(rcu_calls)->thread &&
           self != rcu_state.thread;
}

/*
 * Have what is in the list next move on without delay.
 *
 * Context: interrupts disabled
 */
static void
rcu_calls_hurry(struct rcu_calls *calls)
{
    if (!calls->is_due) {
        calls->is_due = true;
        rcu_wake_later(RCU_WAKE_CALLER);
    }
}

/* Context: timer, on the CPU that started it */
static void
rcu_calls_timer_expired(struct timer *timer __unused)
{
    struct rcu_calls *calls;

    calls = percpu_this(rcu_calls);
    if (!calls->is_due) {
        calls->is_due = true;
        thread_unpark(calls->thread);
    }
}

/*
 * Have somebody's wait or the lack of any decide how urgent the thread is.
 *
 * Context: interrupts disabled
 */
static void
rcu_calls_boost(struct rcu_calls *calls, bool is_boosted)
{
    status_t status;

    if (calls->is_boosted == is_boosted) {
        return;
    }

    calls->is_boosted = is_boosted;
    status = thread_set_policy(calls->thread, THREAD_FIFO,
                               is_boosted ? RCU_PRIORITY : RCU_CALL_PRIORITY);
    verify(status == OK);
}

/*
 * One who waits for all callbacks before it.
 *
 * Keys: [c] constant   [a] atomic
 */
struct rcu_call_waiter {
    struct rcu_head head;
    struct thread *thread; /* [c] */
    atomic_bool done;      /* [a] */
};

static void
rcu_call_waiter_done(struct rcu_head *head)
{
    struct rcu_call_waiter *waiter;
    struct thread *thread;

    waiter = container_of(head, struct rcu_call_waiter, head);
    thread = waiter->thread;
    /* Pairs with the acquire in rcu_call_wait(); its stack may be gone now. */
    atomic_store_explicit(&waiter->done, true, memory_order_release);
    thread_unpark(thread);
}

/*
 * Wait until the callbacks of this CPU were called.
 */
static void
rcu_call_wait(void)
{
    struct rcu_call_waiter waiter = { .head.fn = rcu_call_waiter_done,
                                      .thread = thread_self() };
    struct rcu_calls *calls;
    uint64_t flags;

    flags = cpu_irq_save();
    calls = percpu_this(rcu_calls);
    rcu_chain_append(&calls->next, &waiter.head);
    ADD_ONCE(calls->count, 1);
    ADD_ONCE(calls->nr_waits, 1);
    rcu_calls_boost(calls, true);
    rcu_calls_hurry(calls);
    cpu_irq_restore(flags);
    /* Pairs with the release in rcu_call_waiter_done(). */
    while (!atomic_load_explicit(&waiter.done, memory_order_acquire)) {
        thread_park(CLOCK_NEVER);
    }
}

/*
 * There are many callbacks: hurry, and have the caller wait if it can.
 *
 * @flags  interrupts of the caller, disabled now; restored
 */
static void
rcu_call_press(struct rcu_calls *calls, uint64_t flags)
{
    uint64_t cookie;
    bool waits;

    WRITE_ONCE(calls->max, MAX(calls->max, calls->count));
    if (calls->count % RCU_CALLS_URGENT == 0) {
        rcu_calls_hurry(calls);
        cookie = rcu_cookie();
        rcu_want(cookie, cookie);
    }
    waits = calls->count >= RCU_CALLS_MAX && rcu_call_may_wait(flags);
    cpu_irq_restore(flags);
    if (waits) {
        rcu_call_wait();
    }
}

void
rcu_call(struct rcu_head *head, rcu_fn_t fn)
{
    struct rcu_calls *calls;
    uint64_t flags;

    if (LOCK_CHECK_ENABLED && cpu_irq_is_enabled() &&
        rcu_call_may_wait(CPU_FLAGS_IF)) {
        lock_check_grace_period(&thread_self()->locks);
    }
    head->fn = fn;
    flags = cpu_irq_save();
    calls = percpu_this(rcu_calls);
    if (unlikely(calls->next.first == NULL)) {
        timer_start(&calls->timer, clock_now() + RCU_CALL_LINGER_NS);
    }
    rcu_chain_append(&calls->next, head);
    ADD_ONCE(calls->count, 1);
    if (unlikely(calls->count >= RCU_CALLS_URGENT)) {
        rcu_call_press(calls, flags);
        return;
    }
    cpu_irq_restore(flags);
}

void
rcu_call_wake(void)
{
    thread_unpark(percpu_this(rcu_calls)->thread);
}

/* ------------------------------------------------------------- the thread */

/*
 * Move the lists on.
 *
 * @list  receives what is done
 */
static void
rcu_calls_advance(struct rcu_calls *calls, struct rcu_chain *list)
{
    uint64_t flags, cookie, urgent;

    cookie = 0;
    urgent = 0;
    flags = cpu_irq_save();
    if (calls->waiting.first != NULL && rcu_poll_done(calls->cookie)) {
        rcu_chain_move(&calls->done, &calls->waiting);
    }
    calls->is_due = calls->is_due && calls->next.first != NULL;
    if (calls->waiting.first == NULL && calls->is_due) {
        calls->is_due = false;
        rcu_chain_move(&calls->waiting, &calls->next);
        cookie = rcu_cookie();
        calls->cookie = cookie;
        urgent = calls->count >= RCU_CALLS_URGENT ? cookie : 0;
    }
    rcu_chain_move(list, &calls->done);
    cpu_irq_restore(flags);
    if (cookie != 0) {
        rcu_want(cookie, urgent);
    }
}

static void
rcu_call_one(struct rcu_head *head)
{
    uintptr_t offset;

    offset = (uintptr_t)head->fn;
    if (offset < RCU_FREE_MAX) {
        kfree((char *)head - offset);
    } else {
        head->fn(head);
    }
}

/* Call at most RCU_CALL_BATCH callbacks. */
static void
rcu_calls_call(struct rcu_calls *calls, struct rcu_chain *list)
{
    struct rcu_head *head;
    uint64_t flags;
    uint32_t n;

    for (n = 0; n < RCU_CALL_BATCH && list->first != NULL; n++) {
        head = list->first;
        list->first = head->next;
        /* Before it may wake somebody who looks: rcu_barrier() counts. */
        WRITE_ONCE(calls->nr_called, calls->nr_called + 1);
        rcu_call_one(head);
    }

    flags = cpu_irq_save();
    ADD_ONCE(calls->count, -n);
    cpu_irq_restore(flags);
}

/* Nothing is done: wait until something is, or comes. */
static void
rcu_calls_sleep(struct rcu_calls *calls)
{
    bool is_waiting;
    uint64_t flags, cookie;

    flags = cpu_irq_save();
    is_waiting = calls->waiting.first != NULL;
    cookie = calls->cookie;
    if (calls->count == 0) {
        rcu_calls_boost(calls, false);
    }
    cpu_irq_restore(flags);
    if (is_waiting) {
        rcu_wait(cookie, 0);
    } else if (!READ_ONCE(calls->is_due)) {
        thread_park(CLOCK_NEVER);
    }
}

static void
rcu_calls_run(void *arg)
{
    struct rcu_calls *calls = arg;
    struct rcu_chain list = { .first = NULL };

    for (;;) {
        rcu_calls_advance(calls, &list);
        if (list.first != NULL) {
            rcu_calls_call(calls, &list);
        } else {
            rcu_calls_sleep(calls);
        }
    }
}

/* ---------------------------------------------------------- rcu_barrier() */

/* One rcu_barrier() at a time. */
static struct mutex rcu_barrier_mutex;

static atomic_uint rcu_barrier_left;       /* callbacks to come, and one */
static struct thread *rcu_barrier_waiting; /* under the mutex */

static void
rcu_barrier_arrive(struct rcu_head *head __unused)
{
    struct thread *thread;

    thread = rcu_barrier_waiting;
    /* Pairs with the acquire in rcu_barrier(). */
    if (atomic_fetch_sub_explicit(&rcu_barrier_left, 1, memory_order_acq_rel) ==
        1) {
        thread_unpark(thread);
    }
}

/* Context: interrupt, on the CPU whose callbacks are waited for */
static void
rcu_barrier_enter(void *arg __unused)
{
    struct rcu_calls *calls;

    calls = percpu_this(rcu_calls);
    if (calls->count == 0) {
        return;
    }
    atomic_fetch_add_explicit(&rcu_barrier_left, 1, memory_order_relaxed);
    calls->barrier_head.fn = rcu_barrier_arrive;
    rcu_chain_append(&calls->next, &calls->barrier_head);
    ADD_ONCE(calls->count, 1);
    rcu_calls_hurry(calls);
}

void
rcu_barrier(void)
{
    uint32_t cpu;

    assert(!rcu_read_is_held());
    lock_check_grace_period(&thread_self()->locks);
    mutex_lock(&rcu_barrier_mutex);
    rcu_barrier_waiting = thread_self();
    atomic_store_explicit(&rcu_barrier_left, 1, memory_order_relaxed);
    cpu_for_each (cpu) {
        if (READ_ONCE(percpu_ptr(rcu_calls, cpu)->count) != 0) {
            xcall_one(cpu, rcu_barrier_enter, NULL);
        }
    }
    rcu_barrier_arrive(NULL);
    /* Pairs with the release in rcu_barrier_arrive(). */
    while (atomic_load_explicit(&rcu_barrier_left, memory_order_acquire) != 0) {
        thread_park(CLOCK_NEVER);
    }
    mutex_unlock(&rcu_barrier_mutex);
}

/* -------------------------------------------------------- counts, set-up */

uint32_t
rcu_call_count(uint32_t cpu)
{
    return READ_ONCE(percpu_ptr(rcu_calls, cpu)->count);
}

void
rcu_call_stats(struct rcu_stats *stats)
{
    struct rcu_calls *calls;
    uint32_t cpu;

    stats->nr_called = 0;
    stats->nr_waits = 0;
    stats->max_calls = 0;
    cpu_for_each (cpu) {
        calls = percpu_ptr(rcu_calls, cpu);
        stats->nr_called += READ_ONCE(calls->nr_called);
        stats->nr_waits += READ_ONCE(calls->nr_waits);
        stats->max_calls = MAX(stats->max_calls, READ_ONCE(calls->max));
    }
}

status_t
rcu_call_setup(void)
{
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = RCU_CALL_PRIORITY,
                                .pinned = true,
                                .cpu = cpu_id() };
    struct rcu_calls *calls;
    char name[THREAD_NAME_SIZE];

    if (cpu_id() == 0) {
        mutex_init(&rcu_barrier_mutex, LOCK_RCU_BARRIER, "RCU barrier");
    }
    calls = percpu_this(rcu_calls);
    timer_init(&calls->timer, rcu_calls_timer_expired, "rcu");
    fmt_snprintf(name, sizeof(name), "rcu %u", cpu_id());
    calls->thread = thread_create(name, rcu_calls_run, calls, &attr);
    return calls->thread != NULL ? OK : ERR_NO_MEMORY;
}
