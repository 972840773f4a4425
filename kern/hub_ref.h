/* SPDX-License-Identifier: MIT */
/*
 * Counts of references to hubs: long-lived objects that many CPUs use and
 * that end by being killed, such as ports, tasks and address spaces.
 *
 * Until the hub is killed each CPU counts in a word of its own, with one
 * addition and one jump, and nobody asks for the sum.  Killing switches CPU
 * by CPU to one atomic count.  Whoever brings that to zero releases the hub.
 * Compare the percpu_ref of Linux, whose getters are read sections of RCU
 * that look at a mode first.
 *
 * Here the mode is the sign of the CPU's word.  It begins at a large positive
 * number; the switch, in an interrupt of that CPU, adds what was counted to
 * the atomic count and leaves a large negative one.  An addition and the look
 * at the sign of its sum are one instruction, so an interrupt comes before or
 * after: the change is in what the switch takes along, or the one who made it
 * sees that it does not count and uses the atomic count.  No grace period is
 * needed, and no preemption disabled.
 *
 * Invariants: true count = atomic count without its bias + all positive words
 * less their base; the bias is there until all CPUs have switched, so until
 * then the atomic count cannot be zero, and after that it becomes zero once.
 *
 * Memory: 32 bytes a hub and 8 a CPU, in tables for HUB_REF_SLOTS hubs; a hub
 * that finds none free counts atomically from the start.
 *
 * May run concurrently:  get/put  try_get  kill   init/destroy
 *          get/put        yes      yes     yes    other hubs
 *          try_get        yes      yes     yes    other hubs
 *          kill           yes      yes     other  other hubs
 *
 * Lock rank: LOCK_HUB.  Design and figures: doc/references.md.
 */
#ifndef KERN_HUB_REF_H
#define KERN_HUB_REF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/percpu.h>
#include <lib/macros.h>

/* Hubs that count by CPU, at most. */
#define HUB_REF_SLOTS 2048

/*
 * Keys: [c] constant until destroyed   [a] atomic   [K] who killed it, then
 *       the thread that kills
 */
struct hub_ref {
    int64_t *counter;      /* [c] its words, by their place in the template */
    _Atomic int64_t count; /* [a] */
    void (*release)(struct hub_ref *hub); /* [c] */
    struct hub_ref *next;                 /* [K] */
};

/*
 * Make a count with one reference, which hub_ref_kill() gives up.
 *
 * @release  called once, when the hub is killed and has no references: in
 *           the context of the last hub_ref_put(), or of a thread
 *
 * Context: any but NMI
 * Locks:   takes and drops LOCK_HUB
 */
void hub_ref_init(struct hub_ref *hub, void (*release)(struct hub_ref *hub));

/*
 * Give the words of a hub back.
 *
 * Context: any but NMI; after its release(), and, if hub_ref_try_get() is
 *          called without a reference, when nobody can be inside of that any
 *          more: after a grace period
 * Locks:   takes and drops LOCK_HUB
 */
void hub_ref_destroy(struct hub_ref *hub);

/*
 * Kill a hub: hub_ref_try_get() fails from some moment soon on, and the
 * reference of hub_ref_init() is given up.  Returns at once; the CPUs are
 * interrupted by a thread, for all hubs killed meanwhile together.
 *
 * Context: any but NMI, no run queue locked; once a hub
 */
void hub_ref_kill(struct hub_ref *hub);

/* The rest of a change on a CPU that has switched. */
void hub_ref_get_slow(struct hub_ref *hub);

/* The same. */
void hub_ref_put_slow(struct hub_ref *hub);

/* The same.  Returns: whether the hub is alive */
bool hub_ref_try_get_slow(struct hub_ref *hub);

/*
 * Take another reference.
 *
 * Context: any; the caller has a reference
 */
static inline void
hub_ref_get(struct hub_ref *hub)
{
    if (unlikely(percpu_add_is_negative(hub->counter, 1))) {
        hub_ref_get_slow(hub);
    }
}

/*
 * Give a reference up, on any CPU.
 *
 * Context:  any that release() may run in
 * Ordering: what was done before is visible to release()
 */
static inline void
hub_ref_put(struct hub_ref *hub)
{
    if (unlikely(percpu_add_is_negative(hub->counter, -1))) {
        hub_ref_put_slow(hub);
    }
}

/*
 * Take a reference unless the hub is killed.
 *
 * Context: any; the hub's memory stays, and is not destroyed
 * Returns: whether it was taken
 */
static inline bool
hub_ref_try_get(struct hub_ref *hub)
{
    return likely(!percpu_add_is_negative(hub->counter, 1)) ||
           hub_ref_try_get_slow(hub);
}

/* Whether a hub counts by CPU, or did before it was killed. */
bool hub_ref_has_counter(const struct hub_ref *hub);

#endif /* KERN_HUB_REF_H */
