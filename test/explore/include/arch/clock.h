/* SPDX-License-Identifier: MIT */
/*
 * What <arch/clock.h> promises, kept by the virtual time of the schedule
 * explorer: a tick is a nanosecond, and an access takes one.
 */
#ifndef ARCH_CLOCK_H
#define ARCH_CLOCK_H

#include <stdint.h>

/* The virtual time, which all CPUs share. */
uint64_t clock_counter(void);
uint64_t clock_counter_ordered(void);

/* Have the timer interrupt of this CPU come, once. */
void clock_arm(uint64_t deadline);

/* Let no timer interrupt come any more. */
void clock_disarm(void);

#endif /* ARCH_CLOCK_H */
