/* SPDX-License-Identifier: MIT */
/*
 * Review: the threads that take part in epochs and have objects die that were
 * queued, and waiting for them.  Invariants: sref_cpu.h.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/main.h>
#include <kern/page.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/sref.h>
#include <kern/sref_cpu.h>
#include <kern/sref_epoch.h>
#include <kern/thread.h>
#include <kern/waitq.h>
#include <lib/assert.h>
#include <lib/bitmap.h>
#include <lib/fmt.h>

/* Objects reviewed until the epoch is looked at again. */
#define SREF_BATCH 64

/* Weight of the threads in the fair class. */
#define SREF_WEIGHT (8 * THREAD_WEIGHT_DEFAULT)

/* Time that a shortage of pages is worth waiting, nanoseconds. */
#define SREF_SHRINK_PATIENCE UINT64_C(200000000)

/* How many wait in sref_sync(); epochs do not wait for periods meanwhile. */
static struct {
    atomic_uint nr;
    struct waitq queue;
} __aligned(CACHE_LINE) sref_waiters;

bool
sref_is_hurried(void)
{
    return atomic_load_explicit(&sref_waiters.nr, memory_order_relaxed) != 0;
}

/* ------------------------------------------------------------------ review */

static void
sref_queue_again(struct sref_cpu *own, struct sref *sref)
{
    uint64_t flags;

    own->stats.nr_dirty++;
    flags = cpu_irq_save();
    sref_queue(own, sref);
    cpu_irq_restore(flags);
}

/*
 * Let go of an object whose count is not zero.
 */
static void
sref_unqueue(struct sref_cpu *own, struct sref *sref)
{
    uint64_t flags;

    /*
     * Before the count is read: who makes it zero from now on sees the claim
     * gone, who did before is seen here.
     */
    atomic_exchange(&sref->next, NULL);
    if ((uint32_t)atomic_load(&sref->word) == 0) {
        flags = cpu_irq_save();
        sref_queue_if_free(own, sref);
        cpu_irq_restore(flags);
    }
}

/*
 * Let go of an object that is about to die.
 *
 * Returns: false, a weak reference has revived it
 */
static bool
sref_weak_kill(struct sref *sref)
{
    struct sref_weak *weak;
    uintptr_t word;

    if (!sref->class->is_weakable) {
        return true;
    }
    weak = container_of(sref, struct sref_weakable, sref)->weak;
    if (weak == NULL) {
        return true;
    }

    /* Against sref_weak_revive(): one of the two comes first. */
    word = (uintptr_t)sref | SREF_DYING;
    return atomic_compare_exchange_strong(&weak->word, &word, 0);
}

static void
sref_review(struct sref_cpu *own, struct sref *sref)
{
    uint64_t word;

    word = atomic_load(&sref->word);
    if ((uint32_t)word != 0) {
        sref_unqueue(own, sref);
        return;
    }
    if (word != 0) {
        sref_queue_again(own, sref);
        return;
    }
    if (!sref_weak_kill(sref)) {
        own->stats.nr_revived++;
        sref_queue_again(own, sref);
        return;
    }

    own->stats.nr_dead++;
    atomic_store_explicit(&sref->next, SREF_DEAD, memory_order_relaxed);
    sref->class->noref(sref);
}

/*
 * Review a batch of what is ready.
 *
 * Returns: whether there is more
 */
static bool
sref_review_batch(struct sref_cpu *own)
{
    struct sref *sref;
    unsigned n;

    for (n = 0; n < SREF_BATCH && own->ready != SREF_END; n++) {
        sref = own->ready;
        own->ready = atomic_load_explicit(&sref->next, memory_order_relaxed);
        sref_review(own, sref);
    }
    return own->ready != SREF_END;
}

/*
 * Make a list ready.
 */
static void
sref_take_list(struct sref_cpu *own, struct sref **list)
{
    struct sref *taken, *last, *next;
    uint64_t flags;

    flags = cpu_irq_save();
    taken = *list;
    *list = SREF_END;
    cpu_irq_restore(flags);
    if (taken == SREF_END || own->ready == SREF_END) {
        own->ready = taken == SREF_END ? own->ready : taken;
        return;
    }

    /* What is left is put behind what came, for that is shorter mostly. */
    last = taken;
    while ((next = atomic_load_explicit(&last->next, memory_order_relaxed)) !=
           SREF_END) {
        last = next;
    }
    atomic_store_explicit(&last->next, own->ready, memory_order_relaxed);
    own->ready = taken;
}

