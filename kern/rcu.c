/* SPDX-License-Identifier: MIT */
/*
 * Grace periods: a tree of reports, and one thread that drives it.
 *
 * A grace period waits until each CPU has reported that it passed a quiescent
 * state, that is, a moment outside of any section: a switch of threads, idle,
 * user mode, or an interrupt that finds it outside.  A thread that is
 * switched away inside a section is put on a list of its CPU's leaf first, so
 * the CPU itself can report, and the list is waited for as well.
 *
 * Each leaf gathers the reports of its CPUs, and reports to its parent when
 * it has all; so each lock is taken by at most RCU_FANOUT CPUs.  The thread
 * of RCU begins a grace period node by node, from the root; it looks at the
 * CPUs that are idle or in user mode, without their help, and when others
 * are silent for RCU_FORCE_NS, it interrupts them.
 *
 * Invariants:
 *  - rcu_state.sequence is odd while a grace period is under way; its end is
 *    the even number that follows.  Only the thread of RCU writes it.
 *  - A node has reported to its parent if and only if it has begun this
 *    grace period, pending is 0 and blocked is empty.  The change to that
 *    state is made under its lock, and who made it reports, once.
 *  - A section that is open is on its CPU, which is current for the thread,
 *    or the thread is on the list of a node: blocked if the section began
 *    before the CPU's report in this grace period, else blocked_next.
 *  - rcu_blocked is set while the thread is on a list; RCU_REPORT is then set
 *    in rcu_depth, so that the end of the section takes it off.
 *  - A CPU's active is odd whenever code runs there that may read.
 *
 * Ordering.  What must hold: if a section did not see a store from before
 * rcu_cookie(), all of it is before the end of the grace period.
 *  A. rcu_cookie(): store X; fence; read the sequence.  Pairs with the fence
 *     of rcu_begin(): write the sequence; fence; begin the nodes.  If the
 *     grace period began after the sequence was read, X is visible to who
 *     saw it begin.
 *  B. A CPU sees it begin under the lock of its leaf, when it reports:
 *     sections that begin later see X.  Those that began earlier have ended,
 *     and their accesses are before the report, or they are on a list.
 *  C. From the report to the end: the locks of the leaf and of the nodes
 *     above, rcu_root_finished (release, acquire), then the sequence and the
 *     done flag of a waiter (release, acquire).
 *  D. Idle: rcu_quiet_exit() writes active, fence, then reads X; the thread
 *     has the fence of rcu_begin(), then reads active.  So it either sees
 *     the CPU active, or the CPU sees X.  rcu_quiet_enter() is a release, its
 *     acquire is in rcu_cpu_is_quiet(): sections before it have ended.  And
 *     it writes active, then reads what has begun, so that it reports what
 *     the thread, which did not see it quiet, would wait for.
 * On x86 A and D are the only store-to-load pairs, thus the only ones that
 * cost an instruction; a reader's section has none, since the counter is read
 * on its own CPU, or where the thread was switched to, under a lock.
 *
 * What it does not do: a preempted reader of low priority is not boosted.
 */
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/smp.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <kern/rcu_tree.h>
#include <kern/thread.h>
#include <lib/assert.h>

/* How long CPUs are left alone, nanoseconds. */
#define RCU_FORCE_NS UINT64_C(1000000)

/* Levels of the tree that 4096 CPUs need. */
#define RCU_MAX_LEVELS 3

static_assert(offsetof(struct thread, rcu_depth) == 0, "rcu_i.h is short");

PERCPU(struct rcu_own, rcu_own) = { .active = 1 };

struct rcu_state rcu_state;
_Atomic uint64_t rcu_begun __aligned(CACHE_LINE);

/* All nodes have reported; set by who reports last, reset by rcu_begin(). */
static __aligned(CACHE_LINE) atomic_bool rcu_root_finished;

/* Which CPUs rcu_urge() interrupts. */
enum rcu_urgency {
    RCU_URGE_NONE,
    RCU_URGE_INSIDE, /* those that are inside a section */
    RCU_URGE_ALL,
};

