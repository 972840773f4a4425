/* SPDX-License-Identifier: MIT */
/*
 * The word of an object is its count in the low 32 bits, signed, and the
 * changes since it was queued in the high ones; both are changed by one
 * addition, in which the count's sign carries over into the changes.  It is
 * zero exactly if the count is, and nothing was added since it was cleared.
 *
 * An object is claimed by changing its link from NULL; who claims it queues
 * it, on its own CPU, under the epoch of that moment.  Only the reviewer, the
 * thread of that CPU, lets go of it.
 *
 * Whoever changes an object's word does so on a CPU that is a member, and
 * before that CPU's next report, so that the object cannot die meanwhile.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/main.h>
#include <kern/option.h>
#include <kern/page.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/sref.h>
#include <kern/sref_epoch.h>
#include <kern/thread.h>
#include <kern/timer.h>
#include <kern/waitq.h>
#include <lib/assert.h>
#include <lib/bitmap.h>
#include <lib/fmt.h>

#define SREF_WAYS         4
#define SREF_SLOTS_MAX    16384
#define SREF_SLOTS_USUAL  1024
#define SREF_PERIOD_USUAL UINT64_C(10000000) /* nanoseconds */

/* Objects reviewed until the epoch is looked at again. */
#define SREF_BATCH 64

/* Weight of the threads in the fair class. */
#define SREF_WEIGHT (8 * THREAD_WEIGHT_DEFAULT)

/* Time that a shortage of pages is worth waiting, nanoseconds. */
#define SREF_SHRINK_PATIENCE UINT64_C(200000000)

/* One change of an object's word. */
#define SREF_CHANGE (UINT64_C(1) << 32)

/* Values of an object's link that are no objects. */
#define SREF_END  ((struct sref *)1) /* claimed, last of a list */
#define SREF_DEAD ((struct sref *)2)

/* Flag of a weak reference: its object is queued; taken away by a get. */
#define SREF_DYING UINT64_C(1)

/* Multiplier of the hash: 2^64 by the golden ratio.  Knuth, TAOCP 3. */
#define SREF_HASH       UINT64_C(0x9e3779b97f4a7c15)
#define SREF_HASH_SHIFT 34

/*
 * What a CPU has added to a count.  An untouched slot has a delta of zero, and
 * its object may be gone.
 *
 * Keys: [O] the CPU, with preemption disabled; its interrupts change those
 *       marked [I] of a slot that exists
 */
struct sref_slot {
    struct sref *sref; /* [O] written with interrupts disabled */
    int32_t delta;     /* [O] [I] */
    uint32_t touched;  /* [O] [I] changed since the last flush */
};

struct sref_set {
    struct sref_slot slots[SREF_WAYS];
} __aligned(CACHE_LINE);

static_assert(sizeof(struct sref_set) == CACHE_LINE, "one miss a look-up");

#define SREF_SETS_MAX (SREF_SLOTS_MAX / SREF_WAYS)

/* Lists of queued objects, by the low bits of the epoch. */
#define SREF_NR_LISTS 4

/*
 * Keys: [c] constant once set   [I] the CPU, with interrupts disabled
 *       [T] the CPU's thread   [a] atomic
 */
struct sref_cpu {
    struct sref_set *sets;     /* [c] */
    struct thread *thread;     /* [c] NULL until all CPUs are up */
    uint32_t cpu;              /* [c] */
    uint32_t victim;           /* [I] way to be put out next */
    atomic_bool is_member;     /* [a] written [I] */
    atomic_bool is_boosted;    /* [a] set by others */
    _Atomic uint64_t epoch;    /* [a] in which it reports; written [I] [T] */
    _Atomic uint64_t reviewed; /* [a] epoch up to which it did all */
    struct sref *lists[SREF_NR_LISTS]; /* [I] queued by epoch */
    uint64_t next_list;                /* [I] [T] epoch of the oldest list */
    struct sref *ready;                /* [T] to be reviewed */
    struct timer timer;                /* [I] of the first pass */
    uint64_t nr_waits;                 /* [T] passes in the same epoch */
    struct sref_stats stats;           /* [I] [T] */
    unsigned long occupied[BITMAP_LONGS(SREF_SETS_MAX)]; /* [I] sets in use */
};

static __aligned(CACHE_LINE) PERCPU(struct sref_cpu, sref_cpu);

/*
 * Read by all; written when the sizes change.  The hash, shifted and masked
 * by @mask, is the offset of a set.
 */