/*
 * Make ready what was queued two epochs ago or earlier.
 */
static void
sref_take_ready(struct sref_cpu *own)
{
    uint64_t epoch;

    epoch = sref_epoch_now();
    assert(epoch < own->next_list + SREF_NR_LISTS);
    while (own->next_list + 2 <= epoch) {
        sref_take_list(own, &own->lists[own->next_list % SREF_NR_LISTS]);
        own->next_list++;
    }
}

/* -------------------------------------------------------------- the thread */

/* Have the threads of all members look at the epoch. */
static void
sref_kick_members(void)
{
    struct sref_cpu *other;
    uint32_t cpu;

    cpu_for_each (cpu) {
        other = percpu_ptr(sref_cpu, cpu);
        if (atomic_load(&other->is_member) && other->thread != NULL) {
            thread_unpark(other->thread);
        }
    }
}

static void
sref_end_boost(struct sref_cpu *own)
{
    if (atomic_load_explicit(&own->is_boosted, memory_order_relaxed) &&
        atomic_exchange(&own->is_boosted, false)) {
        verify(thread_set_policy(own->thread, THREAD_FAIR, 0) == OK);
    }
}

/*
 * Make those more urgent who have not yet reported in an epoch.
 */
static void
sref_boost_late(uint64_t epoch)
{
    struct sref_cpu *other;
    uint32_t cpu;

    cpu_for_each (cpu) {
        other = percpu_ptr(sref_cpu, cpu);
        if (!atomic_load(&other->is_member) || other->thread == NULL ||
            atomic_load(&other->epoch) == epoch ||
            atomic_load(&other->is_boosted)) {
            continue;
        }
        /* In this order: the flag is there when the policy has to go. */
        if (thread_set_policy(other->thread, THREAD_FIFO,
                              THREAD_PRIORITY_MAX) == OK) {
            atomic_store(&other->is_boosted, true);
        }
    }
}

/*
 * Report in an epoch.
 */
static void
sref_round(struct sref_cpu *own, uint64_t epoch)
{
    bool advanced;

    assert(epoch == atomic_load(&own->epoch) + 1);
    sref_epoch_enter(own->cpu, epoch);
    sref_flush(own);
    own->stats.nr_rounds++;
    own->nr_waits = 0;
    atomic_store(&own->epoch, epoch);
    advanced = sref_epoch_report(own->cpu);
    sref_end_boost(own);
    if (advanced && sref_is_hurried()) {
        sref_kick_members();
    }
}

/*
 * Report if that is due.
 *
 * Returns: whether it was
 */
static bool
sref_round_if_due(struct sref_cpu *own)
{
    uint64_t epoch;

    /*
     * The epoch is read after it: the CPU may join at any time, in a later
     * epoch than one that was read before.
     */
    if (!atomic_load_explicit(&own->is_member, memory_order_acquire)) {
        return false;
    }
    epoch = sref_epoch_now();
    if (atomic_load_explicit(&own->epoch, memory_order_relaxed) == epoch) {
        return false;
    }

    sref_round(own, epoch);
    return true;
}

static bool
sref_has_nothing(const struct sref_cpu *own)
{
    unsigned i;

    for (i = 0; i < SREF_NR_LISTS; i++) {
        if (own->lists[i] != SREF_END) {
            return false;
        }
    }
    return own->ready == SREF_END &&
           bitmap_find_first(own->occupied, SREF_SETS_MAX) == SREF_SETS_MAX;
}

/*
 * Take part no more if there is nothing to take part with.
 */
static void
sref_leave_if_empty(struct sref_cpu *own)
{
    uint64_t flags;
    bool advanced;

    advanced = false;
    flags = cpu_irq_save();
    if (atomic_load_explicit(&own->is_member, memory_order_relaxed) &&
        sref_has_nothing(own)) {
        advanced = sref_epoch_leave(own->cpu);
        /* Pairs with the load in sref_has_reviewed(). */
        atomic_store_explicit(&own->is_member, false, memory_order_release);
    }
    cpu_irq_restore(flags);
    if (advanced && sref_is_hurried()) {
        sref_kick_members();
    }
}

