/* SPDX-License-Identifier: MIT */
#include <arch/clock.h>
#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/percpu.h>
#include <lib/assert.h>

#define CLOCK_NS_PER_S UINT64_C(1000000000)
#define CLOCK_SHIFT    32

/* Set once by clock_set_frequency() on the boot CPU, constant from then on. */
static uint64_t clock_ticks_per_s;
static uint64_t clock_start;
static uint64_t clock_ns_factor;   /* nanoseconds a tick, << CLOCK_SHIFT */
static uint64_t clock_tick_factor; /* ticks a nanosecond, << CLOCK_SHIFT */

/* Set by the boot CPU while the CPU starts. */
static PERCPU(int64_t, clock_skew);

/* What exceeds 64 bits becomes the greatest number. */
static uint64_t
clock_scale(uint64_t value, uint64_t factor)
{
    unsigned __int128 product;

    product = ((unsigned __int128)value * factor) >> CLOCK_SHIFT;
    return product > UINT64_MAX ? UINT64_MAX : (uint64_t)product;
}

uint64_t
clock_ticks_to_ns(uint64_t ticks)
{
    return clock_scale(ticks, clock_ns_factor);
}

uint64_t
clock_ns_to_ticks(uint64_t ns)
{
    return clock_scale(ns, clock_tick_factor);
}

/* A counter and the correction of the CPU that it is of. */
struct clock_reading {
    uint64_t counter;
    int64_t skew;
};

/*
 * Read both of one CPU, though the caller may move between any two
 * instructions; CPUs with the same correction are as one here.
 */
static struct clock_reading
clock_read(void)
{
    struct clock_reading reading;

    do {
        reading.skew = percpu_read(clock_skew);
        reading.counter = clock_counter_ordered();
    } while (unlikely(percpu_read(clock_skew) != reading.skew));
    return reading;
}

static uint64_t
clock_reading_to_ns(const struct clock_reading *reading)
{
    return clock_scale(reading->counter + (uint64_t)reading->skew - clock_start,
                       clock_ns_factor);
}

uint64_t
clock_now(void)
{
    struct clock_reading reading;

    reading = clock_read();
    return clock_reading_to_ns(&reading);
}

/*
 * The two factors are not exact inverses.  Counting from now instead of from
 * boot keeps the error in proportion to the wait: a year after boot an
 * absolute deadline would be missed by milliseconds.
 */
uint64_t
clock_deadline_to_counter(uint64_t deadline)
{
    struct clock_reading reading;
    uint64_t now, result;

    reading = clock_read();
    now = clock_reading_to_ns(&reading);
    if (deadline <= now) {
        return reading.counter;
    }

    /* One more, so that the time has come when the counter is there. */
    if (__builtin_add_overflow(reading.counter,
                               clock_ns_to_ticks(deadline - now), &result)) {
        return UINT64_MAX;
    }
    return result == UINT64_MAX ? result : result + 1;
}

uint64_t
clock_frequency(void)
{
    return clock_ticks_per_s;
}

void
clock_set_frequency(uint64_t frequency, uint64_t start)
{
    verify(frequency != 0);
    clock_ticks_per_s = frequency;
    clock_start = start;
    clock_tick_factor =
        (uint64_t)(((unsigned __int128)frequency << CLOCK_SHIFT) /
                   CLOCK_NS_PER_S);
    clock_ns_factor = (CLOCK_NS_PER_S << CLOCK_SHIFT) / frequency;
}

void
clock_set_skew(uint32_t cpu, int64_t ticks)
{
    *percpu_ptr(clock_skew, cpu) = ticks;
}

void
clock_spin(uint64_t ns)
{
    uint64_t start;

    start = clock_now();
    while (clock_now() - start < ns) {
        cpu_pause();
    }
}
