/* SPDX-License-Identifier: MIT */
/*
 * What the parts of scalable references (sref.c, sref_review.c) share: the
 * state of a CPU, and how the words of an object are used.
 *
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
#ifndef KERN_SREF_CPU_H
#define KERN_SREF_CPU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/percpu.h>
#include <kern/sref.h>
#include <kern/sref_types.h>
#include <kern/timer.h>
#include <lib/bitmap.h>
#include <lib/macros.h>

#define SREF_WAYS      4
#define SREF_SLOTS_MAX 16384

/* One change of an object's word. */
#define SREF_CHANGE (UINT64_C(1) << 32)

/* Values of an object's link that are no objects. */
#define SREF_END  ((struct sref *)1) /* claimed, last of a list */
#define SREF_DEAD ((struct sref *)2)

/* Flag of a weak reference: its object is queued; taken away by a get. */
#define SREF_DYING UINT64_C(1)

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

/* Multiplier of the hash: 2^64 by the golden ratio.  Knuth, TAOCP 3. */
#define SREF_HASH       UINT64_C(0x9e3779b97f4a7c15)
#define SREF_HASH_SHIFT 34

/*
 * Read by all; written when the sizes change.  The hash, shifted and masked
 * by @mask, is the offset of a set.
 */
struct sref_config {
    _Atomic uint64_t mask;
    uint32_t nr_slots_max;
    uint64_t period; /* nanoseconds */
} __aligned(CACHE_LINE);

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

extern struct sref_cpu sref_cpu;
extern struct sref_config sref_config;

/* Where an object is in the cache of a CPU, if it is there. */
static __always_inline struct sref_set *
sref_find_set(struct sref_set *sets, const struct sref *sref)
{
    uint64_t offset;

    offset = ((uintptr_t)sref * SREF_HASH) >> SREF_HASH_SHIFT;
    offset &= atomic_load_explicit(&sref_config.mask, memory_order_relaxed);
    return (struct sref_set *)((char *)sets + offset);
}

/*
 * The slot that an object has in the cache of a CPU.
 *
 * Context: preemption disabled
 * Returns: NULL, it has none
 */
static __always_inline struct sref_slot *
sref_find_slot(struct sref_set *sets, const struct sref *sref)
{
    struct sref_slot *slot = sref_find_set(sets, sref)->slots;
    struct sref_slot *end = slot + SREF_WAYS;

    do {
        if (slot->sref == sref) {
            return slot;
        }
    } while (++slot < end);
    return NULL;
}

/* Add to the delta of an object in the cache.  Context: preemption disabled */
static __always_inline void
sref_slot_add(struct sref_slot *slot, int32_t delta)
{
    WRITE_ONCE(slot->touched, 1);
    percpu_add_own(&slot->delta, delta);
}

/*
 * Tell all deltas.  What was touched stays in the cache until it has been left
 * alone for an epoch.
 *
 * @own  of this CPU
 *
 * Context: thread that is pinned to the CPU, interrupts enabled
 */
void sref_flush(struct sref_cpu *own);

/*
 * Have an object looked at two epochs from now.
 *
 * @own   of this CPU
 * @sref  claimed
 *
 * Context: interrupts disabled; a member
 */
void sref_queue(struct sref_cpu *own, struct sref *sref);

/*
 * The count of an object was seen to be zero: queue it unless it is.
 *
 * @own  of this CPU
 *
 * Context: interrupts disabled; a member
 */
void sref_queue_if_free(struct sref_cpu *own, struct sref *sref);

/* Whether somebody waits for epochs: they do not wait for periods then. */
bool sref_is_hurried(void);

/* Set up what is not of one CPU.  Context: boot CPU, once */
void sref_review_setup(void);

#endif /* KERN_SREF_CPU_H */