/* ----------------------------------------------------------------- waking */

void
rcu_wake_later(uint8_t which)
{
    uint64_t flags;

    flags = cpu_irq_save();
    percpu_this(rcu_own)->wakes |= which;
    smp_send_wake(cpu_id());
    cpu_irq_restore(flags);
}

static void
rcu_wake_thread(void)
{
    if (preempt_is_enabled() && cpu_irq_is_enabled()) {
        thread_unpark(rcu_state.thread);
    } else {
        rcu_wake_later(RCU_WAKE_THREAD);
    }
}

/* ---------------------------------------------------------------- reports */

/*
 * Children of a node have reported.
 *
 * Returns: whether these were the last
 */
static bool
rcu_node_clear_locked(struct rcu_node *node, uint32_t bits)
{
    assert(spinlock_is_locked(&node->lock));
    if ((node->pending & bits) == 0) {
        return false;
    }

    WRITE_ONCE(node->pending, node->pending & ~bits);
    return node->pending == 0 && list_is_empty(&node->blocked);
}

/*
 * A node has all reports: tell its parent, and so on to the root.
 *
 * Context: interrupts disabled, no node locked
 * Returns: whether this ends the grace period; its thread is to look
 */
static bool
rcu_node_finished(struct rcu_node *node)
{
    struct rcu_node *parent;
    bool is_finished;

    assert(!cpu_irq_is_enabled());
    for (parent = node->parent; parent != NULL; parent = node->parent) {
        spinlock_lock(&parent->lock);
        assert(parent->begun == node->begun);
        is_finished = rcu_node_clear_locked(parent, node->bit);
        spinlock_unlock(&parent->lock);
        if (!is_finished) {
            return false;
        }
        node = parent;
    }

    /* Pairs with the acquire in rcu_await_reports(). */
    atomic_store_explicit(&rcu_root_finished, true, memory_order_release);
    return true;
}

/*
 * The same for who is not the thread of RCU at its work.  That is woken even if
 * it is current: it may be on its way to sleep, having looked.
 */
static void
rcu_node_finished_wake(struct rcu_node *node)
{
    if (rcu_node_finished(node)) {
        rcu_wake_later(RCU_WAKE_THREAD);
    }
}

/*
 * This CPU is in a quiescent state.
 *
 * Context: interrupts disabled, no node locked
 */
static void
rcu_report_cpu(void)
{
    struct rcu_node *leaf;
    bool is_finished;
    uint32_t cpu;

    assert(!cpu_irq_is_enabled());
    cpu = cpu_id();
    leaf = rcu_leaf_of(cpu);
    spinlock_lock(&leaf->lock);
    is_finished = rcu_node_clear_locked(leaf, 1U << cpu % RCU_FANOUT);
    /* Not yet the one under way, if it has not come to this leaf. */
    percpu_write(rcu_own.reported, leaf->begun);
    spinlock_unlock(&leaf->lock);
    if (is_finished) {
        rcu_node_finished_wake(leaf);
    }
}

/* ------------------------------------------------- readers on the lists */

/*
 * A thread is switched away inside its section: the section goes on the list.
 */
static void
rcu_reader_block(struct thread *thread)
{
    struct rcu_node *leaf;
    uint32_t cpu;

    cpu = cpu_id();
    leaf = rcu_leaf_of(cpu);
    WRITE_ONCE(thread->rcu_depth, thread->rcu_depth | RCU_REPORT);
    thread->rcu_blocked = 1;
    thread->rcu_home = leaf;
    spinlock_lock(&leaf->lock);
    if (leaf->pending & (1U << cpu % RCU_FANOUT)) {
        list_insert_tail(&leaf->blocked, &thread->rcu_node);
    } else {
        list_insert_tail(&leaf->blocked_next, &thread->rcu_node);
    }
    spinlock_unlock(&leaf->lock);
}

/*
 * The outermost section of a thread has ended, and that is to be reported.
 *
 * Context: interrupts disabled
 */