static struct {
    _Atomic uint64_t mask;
    uint32_t nr_slots_max;
    uint64_t period; /* nanoseconds */
} __aligned(CACHE_LINE) sref_config = {
    .mask = (SREF_SLOTS_USUAL / SREF_WAYS - 1) * sizeof(struct sref_set),
    .nr_slots_max = SREF_SLOTS_USUAL,
    .period = SREF_PERIOD_USUAL,
};

/* How many wait in sref_sync(); epochs do not wait for periods meanwhile. */
static struct {
    atomic_uint nr;
    struct waitq queue;
} __aligned(CACHE_LINE) sref_waiters;

static bool
sref_is_hurried(void)
{
    return atomic_load_explicit(&sref_waiters.nr, memory_order_relaxed) != 0;
}

/* ------------------------------------------------------------ membership */

static void
sref_timer_expired(struct timer *timer)
{
    struct sref_cpu *own;

    own = container_of(timer, struct sref_cpu, timer);
    if (own->thread != NULL) {
        thread_unpark(own->thread);
    }
}

/*
 * Take part in epochs.  Context: interrupts disabled
 */
static __noinline void
sref_join(struct sref_cpu *own)
{
    uint64_t epoch;

    epoch = sref_epoch_join(own->cpu);
    atomic_store_explicit(&own->epoch, epoch, memory_order_relaxed);
    own->next_list = epoch;
    atomic_store_explicit(&own->is_member, true, memory_order_relaxed);
    own->stats.nr_joins++;
    timer_start(&own->timer,
                clock_now() + (sref_is_hurried() ? 0 : sref_config.period));
}

static void
sref_make_member(struct sref_cpu *own)
{
    if (!atomic_load_explicit(&own->is_member, memory_order_relaxed)) {
        sref_join(own);
    }
}

/* ------------------------------------------------- the word of an object */

/*
 * Have an object looked at two epochs from now.
 *
 * @sref  claimed
 *
 * Context: interrupts disabled; a member
 */
static void
sref_queue(struct sref_cpu *own, struct sref *sref)
{
    struct sref_weak *weak;
    struct sref **list;

    if (sref->class->is_weakable) {
        weak = container_of(sref, struct sref_weakable, sref)->weak;
        if (weak != NULL) {
            atomic_fetch_or(&weak->word, SREF_DYING);
        }
    }

    /* The epoch is read after it: changes from this epoch on are seen. */
    atomic_fetch_and(&sref->word, SREF_CHANGE - 1);
    list = &own->lists[sref_epoch_now() % SREF_NR_LISTS];
    atomic_store_explicit(&sref->next, *list, memory_order_relaxed);
    *list = sref;
}

/*
 * The count of an object was seen to be zero: queue it unless it is.
 */
static void
sref_queue_if_free(struct sref_cpu *own, struct sref *sref)
{
    struct sref *expected = NULL;

    if (atomic_compare_exchange_strong(&sref->next, &expected, SREF_END)) {
        own->stats.nr_queued++;
        sref_queue(own, sref);
    }
}

/*
 * Tell a delta to an object.
 *
 * Context: interrupts disabled; a member
 */
static void
sref_apply(struct sref_cpu *own, struct sref *sref, int32_t delta)
{
    uint64_t old;

    assert(atomic_load_explicit(&sref->next, memory_order_relaxed) !=
           SREF_DEAD);
    /* Pairs with the loads in sref_review(). */
    old = atomic_fetch_add(&sref->word, SREF_CHANGE + (uint64_t)(int64_t)delta);
    if ((uint32_t)old + (uint32_t)delta == 0) {
        sref_queue_if_free(own, sref);
    }
}

/*
 * Tell what a slot knows.  Nobody needs to know of a delta of zero but who
 * is to review the object: one that will be queued later is not affected.
 */
static void
sref_slot_flush(struct sref_cpu *own, struct sref_slot *slot)
{
    if (slot->delta != 0 || atomic_load(&slot->sref->next) != NULL) {
        sref_apply(own, slot->sref, slot->delta);
    }
    slot->delta = 0;
    slot->touched = 0;
}

/* --------------------------------------------------------------- the cache */

static __always_inline struct sref_set *
sref_find_set(struct sref_set *sets, const struct sref *sref)
{
    uint64_t offset;

    offset = ((uintptr_t)sref * SREF_HASH) >> SREF_HASH_SHIFT;
    offset &= atomic_load_explicit(&sref_config.mask, memory_order_relaxed);
    return (struct sref_set *)((char *)sets + offset);
}

/*
 * A slot for another object: one that is empty or has nothing to tell, else
 * one whose delta is told.
 */
