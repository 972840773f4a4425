/* SPDX-License-Identifier: MIT */
/*
 * Proof, in debug builds, that no allocator of memory depends on address
 * spaces: pages and slabs come from the direct map, and while a thread is
 * inside of their allocators it enters none of what maps memory.  Else a fault
 * could need memory to get memory, and wait for itself.
 *
 * Shrinkers are the exception: they are called in the middle of an allocation,
 * and some of them take mappings away.  What they must keep to is said with
 * struct page_shrinker.
 *
 * The mark is the thread's own; an interrupt in between leaves it as it was.
 */
#ifndef KERN_ALLOC_CHECK_H
#define KERN_ALLOC_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/percpu.h>
#include <kern/thread_types.h>

#ifdef CONFIG_DEBUG
#define ALLOC_IS_CHECKED true
#else
#define ALLOC_IS_CHECKED false
#endif

/* The thread enters an allocator; nests. */
static inline void
alloc_check_enter(void)
{
    if (ALLOC_IS_CHECKED) {
        percpu_read(thread_current)->nr_allocating++;
    }
}

/* It leaves it. */
static inline void
alloc_check_leave(void)
{
    if (ALLOC_IS_CHECKED) {
        percpu_read(thread_current)->nr_allocating--;
    }
}

/*
 * A shrinker is going to be called.
 *
 * Returns: for alloc_check_resume()
 */
static inline uint32_t
alloc_check_suspend(void)
{
    uint32_t nr = 0;

    if (ALLOC_IS_CHECKED) {
        nr = percpu_read(thread_current)->nr_allocating;
        percpu_read(thread_current)->nr_allocating = 0;
    }
    return nr;
}

/* It has returned. */
static inline void
alloc_check_resume(uint32_t nr)
{
    if (ALLOC_IS_CHECKED) {
        percpu_read(thread_current)->nr_allocating = nr;
    }
}

/* Whether the thread is inside of an allocator; false in other builds. */
static inline bool
alloc_check_is_inside(void)
{
    return ALLOC_IS_CHECKED && percpu_read(thread_current)->nr_allocating != 0;
}

#endif /* KERN_ALLOC_CHECK_H */