static void
rcu_reader_end(struct thread *thread)
{
    struct rcu_node *node;
    bool was_awaited, is_finished;

    WRITE_ONCE(thread->rcu_depth, 0);
    if (!thread->rcu_blocked) {
        return;
    }

    thread->rcu_blocked = 0;
    node = thread->rcu_home;
    spinlock_lock(&node->lock);
    was_awaited = !list_is_empty(&node->blocked);
    list_remove(&thread->rcu_node);
    is_finished = was_awaited && list_is_empty(&node->blocked) &&
                  node->pending == 0;
    spinlock_unlock(&node->lock);
    if (is_finished) {
        rcu_node_finished_wake(node);
    }
}

void
rcu_read_unlock_slow(void)
{
    struct thread *self;
    uint64_t flags;

    flags = cpu_irq_save();
    self = thread_self();
    /* An inner section, or an interrupt has done it already. */
    if (self->rcu_depth == RCU_REPORT) {
        rcu_reader_end(self);
        if (rcu_owes_report()) {
            rcu_report_cpu();
        }
    }
    cpu_irq_restore(flags);
}

void
rcu_switch_slow(struct thread *thread)
{
    if (thread->rcu_depth == RCU_REPORT) {
        /* Preempted on its way to the slow path. */
        rcu_reader_end(thread);
    } else if (thread->rcu_depth != 0 && !thread->rcu_blocked) {
        rcu_reader_block(thread);
    }
    if (rcu_owes_report()) {
        rcu_report_cpu();
    }
}

void
rcu_interrupt_slow(void)
{
    struct thread *self;
    uint8_t wakes;

    wakes = percpu_read(rcu_own.wakes);
    percpu_write(rcu_own.wakes, 0);
    if (wakes & RCU_WAKE_THREAD) {
        thread_unpark(rcu_state.thread);
    }
    if (wakes & RCU_WAKE_CALLER) {
        rcu_call_wake();
    }
    if (!rcu_owes_report()) {
        return;
    }

    self = thread_self();
    if ((self->rcu_depth & ~RCU_REPORT) == 0 || self->rcu_blocked) {
        rcu_report_cpu();
    } else {
        WRITE_ONCE(self->rcu_depth, self->rcu_depth | RCU_REPORT);
    }
}

/* -------------------------------------------------------- idle, user mode */

void
rcu_quiet_enter(void)
{
    struct rcu_own *own;

    assert(!cpu_irq_is_enabled() && !rcu_read_is_held());
    own = percpu_this(rcu_own);
    assert(atomic_load_explicit(&own->active, memory_order_relaxed) & 1);
    /*
     * Pairs with the acquire in rcu_cpu_is_quiet().  In one order with the
     * load behind it and with the fence in rcu_begin(): that sees this CPU
     * quiet, or what it began is seen here and not waited for in vain.
     */
    atomic_fetch_add(&own->active, 1);
    if (percpu_read(rcu_own.reported) != atomic_load(&rcu_begun)) {
        rcu_report_cpu();
    }
}

void
rcu_quiet_exit(void)
{
    struct rcu_own *own;
    uint64_t flags;

    flags = cpu_irq_save();
    own = percpu_this(rcu_own);
    if ((atomic_load_explicit(&own->active, memory_order_relaxed) & 1) == 0) {
        atomic_fetch_add_explicit(&own->active, 1, memory_order_relaxed);
        /* Pairs with the fence in rcu_begin(). */
        atomic_thread_fence(memory_order_seq_cst);
    }
    cpu_irq_restore(flags);
}

void
rcu_user_enter(void)
{
    rcu_quiet_enter();
}

void
rcu_user_exit(void)
{
    rcu_quiet_exit();
}

/*
 * Whether a CPU that has not reported is, or was, in a quiescent state since
 * the grace period began.
 *
 * Context: the thread of RCU, interrupts disabled
 */
static bool
rcu_cpu_is_quiet(uint32_t cpu)
{
    uint64_t active;

    if (cpu == cpu_id()) {
        /* It runs this, which is outside of any section. */
        return true;
    }
    /* Pairs with the release in rcu_quiet_enter(). */
    active = atomic_load_explicit(&percpu_ptr(rcu_own, cpu)->active,
                                  memory_order_acquire);
    return (active & 1) == 0 || active != rcu_state.snapshots[cpu];
}

