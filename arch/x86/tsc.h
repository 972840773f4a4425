/* SPDX-License-Identifier: MIT */
/*
 * The speed of the time-stamp counter.
 */
#ifndef X86_TSC_H
#define X86_TSC_H

#include <stdbool.h>
#include <stdint.h>

/* Two clocks, read at one time. */
struct tsc_reading {
    uint64_t counter;
    uint64_t reference;
};

/*
 * What the counter does while a reference of @frequency, which wraps at
 * @mask, goes from one reading to the next.
 *
 * Returns: its ticks a second; 0 when the reference has not moved
 */
uint64_t tsc_compute(const struct tsc_reading *start,
                     const struct tsc_reading *end, uint64_t frequency,
                     uint64_t mask);

/*
 * Whether two frequencies are one but for an error of measurement.
 *
 * @shift  the error is at most the 1 << @shift'th part
 */
bool tsc_is_near(uint64_t a, uint64_t b, unsigned shift);

#endif /* X86_TSC_H */
