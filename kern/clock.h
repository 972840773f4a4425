/* SPDX-License-Identifier: MIT */
/*
 * Time since boot, in nanoseconds, monotonic across CPUs.
 *
 * The machine's counter times a factor that is found once.  A CPU whose
 * counter is behind the boot CPU's has a correction, measured when it starts.
 * Time begins with the kernel's first instruction.
 */
#ifndef KERN_CLOCK_H
#define KERN_CLOCK_H

#include <stdint.h>

/* A deadline that never comes. */
#define CLOCK_NEVER UINT64_MAX

/*
 * Nanoseconds since boot; 0 until the counter's frequency is known.
 *
 * Context:  any
 * Ordering: not earlier than a time that any CPU read before
 */
uint64_t clock_now(void);

/*
 * Convert a difference of counter ticks to nanoseconds, rounded down;
 * UINT64_MAX for what exceeds 64 bits.
 */
uint64_t clock_ticks_to_ns(uint64_t ticks);

/* Convert a difference in nanoseconds to counter ticks, likewise. */
uint64_t clock_ns_to_ticks(uint64_t ns);

/*
 * The counter of this CPU at a time of clock_now(), too small by some parts
 * in 10^9 of the time until then; its value now for a time that has passed;
 * never 0.
 */
uint64_t clock_deadline_to_counter(uint64_t deadline);

/* Ticks of the counter in a second; 0 until known. */
uint64_t clock_frequency(void);

/*
 * Say how fast the counter goes.
 *
 * @frequency  ticks in a second, not 0
 * @start      counter at time 0
 *
 * Context: boot CPU, once
 */
void clock_set_frequency(uint64_t frequency, uint64_t start);

/* Add @ticks to what CPU @cpu reads from its counter. */
void clock_set_skew(uint32_t cpu, int64_t ticks);

/* Wait by looking at the clock.  Context: any; the clock runs. */
void clock_spin(uint64_t ns);

#endif /* KERN_CLOCK_H */