/* ------------------------------------------------------- the thread of RCU */

/* The CPUs of a leaf, of @bits, that need not be waited for. */
static uint32_t
rcu_leaf_find_quiet(const struct rcu_node *leaf, uint32_t bits)
{
    uint32_t first, quiet, i;

    first = rcu_leaf_first(leaf);
    quiet = 0;
    for (; bits != 0; bits &= bits - 1) {
        i = (uint32_t)__builtin_ctz(bits);
        if (rcu_cpu_is_quiet(first + i)) {
            quiet |= 1U << i;
        }
    }
    return quiet;
}

/* Note how active the CPUs of a leaf have been until now. */
static void
rcu_leaf_take_snapshots(const struct rcu_node *leaf)
{
    uint32_t first, bits, cpu;

    first = rcu_leaf_first(leaf);
    for (bits = leaf->present; bits != 0; bits &= bits - 1) {
        cpu = first + (uint32_t)__builtin_ctz(bits);
        /* Pairs with the release in rcu_quiet_enter(). */
        rcu_state.snapshots[cpu] =
            atomic_load_explicit(&percpu_ptr(rcu_own, cpu)->active,
                                 memory_order_acquire);
    }
}

/*
 * Begin a grace period in one node.
 *
 * Context: the thread of RCU; the node's parent has begun it
 */
static void
rcu_node_begin(struct rcu_node *node, uint64_t begun)
{
    uint64_t flags;
    bool is_leaf, is_finished;

    is_leaf = node >= rcu_state.leaves;
    flags = spinlock_lock_irqsave(&node->lock);
    assert(node->pending == 0 && list_is_empty(&node->blocked));
    WRITE_ONCE(node->begun, begun);
    node->pending = node->present;
    list_concat(&node->blocked, &node->blocked_next);
    if (is_leaf) {
        rcu_leaf_take_snapshots(node);
        node->pending &= ~rcu_leaf_find_quiet(node, node->pending);
    }
    is_finished = node->pending == 0 && list_is_empty(&node->blocked);
    if (is_leaf && rcu_leaf_of(cpu_id()) == node) {
        percpu_write(rcu_own.reported, begun);
    }
    spinlock_release(&node->lock);
    if (is_finished) {
        /* This thread looks before it sleeps. */
        (void)rcu_node_finished(node);
    }
    preempt_enable_irqrestore(flags);
}

static void
rcu_begin(void)
{
    uint64_t begun;
    uint32_t i;

    rcu_state.begin_time = clock_now();
    atomic_store_explicit(&rcu_root_finished, false, memory_order_relaxed);
    begun = atomic_load_explicit(&rcu_state.sequence, memory_order_relaxed) + 1;
    atomic_store_explicit(&rcu_state.sequence, begun, memory_order_relaxed);
    atomic_store_explicit(&rcu_begun, begun, memory_order_relaxed);
    /* Pairs with the fences in rcu_cookie() and rcu_quiet_...(). */
    atomic_thread_fence(memory_order_seq_cst);
    for (i = 0; i < rcu_state.nr_nodes; i++) {
        rcu_node_begin(&rcu_state.nodes[i], begun);
    }
}

/*
 * Interrupt a CPU that has not reported.
 */
static void
rcu_urge(uint32_t cpu, enum rcu_urgency urgency)
{
    const struct thread *thread;
    uint32_t depth;

    /* Threads are type-stable, and any answer is harmless. */
    thread = READ_ONCE(*percpu_ptr(thread_current, cpu));
    depth = READ_ONCE(thread->rcu_depth);
    if (depth & RCU_REPORT) {
        /* It was told already, or is on its way. */
        return;
    }
    if (depth != 0) {
        ADD_ONCE(rcu_state.nr_inside, 1);
        smp_send_wake(cpu);
    } else if (urgency == RCU_URGE_ALL) {
        ADD_ONCE(rcu_state.nr_silent, 1);
        smp_send_wake(cpu);
    }
}

