/* SPDX-License-Identifier: MIT */
/*
 * Cross calls: run a function on other CPUs, in their interrupt context.
 */
#ifndef KERN_XCALL_H
#define KERN_XCALL_H

#include <stdint.h>

typedef void (*xcall_fn_t)(void *arg);

/*
 * Run a function on one CPU and wait until it has returned.
 *
 * @cpu  online; may be this CPU
 * @fn   runs with interrupts disabled
 *
 * Context:  any but NMI; no spin lock held that anybody takes with interrupts
 *           disabled.  With interrupts disabled the caller serves its own
 *           calls while it waits, so two CPUs may call each other.
 * Ordering: stores before the call are visible to @fn, those of @fn to the
 *           caller when it returns
 */
void xcall_one(uint32_t cpu, xcall_fn_t fn, void *arg);

/* Run a function on all online CPUs, this one included, and wait. */
void xcall_all(xcall_fn_t fn, void *arg);

/* Run what others have asked this CPU for.  Context: interrupts disabled. */
void xcall_handle(void);

#endif /* KERN_XCALL_H */
