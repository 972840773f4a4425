/* SPDX-License-Identifier: MIT */
/*
 * Pages full of zeros, ready before they are needed.
 *
 * Each CPU has a small stack of them.  An idle CPU fills its own, a page at a
 * time, before it waits for interrupts: a CPU that has something else to do is
 * not disturbed, nobody is woken for it, and there is no timer.  When memory is
 * short all of them go back, and for a while no CPU takes new ones.
 *
 * Invariant: a page in a stack is full of zeros; nobody else has a pointer to
 * it.
 *
 * May run concurrently: everything with everything.
 * Design: doc/memory.md.
 */
#ifndef KERN_ZERO_POOL_H
#define KERN_ZERO_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/page.h>

/* Pages that a CPU keeps at most. */
#define ZERO_POOL_MAX 32

/* How long no pages are taken after memory was short, nanoseconds. */
#define ZERO_POOL_PAUSE UINT64_C(1000000000)

/*
 * Allocate a page full of zeros: one of this CPU's stack, in some 15
 * instructions, else from the page allocator.
 *
 * Context: as page_alloc(), but no interrupt handler
 * Returns: to be freed by page_free() as a block of order 0, or by
 *          zero_pool_put(); NULL on exhaustion
 */
struct page *zero_pool_get(void) __must_check;

/*
 * Free a page that is known to be full of zeros, so that nobody has to clear
 * it again.
 *
 * @page  a block of order 0
 *
 * Context: any but NMI and interrupt handlers
 */
void zero_pool_put(struct page *page);

/*
 * Give the pages of all CPUs back to the page allocator.
 *
 * Context: thread, interrupts enabled, no spin lock held
 */
void zero_pool_drain(void);

/*
 * Do a step towards a full stack of this CPU, as idle CPUs do: two make a
 * page.
 *
 * Context: any but NMI and interrupt handlers
 * Returns: false: the stack is full, or memory is or was short
 */
bool zero_pool_fill(void);

/* Pages in the stack of a CPU; racy. */
size_t zero_pool_nr(uint32_t cpu);

/* Pages that a stack of this machine may have. */
size_t zero_pool_size(void);

#endif /* KERN_ZERO_POOL_H */
