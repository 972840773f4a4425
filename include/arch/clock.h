/* SPDX-License-Identifier: MIT */
/*
 * The machine's counter of time.
 */
#ifndef ARCH_CLOCK_H
#define ARCH_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Ticks of this CPU's counter; may be read a little early or late.
 */
static inline uint64_t
clock_counter(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return ((uint64_t)high << 32) | low;
}

/* The same, after all loads and before all that follows. */
static inline uint64_t
clock_counter_ordered(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return ((uint64_t)high << 32) | low;
}

/*
 * Whether the counter advances by one with each instruction, as an emulator's
 * may, and never a processor's.
 */
bool clock_counts_instructions(void);

/*
 * Have the timer interrupt of this CPU come, once.
 *
 * @deadline  nanoseconds of clock_now(); may be past: then it comes soon
 *
 * Context: interrupts disabled
 */
void clock_arm(uint64_t deadline);

/* Let no timer interrupt come any more. */
void clock_disarm(void);

#endif /* ARCH_CLOCK_H */
