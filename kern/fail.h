/* SPDX-License-Identifier: MIT */
/*
 * Failures on purpose: have allocations of a thread fail as if memory, or a
 * limit, were used up.
 *
 * Every place that allocates asks fail_now(): page_alloc(), slab_alloc() and
 * what is built on them, zero_pool_get(), container_charge().  To see what a
 * function does when memory ends at each place in turn, have the first fail,
 * then the second, and so on, until there are no more:
 *
 *     struct fail fail;
 *     uint64_t i = 0;
 *
 *     do {
 *         fail_begin_at(&fail, i++);
 *         status = f();
 *         fail_end(&fail);
 *         (look at status, undo)
 *     } while (fail.nr_failed != 0);
 *
 * Only builds with DEBUG=1 have this; in others fail_now() is constant, and
 * tests are to look at FAIL_IS_BUILT.
 */
#ifndef KERN_FAIL_H
#define KERN_FAIL_H

#include <stdbool.h>
#include <stdint.h>

#include <lib/rand.h>

/*
 * What a thread has before it; all of it belongs to the thread.
 */
struct fail {
    uint64_t nr_sites;  /* allocations since it began */
    uint64_t nr_failed; /* of them, made to fail */
    uint64_t at;        /* which one fails; UINT64_MAX: any */
    uint64_t one_in;    /* then so many on average; 0: none */
    struct rand rand;
};

/*
 * Have one allocation of this thread fail.
 *
 * @fail  used until fail_end()
 * @at    how many succeed before it
 *
 * Context: thread, not between fail_begin_at() and fail_end()
 */
void fail_begin_at(struct fail *fail, uint64_t at);

/*
 * Have allocations of this thread fail at random.
 *
 * @one_in  how many for one that fails, on average
 */
void fail_begin_random(struct fail *fail, uint64_t seed, uint64_t one_in);

/* No more failures; the counts of @fail stay. */
void fail_end(struct fail *fail);

#ifdef CONFIG_DEBUG

#define FAIL_IS_BUILT true

/*
 * Whether the allocation that asks shall fail.
 *
 * Context: any but NMI; interrupts that allocate count as their thread
 */
bool fail_now(void);

#else

#define FAIL_IS_BUILT false

static inline bool
fail_now(void)
{
    return false;
}

#endif /* CONFIG_DEBUG */

#endif /* KERN_FAIL_H */
