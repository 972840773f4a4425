/* SPDX-License-Identifier: MIT */
/*
 * The fair class: earliest eligible virtual deadline first.
 *
 * Virtual time of a queue is the service that each thread should have had,
 * the weighted mean of the threads' service.  A thread that had less is
 * eligible; of those the one runs whose slice should be served first.  A
 * thread's deadline is its service plus a slice divided by its weight.
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
 * A thread becomes runnable here: it gets neither credit nor debt for the
 * time that it was away, but for what it owed by at most a slice.
 */
void sched_fair_join(struct sched_fair *fair, struct thread *thread);

/* A thread is not runnable here any more. */
void sched_fair_leave(struct sched_fair *fair, struct thread *thread);

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

#endif /* KERN_SCHED_FAIR_H */
