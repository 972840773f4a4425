/* SPDX-License-Identifier: MIT */
/*
 * Scalable references: counts that many CPUs change without sharing a cache
 * line, for objects whose death may be noticed a little later.
 *
 * An object has a count.  Each CPU keeps what it has added to counts and not
 * yet told in a small cache of deltas of its own; the true count is the count
 * plus all deltas.  In epochs, each CPU in turn empties its cache into the
 * counts.  An object whose count becomes zero is looked at again when an epoch
 * has passed in which every CPU told what it did: if nobody touched it since,
 * its true count is zero and it dies.  Clements, Kaashoek, Zeldovich,
 * "RadixVM: Scalable Address Spaces for Multithreaded Applications", EuroSys
 * 2013 (Refcache); Braun's sref in X15.
 *
 * INVARIANT.  Let an object be queued, its count zero and its changes cleared,
 * in epoch E.  When epoch E + 2 begins and the object's word is still zero,
 * then at the instant s at which epoch E ended the true count was zero:
 * each CPU emptied its cache in E (or had none), and again in E + 1, and had
 * it touched the object in between, even with a delta of zero, it would have
 * said so in the word.  From s on nobody has a reference to copy; only a weak
 * one could give one, and that is decided by one compare and swap.
 *
 * BEYOND REFCACHE AND X15
 *
 * - Who pays when deltas collide: the CPU that needs room, one atomic add to
 *   the count of what it puts out; no lock, no flush, nobody waits.
 * - What an epoch costs: a CPU that takes part locks its leaf of a tree of
 *   CPUs, and one in 16 the next level: constant for each CPU, whatever their
 *   number.  One line is read by all, and written once an epoch; none is
 *   written by more than 16.
 * - Who takes part: CPUs that have something in their cache or on their lists.
 *   Others, idle or in user mode, are neither asked nor woken nor waited for.
 *   One that goes idle with deltas is woken by its own timer at most three
 *   times, then takes no part.  When nobody does, there are no epochs.
 * - Where the work is done: in a thread for each CPU, in batches; interrupts
 *   are disabled for a set of four deltas at a time.  In interrupt context
 *   nothing is ever flushed or reviewed.
 * - How long a dead object can live: SREF_EPOCHS_MAX epochs after the last
 *   change of its count, usually three.  An epoch lasts one period
 *   (sref_period=, 10 ms) and what it takes until the thread of each
 *   participant gets its CPU; after SREF_PATIENCE periods those who keep
 *   the others waiting are made more urgent than all other threads.
 *   sref_sync() does it without the periods; a shortage of pages calls it.
 * - Memory: 24 bytes an object, 40 with a weak reference; 16 bytes a delta,
 *   1024 of them (16 KiB) a CPU (sref_slots=), 64 bytes for each 15 CPUs.
 *
 * INTERRUPTS.  A handler may do all of sref_get(), sref_put() and
 * sref_weak_get().  If the object is in the cache it changes the delta, else
 * the count itself by one atomic add: it never puts a delta out, so that
 * what it interrupts finds its own still there.  NMIs may do nothing.
 *
 * Threads with interrupts disabled are handled like handlers.
 *
 * ASSUMPTION.  One object's count is told fewer than 2^32 changes between two
 * reviews; a machine takes minutes for as many.  Less than 2^31 references.
 *
 * May run concurrently:  get/put  weak_get  flush     review
 *              get/put   yes      yes       other CPU yes
 *              weak_get  yes      yes       other CPU yes, one decides
 *              flush     other    other     other CPU yes, of the same CPU no
 *              review    yes      yes       yes       of other objects
 *
 * Lock ranks: LOCK_SREF_LEAF, LOCK_SREF_NODE, LOCK_SREF_ROOT.  Design and
 * figures: doc/references.md.
 */
#ifndef KERN_SREF_H
#define KERN_SREF_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/sref_types.h>
#include <lib/macros.h>
#include <lib/status.h>

/* Epochs until an object is dead that nobody touches, at most. */
#define SREF_EPOCHS_MAX 6

/* Periods that an epoch may last until late CPUs are pushed. */
#define SREF_PATIENCE 8

struct sref_stats {
    uint64_t nr_rounds;   /* epochs it took part in */
    uint64_t nr_joins;    /* times it began to take part */
    uint64_t nr_flushed;  /* deltas told in a flush */
    uint64_t nr_evicted;  /* deltas put out for others: collisions */
    uint64_t nr_bypassed; /* changes told at once: interrupts */
    uint64_t nr_queued;   /* counts found zero */
    uint64_t nr_dirty;    /* reviews put off */
    uint64_t nr_revived;  /* of them by a weak reference */
    uint64_t nr_dead;     /* objects that died here */
};

/*
 * Make a count, with one reference.
 *
 * @class  constant, in static memory
 */
void sref_init(struct sref *sref, const struct sref_class *class);

/*
 * The same, with a weak reference to the object.
 *
 * @class  its is_weakable is set
 * @weak   must exist until the object's noref() is called, by when it is null;
 *         NULL: none
 */
void sref_weakable_init(struct sref_weakable *weakable,
                        const struct sref_class *class, struct sref_weak *weak);

/* Make a weak reference to nothing. */
void sref_weak_init(struct sref_weak *weak);

/*
 * Take another reference to an object.
 *
 * Context:  any but NMI; the caller has a reference
 * Locks:    takes and drops LOCK_SREF_LEAF to LOCK_SREF_ROOT, LOCK_TIMER, when
 *           the CPU begins to take part in epochs
 */
void sref_get(struct sref *sref);

/*
 * Give a reference up, on any CPU.
 *
 * Context:  any but NMI
 * Locks:    as sref_get()
 * Ordering: what was done before is visible to noref()
 */
void sref_put(struct sref *sref);

/*
 * Take a reference to an object by a weak one, unless it is dead.
 *
 * Context: any but NMI
 * Locks:   as sref_get()
 * Returns: the object, or NULL
 */
struct sref *sref_weak_get(struct sref_weak *weak) __must_check;

/*
 * Whether a weak reference refers to an object, which may be dead next.
 */
bool sref_weak_is_set(const struct sref_weak *weak);

/*
 * Have epochs pass without periods, until each object has died that had no
 * references when this was called.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: thread, preemptible, no spin lock held; not in noref()
 * Blocks:  until then; interrupts the CPUs that take part
 * Returns: OK, their noref() have returned; ERR_TIMEOUT
 */
status_t sref_sync(uint64_t deadline);

/*
 * Choose how many deltas the cache of each CPU holds from now on.
 *
 * @nr  4 to what sref_slots= says, 1024 by default; rounded down to a power of
 *      two; more means the most there is room for
 *
 * Context: any
 */
void sref_set_nr_slots(uint32_t nr);

/* The present epoch. */
uint64_t sref_epoch_now(void);

/* Whether a CPU takes part in epochs; may be different next. */
bool sref_cpu_is_member(uint32_t cpu);

/* What a CPU has done; racy. */
void sref_stats_get(uint32_t cpu, struct sref_stats *stats);

/* Period of epochs, nanoseconds. */
uint64_t sref_period_ns(void);

#endif /* KERN_SREF_H */
