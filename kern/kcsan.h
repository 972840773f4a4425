/* SPDX-License-Identifier: MIT */
/*
 * What the rest of the kernel tells the race detector, and asks it.  In builds
 * without it all of this vanishes.
 */
#ifndef KERN_KCSAN_H
#define KERN_KCSAN_H

#include <stdint.h>

#include <lib/macros.h>

#ifdef CONFIG_KCSAN

/*
 * Choose which accesses are watched, and for how long.
 *
 * @seed  the same one makes the same choices
 *
 * Context: boot CPU, before kcsan_setup()
 */
void kcsan_seed(uint64_t seed);

/* How many accesses all CPUs have watched. */
uint64_t kcsan_nr_watches(void);

#else

static inline void
kcsan_seed(uint64_t seed __unused)
{
}

static inline uint64_t
kcsan_nr_watches(void)
{
    return 0;
}

#endif /* CONFIG_KCSAN */

#endif /* KERN_KCSAN_H */