/*
 * Look again at the CPUs of a leaf that have not reported.
 */
static void
rcu_leaf_scan(struct rcu_node *leaf, enum rcu_urgency urgency)
{
    uint32_t first, pending;
    uint64_t flags;
    bool is_finished;

    if (READ_ONCE(leaf->pending) == 0) {
        return;
    }

    first = rcu_leaf_first(leaf);
    flags = spinlock_lock_irqsave(&leaf->lock);
    is_finished =
        rcu_node_clear_locked(leaf, rcu_leaf_find_quiet(leaf, leaf->pending));
    pending = leaf->pending;
    spinlock_release(&leaf->lock);
    if (is_finished) {
        /* This thread looks before it sleeps. */
        (void)rcu_node_finished(leaf);
    }
    preempt_enable_irqrestore(flags);

    for (; pending != 0; pending &= pending - 1) {
        rcu_urge(first + (uint32_t)__builtin_ctz(pending), urgency);
    }
}

static void
rcu_scan(enum rcu_urgency urgency)
{
    uint32_t i;

    for (i = 0; i < rcu_state.nr_leaves; i++) {
        rcu_leaf_scan(&rcu_state.leaves[i], urgency);
    }
}

/* Whether somebody wants the end of this grace period soon. */
static bool
rcu_is_urgent(void)
{
    struct rcu_node *root;
    uint64_t flags;
    bool is_urgent;

    root = &rcu_state.nodes[0];
    flags = spinlock_lock_irqsave(&root->lock);
    is_urgent = root->urgent > root->begun;
    spinlock_unlock_irqrestore(&root->lock, flags);
    return is_urgent;
}

/*
 * Wait until all nodes have reported, and see to it that they do.
 */
static void
rcu_await_reports(void)
{
    uint64_t now, force, stall;
    bool is_urgent;

    force = rcu_state.begin_time + RCU_FORCE_NS;
    stall = rcu_stall_deadline(rcu_state.begin_time);
    is_urgent = false;
    /* Pairs with the release in rcu_node_finished(). */
    while (!atomic_load_explicit(&rcu_root_finished, memory_order_acquire)) {
        now = clock_now();
        if (!is_urgent && rcu_is_urgent()) {
            is_urgent = true;
            ADD_ONCE(rcu_state.nr_urgent, 1);
            rcu_scan(RCU_URGE_INSIDE);
            force = now + RCU_URGENT_NS;
        } else if (now >= stall) {
            rcu_stall_report();
            /* Not from before: a report may take longer than that. */
            stall = rcu_stall_deadline(clock_now());
        } else if (now >= force) {
            rcu_scan(RCU_URGE_ALL);
            /* A long section is looked at ever more rarely. */
            force = now + RCU_FORCE_NS + (now - rcu_state.begin_time) / 4;
        } else {
            thread_park(MIN(force, stall));
        }
    }
}

/* Wake those who waited on one leaf for a grace period that has ended. */
static void
rcu_leaf_wake(struct rcu_node *leaf, uint64_t end)
{
    struct list waiters = LIST_INITIALIZER(waiters);
    struct rcu_waiter *waiter;
    struct thread *thread;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&leaf->lock);
    list_concat(&waiters, &leaf->waiters[end / 2 % 2]);
    spinlock_unlock_irqrestore(&leaf->lock, flags);
    while (!list_is_empty(&waiters)) {
        waiter = list_first_entry(&waiters, struct rcu_waiter, list_node);
        list_remove(&waiter->list_node);
        thread = waiter->thread;
        /* Pairs with the acquire in rcu_wait(); its stack may be gone now. */
        atomic_store_explicit(&waiter->done, true, memory_order_release);
        thread_unpark(thread);
    }
}

static void
rcu_end(void)
{
    uint64_t end;
    uint32_t i;

    end = atomic_load_explicit(&rcu_state.sequence, memory_order_relaxed) + 1;
    /* Pairs with the acquire in rcu_is_past(). */
    atomic_store_explicit(&rcu_state.sequence, end, memory_order_release);
    for (i = 0; i < rcu_state.nr_leaves; i++) {
        rcu_leaf_wake(&rcu_state.leaves[i], end);
    }
}