/* One waking of a CPU's thread. */
static void
sref_pass(struct sref_cpu *own)
{
    bool has_more, was_due;

    was_due = false;
    do {
        was_due = sref_round_if_due(own) || was_due;
        if (atomic_load_explicit(&own->is_member, memory_order_relaxed)) {
            sref_take_ready(own);
        }
        has_more = sref_review_batch(own);
    } while (has_more);

    if (!was_due && ++own->nr_waits >= SREF_PATIENCE) {
        sref_boost_late(sref_epoch_now());
    }
    /* Pairs with the load in sref_has_reviewed(). */
    atomic_store_explicit(&own->reviewed, atomic_load(&own->epoch),
                          memory_order_release);
    sref_leave_if_empty(own);
    if (sref_is_hurried()) {
        waitq_wake_all(&sref_waiters.queue);
    }
}

static void
sref_main(void *arg)
{
    struct sref_cpu *own = arg;
    bool is_member;

    for (;;) {
        sref_pass(own);
        is_member = atomic_load(&own->is_member);
        if (is_member && sref_is_hurried() &&
            sref_epoch_now() != atomic_load(&own->epoch)) {
            continue;
        }
        thread_park(is_member ? clock_now() + sref_period_ns() : CLOCK_NEVER);
    }
}

/* ---------------------------------------------------------------- waiting */

/*
 * Whether a CPU has done all that was queued until two epochs before @epoch.
 */
static bool
sref_has_reviewed(uint32_t cpu, uint64_t epoch)
{
    struct sref_cpu *other;

    other = percpu_ptr(sref_cpu, cpu);
    /* Pair with the releases in sref_pass() and sref_leave_if_empty(). */
    return !atomic_load_explicit(&other->is_member, memory_order_acquire) ||
           atomic_load_explicit(&other->reviewed, memory_order_acquire) >=
               epoch;
}

/*
 * Wait for all CPUs.  One that has been seen to be done stays so.
 */
static status_t
sref_wait(uint64_t epoch, uint64_t deadline)
{
    uint64_t flags;
    uint32_t cpu;

    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        while (cpu_is_online(cpu) && !sref_has_reviewed(cpu, epoch)) {
            flags = waitq_lock(&sref_waiters.queue);
            if (sref_has_reviewed(cpu, epoch)) {
                waitq_unlock(&sref_waiters.queue, flags);
                break;
            }
            if (waitq_wait_locked(&sref_waiters.queue, flags, deadline) != OK) {
                return ERR_TIMEOUT;
            }
        }
    }
    return OK;
}

/*
 * Each delta is told by the end of epoch e + 1, so what is queued by then has
 * been reviewed after its last change when the reviews of e + 3 are over.  What
 * they put off is in its lists under the epoch of that time or an earlier one.
 */
status_t
sref_sync(uint64_t deadline)
{
    status_t status;
    uint64_t epoch;

    atomic_fetch_add(&sref_waiters.nr, 1);
    epoch = sref_epoch_now();
    sref_kick_members();
    sref_boost_late(epoch);
    status = sref_wait(epoch + 3, deadline);
    if (status == OK) {
        status = sref_wait(sref_epoch_now() + 2, deadline);
    }
    atomic_fetch_sub(&sref_waiters.nr, 1);
    return status;
}

/*
 * Pages are short.  The threads themselves cannot wait for their own.
 */
static void
sref_shrink(void)
{
    bool is_own;

    preempt_disable();
    is_own = percpu_this(sref_cpu)->thread == thread_self();
    preempt_enable();
    if (!is_own && preempt_is_enabled() && cpu_irq_is_enabled()) {
        (void)sref_sync(clock_now() + SREF_SHRINK_PATIENCE);
    }
}

static struct page_shrinker sref_shrinker = {
    .name = "sref",
    .order = PAGE_SHRINK_DEAD,
    .shrink = sref_shrink,
};

/* ------------------------------------------------------------------ set-up */

void
sref_review_setup(void)
{
    waitq_init(&sref_waiters.queue);
    page_register_shrinker(&sref_shrinker);
}

static bool
sref_start_threads(void)
{
    struct thread_attr attr = { .pinned = true, .weight = SREF_WEIGHT };
    char name[THREAD_NAME_SIZE];
    struct thread *thread;

    cpu_for_each (attr.cpu) {
        fmt_snprintf(name, sizeof(name), "sref %u", attr.cpu);
        thread = thread_create(name, sref_main, percpu_ptr(sref_cpu, attr.cpu),
                               &attr);
        if (thread == NULL) {
            log_error("sref: no memory for the thread of cpu %u", attr.cpu);
            return false;
        }
        percpu_ptr(sref_cpu, attr.cpu)->thread = thread;
    }
    return true;
}

MAIN_STAGE(MAIN_THREADS, sref_start_threads);