static struct sref_slot *
sref_slot_take(struct sref_cpu *own, struct sref_set *set)
{
    struct sref_slot *slot;
    unsigned way;

    for (way = 0; way < SREF_WAYS; way++) {
        if (!set->slots[way].touched) {
            return &set->slots[way];
        }
    }

    slot = &set->slots[own->victim++ % SREF_WAYS];
    own->stats.nr_evicted++;
    sref_slot_flush(own, slot);
    return slot;
}

/*
 * Change the count of an object that is not in the cache.
 *
 * Context: preemption disabled
 */
static __noinline void
sref_change_slow(struct sref *sref, int32_t delta)
{
    struct sref_cpu *own;
    struct sref_slot *slot;
    struct sref_set *set;
    uint64_t flags;

    own = percpu_this(sref_cpu);
    flags = cpu_irq_save();
    sref_make_member(own);
    if (flags & CPU_FLAGS_IF) {
        set = sref_find_set(own->sets, sref);
        slot = sref_slot_take(own, set);
        slot->sref = sref;
        slot->delta = delta;
        slot->touched = 1;
        bitmap_set(own->occupied, (size_t)(set - own->sets));
    } else {
        own->stats.nr_bypassed++;
        sref_apply(own, sref, delta);
    }
    cpu_irq_restore(flags);
}

/*
 * Change a count.  Context: preemption disabled
 */
static __always_inline void
sref_change(struct sref *sref, int32_t delta)
{
    struct sref_slot *slot, *end;

    slot = sref_find_set(percpu_read(sref_cpu.sets), sref)->slots;
    end = slot + SREF_WAYS;
    do {
        if (slot->sref == sref) {
            WRITE_ONCE(slot->touched, 1);
            percpu_add_own(&slot->delta, delta);
            return;
        }
    } while (++slot < end);
    sref_change_slow(sref, delta);
}

void
sref_get(struct sref *sref)
{
    preempt_disable();
    sref_change(sref, 1);
    preempt_enable();
}

void
sref_put(struct sref *sref)
{
    preempt_disable();
    sref_change(sref, -1);
    preempt_enable();
}

/* --------------------------------------------------------- weak references */

/*
 * The object of a weak reference, out of its dying; 0 if it is dead.
 */
static uintptr_t
sref_weak_revive(struct sref_weak *weak)
{
    uintptr_t word;

    word = atomic_load(&weak->word);
    while (word & SREF_DYING) {
        /* Against sref_weak_kill(): one of the two comes first. */
        if (atomic_compare_exchange_weak(&weak->word, &word,
                                         word & ~SREF_DYING)) {
            return word & ~SREF_DYING;
        }
    }
    return word;
}

struct sref *
sref_weak_get(struct sref_weak *weak)
{
    struct sref_cpu *own;
    struct sref *sref;
    uint64_t flags;

    preempt_disable();
    own = percpu_this(sref_cpu);
    if (!atomic_load_explicit(&own->is_member, memory_order_relaxed)) {
        flags = cpu_irq_save();
        sref_make_member(own);
        cpu_irq_restore(flags);
    }

    /* From here to the end of the change the CPU does not report. */
    sref = (struct sref *)sref_weak_revive(weak);
    if (sref != NULL) {
        sref_change(sref, 1);
    }
    preempt_enable();
    return sref;
}

