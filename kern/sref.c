/* SPDX-License-Identifier: MIT */
/*
 * Counting: the caches of deltas and what they tell, weak references, options.
 * What is queued here is reviewed in sref_review.c.  Invariants: sref_cpu.h.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/option.h>
#include <kern/page.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/sref.h>
#include <kern/sref_cpu.h>
#include <kern/sref_epoch.h>
#include <kern/thread.h>
#include <kern/timer.h>
#include <lib/assert.h>
#include <lib/bitmap.h>

#define SREF_SLOTS_USUAL  1024
#define SREF_PERIOD_USUAL UINT64_C(10000000) /* nanoseconds */

__aligned(CACHE_LINE) PERCPU(struct sref_cpu, sref_cpu);

struct sref_config sref_config = {
    .mask = (SREF_SLOTS_USUAL / SREF_WAYS - 1) * sizeof(struct sref_set),
    .nr_slots_max = SREF_SLOTS_USUAL,
    .period = SREF_PERIOD_USUAL,
};

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

void
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

void
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
static __always_inline void
sref_slot_flush(struct sref_cpu *own, struct sref_slot *slot)
{
    if (slot->delta != 0 || atomic_load(&slot->sref->next) != NULL) {
        sref_apply(own, slot->sref, slot->delta);
    }
    slot->delta = 0;
    slot->touched = 0;
}

/* --------------------------------------------------------------- the cache */

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
    struct sref_slot *slot = sref_find_slot(percpu_read(sref_cpu.sets), sref);

    if (likely(slot != NULL)) {
        sref_slot_add(slot, delta);
    } else {
        sref_change_slow(sref, delta);
    }
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

void
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
        sref_set_nr_slots(sref_config.nr_slots_max);
        sref_review_setup();
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
