/* SPDX-License-Identifier: MIT */
/*
 * Cross calls: run a function on other CPUs, in their interrupt context.
 */
#ifndef KERN_XCALL_H
#define KERN_XCALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef void (*xcall_fn_t)(void *arg);

/*
 * A call; those who wait have it on their stack.
 *
 * Keys: [c] constant once pushed   [T] the CPU that takes it   [a] atomic
 */
struct xcall {
    struct xcall *next; /* [T] after the push */
    xcall_fn_t fn;      /* [c] */
    void *arg;          /* [c] */
    bool is_posted;     /* [c] nobody waits for it */
    atomic_bool done;   /* [a] posted: may be posted again */
};

/* A call for xcall_post(). */
#define XCALL_POSTED(fn_) { .fn = (fn_), .is_posted = true, .done = true }

/*
 * Run a function on one CPU and wait until it has returned.
 *
 * @cpu  online; may be this CPU
 * @fn   runs with interrupts disabled
 *
 * Context:  any but NMI; no spin lock held that anybody takes with interrupts
 *           disabled.  With interrupts disabled the caller serves its own
 *           calls while it waits, so two CPUs may call each other.  If @fn
 *           calls in turn, each such call in the system may come on top of the
 *           others, on one stack: for rare cases only.
 * Ordering: stores before the call are visible to @fn, those of @fn to the
 *           caller when it returns
 */
void xcall_one(uint32_t cpu, xcall_fn_t fn, void *arg);

/*
 * Run a function on several CPUs at the same time, and wait until it has
 * returned on all.  Each is interrupted once, but not this one, if the caller
 * has stayed on it.
 *
 * @cpus  bitmap of cpu_nr_possible bits, of online CPUs; this one is called
 *        if it is in the set.  Not changed meanwhile
 *
 * Context, Ordering: as xcall_one().  A caller who is preemptible can be
 *          preempted while it waits
 */
void xcall_many(const unsigned long *cpus, xcall_fn_t fn, void *arg);

/* Run a function on all online CPUs, this one included, and wait. */
void xcall_all(xcall_fn_t fn, void *arg);

/*
 * Have a function run on this CPU as soon as interrupts are enabled, out of
 * whatever goes on now.  Posted again before it began, it runs once.
 *
 * @call  static, made by XCALL_POSTED()
 *
 * Context: any but NMI, also with any lock held
 */
void xcall_post(struct xcall *call);

/*
 * Run some of what others have asked this CPU for; for the rest an interrupt
 * comes again.
 *
 * Context: interrupts disabled
 */
void xcall_handle(void);

#endif /* KERN_XCALL_H */