static bool
rcu_is_wanted(void)
{
    struct rcu_node *root;
    uint64_t flags;
    bool is_wanted;

    root = &rcu_state.nodes[0];
    flags = spinlock_lock_irqsave(&root->lock);
    is_wanted = root->wanted >
                atomic_load_explicit(&rcu_state.sequence, memory_order_relaxed);
    spinlock_unlock_irqrestore(&root->lock, flags);
    return is_wanted;
}

static void
rcu_run(void *arg __unused)
{
    for (;;) {
        while (!rcu_is_wanted()) {
            thread_park(CLOCK_NEVER);
        }
        rcu_begin();
        rcu_await_reports();
        rcu_end();
    }
}

/* -------------------------------------------------------------- waiting */

static bool
rcu_is_past(uint64_t cookie)
{
    /* Pairs with the release in rcu_end(). */
    return atomic_load_explicit(&rcu_state.sequence, memory_order_acquire) >=
           cookie;
}

uint64_t
rcu_cookie(void)
{
    uint64_t sequence;

    /* Pairs with the fence in rcu_begin(). */
    atomic_thread_fence(memory_order_seq_cst);
    sequence = atomic_load_explicit(&rcu_state.sequence, memory_order_acquire);
    /* One that is under way may have begun too early. */
    return (sequence + 3) & ~UINT64_C(1);
}

void
rcu_want(uint64_t cookie, uint64_t urgent)
{
    struct rcu_node *node;
    uint64_t flags;
    bool is_new;

    flags = cpu_irq_save();
    is_new = true;
    for (node = rcu_leaf_of(cpu_id()); is_new && node != NULL;
         node = node->parent) {
        spinlock_lock(&node->lock);
        is_new = node->wanted < cookie || node->urgent < urgent;
        WRITE_ONCE(node->wanted, MAX(node->wanted, cookie));
        node->urgent = MAX(node->urgent, urgent);
        spinlock_unlock(&node->lock);
    }
    cpu_irq_restore(flags);
    if (is_new) {
        rcu_wake_thread();
    }
}

void
rcu_wait(uint64_t cookie, uint64_t urgent)
{
    struct rcu_waiter waiter = { .thread = thread_self() };
    struct rcu_node *leaf;
    uint64_t flags;
    bool is_past;

    assert(!rcu_read_is_held());
    lock_check_grace_period(&waiter.thread->locks);
    flags = cpu_irq_save();
    leaf = rcu_leaf_of(cpu_id());
    spinlock_lock(&leaf->lock);
    is_past = rcu_is_past(cookie);
    if (!is_past) {
        list_insert_tail(&leaf->waiters[cookie / 2 % 2], &waiter.list_node);
    }
    spinlock_unlock_irqrestore(&leaf->lock, flags);
    if (is_past) {
        return;
    }

    rcu_want(cookie, urgent);
    /* Pairs with the release in rcu_leaf_wake(). */
    while (!atomic_load_explicit(&waiter.done, memory_order_acquire)) {
        thread_park(CLOCK_NEVER);
    }
}

void
rcu_synchronize(void)
{
    rcu_wait(rcu_cookie(), 0);
}

void
rcu_synchronize_expedited(void)
{
    uint64_t cookie;

    cookie = rcu_cookie();
    rcu_wait(cookie, cookie);
}

uint64_t
rcu_poll_start(void)
{
    uint64_t cookie;

    cookie = rcu_cookie();
    rcu_want(cookie, 0);
    return cookie;
}

bool
rcu_poll_done(uint64_t cookie)
{
    return rcu_is_past(cookie);
}

