/* SPDX-License-Identifier: MIT */
/*
 * The fair class: earliest eligible virtual deadline first.
 *
 * Virtual time of a queue is the service that each thread should have had,
 * the weighted mean of the threads' service.  A thread that had less is
 * eligible; of those the one runs whose slice should be served first.  A
 * thread's deadline is its service plus a slice divided by its weight.
 *
 * The unit of virtual time is a nanosecond of the heaviest thread, so that
 * the shortest run counts for every weight.  Virtual times wrap and are
 * compared by their distance, which a queue's clients keep far below 2^63:
 * a charge counts at most SCHED_FAIR_CHARGE_MAX, and offsets are relative to a
 * base that follows the present.
 *
 * Virtual times of different queues have nothing to do with each other.  What
 * a thread keeps when it leaves a queue is its lag: what it still should get,
 * or had too much.
 *
 * Source: Stoica, Abdel-Wahab, "Earliest Eligible Virtual Deadline First",
 * 1995.
 */
#ifndef KERN_SCHED_FAIR_H
#define KERN_SCHED_FAIR_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/thread_types.h>
#include <lib/rbtree.h>

/* Service that a thread gets at a time, nanoseconds. */
#define SCHED_FAIR_SLICE UINT64_C(3000000)

/* More is not charged at once, nanoseconds: a minute. */
#define SCHED_FAIR_CHARGE_MAX (UINT64_C(1) << 36)

/*
 * All fields are protected by the lock of the run queue.  The sums are over
 * the queued threads and the running one, relative to @base.
 */
struct sched_fair {
    struct rbtree tree; /* by vdeadline */
    uint64_t base;      /* virtual time that offsets are relative to */
    int64_t sum;        /* of weight * (vruntime - base) */
    uint64_t weight;    /* of all */
    uint32_t nr_queued;
};

/* Make a class empty. */
void sched_fair_init(struct sched_fair *fair);

/* The weighted mean of service. */
uint64_t sched_fair_now(const struct sched_fair *fair);

/*
 * A thread becomes runnable here, with the lag that it left with.
 */
void sched_fair_join(struct sched_fair *fair, struct thread *thread);

/*
 * A thread is not runnable here any more.  It keeps a lag of at most a slice.
 */
void sched_fair_leave(struct sched_fair *fair, struct thread *thread);

/* A thread that has left is going to sleep: it keeps its debt, no credit. */
void sched_fair_sleep(struct thread *thread);

/*
 * Change the weight of a thread that has left; what it should get and owes,
 * in time, stays.
 */
void sched_fair_set_weight(struct thread *thread, uint32_t weight);

/* Queue a thread that has joined and does not run. */
void sched_fair_queue(struct sched_fair *fair, struct thread *thread);

/* Take a queued thread out, to run it or to make it leave. */
void sched_fair_unqueue(struct sched_fair *fair, struct thread *thread);

/* The thread to run next, still queued; NULL when none is. */
struct thread *sched_fair_pick(const struct sched_fair *fair);

/*
 * Charge a thread that has joined for service, nanoseconds.
 *
 * Returns: whether its slice is served and another one may be more urgent
 */
bool sched_fair_charge(struct sched_fair *fair, struct thread *thread,
                       uint64_t ns);

/* Service that is left of a slice, nanoseconds; 0 when it is served. */
uint64_t sched_fair_slice_left(const struct thread *thread);

#endif /* KERN_SCHED_FAIR_H */