bool
sref_weak_is_set(const struct sref_weak *weak)
{
    return atomic_load_explicit(&weak->word, memory_order_relaxed) != 0;
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

void
sref_weak_init(struct sref_weak *weak)
{
    atomic_init(&weak->word, 0);
}

void
sref_init(struct sref *sref, const struct sref_class *class)
{
    atomic_init(&sref->word, 1);
    atomic_init(&sref->next, NULL);
    sref->class = class;
}

void
sref_weakable_init(struct sref_weakable *weakable,
                   const struct sref_class *class, struct sref_weak *weak)
{
    assert(class->is_weakable);
    sref_init(&weakable->sref, class);
    weakable->weak = weak;
    if (weak != NULL) {
        /* Pairs with the loads in sref_weak_revive(): it is initialised. */
        atomic_store(&weak->word, (uintptr_t)&weakable->sref);
    }
}

/* ------------------------------------------------------------------- flush */

static void
sref_flush_set(struct sref_cpu *own, size_t i)
{
    struct sref_slot *slot;
    unsigned way;
    bool is_empty;

    is_empty = true;
    for (way = 0; way < SREF_WAYS; way++) {
        slot = &own->sets[i].slots[way];
        if (slot->touched) {
            own->stats.nr_flushed++;
            sref_slot_flush(own, slot);
            is_empty = false;
        } else {
            slot->sref = NULL;
        }
    }
    if (is_empty) {
        bitmap_clear(own->occupied, i);
    }
}

/*
 * Tell all deltas.  What was touched stays in the cache until it has been left
 * alone for an epoch.
 */
static void
sref_flush(struct sref_cpu *own)
{
    uint64_t flags;
    size_t i;

    bitmap_for_each (own->occupied, SREF_SETS_MAX, i) {
        flags = cpu_irq_save();
        preempt_disable();
        sref_flush_set(own, i);
        preempt_enable_irqrestore(flags);
    }
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
        thread_park(is_member ? clock_now() + sref_config.period : CLOCK_NEVER);
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
sref_set_nr_slots(uint32_t nr)
{
    uint64_t nr_sets;

    nr = MIN(MAX(nr, (uint32_t)SREF_WAYS), sref_config.nr_slots_max);
    nr_sets = UINT64_C(1) << (31 - __builtin_clz(nr / SREF_WAYS));
    /* Slots by the former mask are found no more, but flushed. */
    atomic_store_explicit(&sref_config.mask,
                          (nr_sets - 1) * sizeof(struct sref_set),
                          memory_order_relaxed);
}

uint64_t
sref_period_ns(void)
{
    return sref_config.period;
}

bool
sref_cpu_is_member(uint32_t cpu)
{
    return atomic_load(&percpu_ptr(sref_cpu, cpu)->is_member);
}

void
sref_stats_get(uint32_t cpu, struct sref_stats *stats)
{
    *stats = percpu_ptr(sref_cpu, cpu)->stats;
}

static status_t
sref_setup(void)
{
    struct sref_cpu *own;
    struct page *page;
    status_t status;
    unsigned i;

    if (cpu_id() == 0) {
        status = sref_epoch_init();
        if (status != OK) {
            return status;
        }
        waitq_init(&sref_waiters.queue);
        sref_set_nr_slots(sref_config.nr_slots_max);
        page_register_shrinker(&sref_shrinker);
    }

    page = page_alloc(page_order(sref_config.nr_slots_max *
                                 sizeof(struct sref_slot)),
                      PAGE_ZERO);
    if (page == NULL) {
        return ERR_NO_MEMORY;
    }
    own = percpu_this(sref_cpu);
    own->cpu = cpu_id();
    own->sets = page_ptr(page);
    own->ready = SREF_END;
    for (i = 0; i < SREF_NR_LISTS; i++) {
        own->lists[i] = SREF_END;
    }
    timer_init(&own->timer, sref_timer_expired, "sref");
    return OK;
}

INIT_OP(sref_setup, INIT_EACH_CPU, AFTER(slab_setup), AFTER(timer_setup),
        AFTER(thread_setup));

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

static status_t
sref_option_slots(const char *value)
{
    status_t status;
    uint64_t number;

    status = option_number(value, SREF_SLOTS_MAX, &number);
    if (status == OK) {
        sref_config.nr_slots_max = MAX((uint32_t)number, (uint32_t)SREF_WAYS);
    }
    return status;
}

OPTION(sref_slots, "N", "deltas of references that a CPU remembers",
       sref_option_slots);

static status_t
sref_option_period(const char *value)
{
    status_t status;
    uint64_t number;

    status = option_number(value, 10000000, &number);
    if (status == OK && number == 0) {
        status = ERR_RANGE;
    }
    if (status == OK) {
        sref_config.period = number * 1000;
    }
    return status;
}

OPTION(sref_period, "MICROSECONDS", "how long an epoch of references takes",
       sref_option_period);

static void
sref_command(int argc __unused, char **argv __unused)
{
    struct sref_stats stats;
    uint32_t cpu;

    console_printf("epoch %lu, %zu bytes of nodes\n", sref_epoch_now(),
                   sref_epoch_tree_size());
    console_printf("%4s %6s %8s %6s %9s %9s %8s %8s %8s %7s %8s\n", "cpu",
                   "member", "rounds", "joins", "flushed", "evicted",
                   "bypassed", "queued", "dirty", "revived", "dead");
    cpu_for_each (cpu) {
        sref_stats_get(cpu, &stats);
        console_printf("%4u %6s %8lu %6lu %9lu %9lu %8lu %8lu %8lu %7lu %8lu\n",
                       cpu, sref_cpu_is_member(cpu) ? "yes" : "no",
                       stats.nr_rounds, stats.nr_joins, stats.nr_flushed,
                       stats.nr_evicted, stats.nr_bypassed, stats.nr_queued,
                       stats.nr_dirty, stats.nr_revived, stats.nr_dead);
    }
}

MONITOR_COMMAND(srefs, "", "epochs of scalable references, by CPU",
                sref_command);