void
rcu_stats_get(struct rcu_stats *stats)
{
    stats->nr_grace_periods =
        atomic_load_explicit(&rcu_state.sequence, memory_order_relaxed) / 2;
    stats->nr_urgent = READ_ONCE(rcu_state.nr_urgent);
    stats->nr_inside = READ_ONCE(rcu_state.nr_inside);
    stats->nr_silent = READ_ONCE(rcu_state.nr_silent);
    stats->nr_stalls = READ_ONCE(rcu_state.nr_stalls);
    rcu_call_stats(stats);
}

/* ---------------------------------------------------------------- set-up */

static void
rcu_node_init(struct rcu_node *node)
{
    spinlock_init(&node->lock, LOCK_RCU_NODE, "rcu node");
    list_init(&node->blocked);
    list_init(&node->blocked_next);
    list_init(&node->waiters[0]);
    list_init(&node->waiters[1]);
}

/* Memory for an array that begins at a cache line and is never freed. */
static void *
rcu_alloc_lines(size_t size)
{
    uintptr_t addr;

    addr = (uintptr_t)kzalloc(size + CACHE_LINE);
    return addr != 0 ? (void *)ALIGN_UP(addr, (uintptr_t)CACHE_LINE) : NULL;
}

/*
 * Make the tree for all CPUs that may come.
 */
static status_t
rcu_tree_create(void)
{
    uint32_t counts[RCU_MAX_LEVELS], nr_levels, level, first, next, i;

    nr_levels = 0;
    next = cpu_nr_possible;
    do {
        assert(nr_levels < RCU_MAX_LEVELS);
        next = DIV_ROUND_UP(next, RCU_FANOUT);
        counts[nr_levels++] = next;
        rcu_state.nr_nodes += next;
    } while (next > 1);

    rcu_state.nodes =
        rcu_alloc_lines(rcu_state.nr_nodes * sizeof(struct rcu_node));
    rcu_state.snapshots = rcu_alloc_lines(cpu_nr_possible * sizeof(uint64_t));
    if (rcu_state.nodes == NULL || rcu_state.snapshots == NULL) {
        return ERR_NO_MEMORY;
    }

    for (i = 0; i < rcu_state.nr_nodes; i++) {
        rcu_node_init(&rcu_state.nodes[i]);
    }
    rcu_state.nr_leaves = counts[0];
    rcu_state.leaves =
        &rcu_state.nodes[rcu_state.nr_nodes - rcu_state.nr_leaves];
    first = 0;
    for (level = nr_levels - 1; level > 0; level--) {
        next = first + counts[level];
        for (i = 0; i < counts[level - 1]; i++) {
            rcu_state.nodes[next + i].parent =
                &rcu_state.nodes[first + i / RCU_FANOUT];
            rcu_state.nodes[next + i].bit = 1U << i % RCU_FANOUT;
            rcu_state.nodes[first + i / RCU_FANOUT].present |=
                1U << i % RCU_FANOUT;
        }
        first = next;
    }
    return OK;
}

/*
 * This CPU takes part from the next grace period on.  It did not read before,
 * so the one under way does not concern it: it sees what it waited for, by
 * the lock of the leaf if that has begun it.
 */
static void
rcu_tree_join(void)
{
    struct rcu_node *leaf;
    uint64_t flags;
    uint32_t cpu;

    flags = cpu_irq_save();
    cpu = cpu_id();
    leaf = rcu_leaf_of(cpu);
    spinlock_lock(&leaf->lock);
    WRITE_ONCE(leaf->present, leaf->present | 1U << cpu % RCU_FANOUT);
    percpu_write(rcu_own.reported, leaf->begun);
    spinlock_unlock_irqrestore(&leaf->lock, flags);
}

static status_t
rcu_setup(void)
{
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = RCU_PRIORITY };
    status_t status;

    if (cpu_id() == 0) {
        status = rcu_tree_create();
        if (status != OK) {
            return status;
        }
    }
    rcu_tree_join();
    if (cpu_id() == 0) {
        rcu_state.thread = thread_create("rcu", rcu_run, NULL, &attr);
        if (rcu_state.thread == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    return rcu_call_setup();
}

INIT_OP(rcu_setup, INIT_EACH_CPU, AFTER(thread_setup), AFTER(kmalloc_setup));
