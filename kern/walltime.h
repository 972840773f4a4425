/* SPDX-License-Identifier: MIT */
/*
 * The time of day: what is added to clock_now().
 */
#ifndef KERN_WALLTIME_H
#define KERN_WALLTIME_H

#include <stdint.h>

/*
 * Nanoseconds since the beginning of 1970, UTC, at clock_now() == 0; up to one
 * second too few.
 *
 * Context: any, after init
 * Returns: 0: the machine did not tell
 */
uint64_t walltime_offset(void);

#endif /* KERN_WALLTIME_H */
