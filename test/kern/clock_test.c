/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/clock.h>
#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/preempt.h>
#include <test/test.h>

#define CLOCK_TEST_ROUNDS 2000
#define CLOCK_NS_PER_YEAR (UINT64_C(365) * 24 * 3600 * 1000000000)

TEST(clock, runs)
{
    uint64_t start, i;

    start = clock_now();
    EXPECT(start != 0);
    for (i = 0; i < UINT64_C(100000000) && clock_now() == start; i++) {
        cpu_pause();
    }
    EXPECT(clock_now() > start);
}

/*
 * Keys: [a] atomic
 */
static struct {
    _Atomic uint64_t latest; /* [a] time that some CPU has seen */
    atomic_uint nr_back;     /* [a] times that came earlier than it */
    uint64_t rounds;
} clock_test;

static void
clock_test_watch(void *arg __unused)
{
    uint64_t seen, now, i;

    for (i = 0; i < clock_test.rounds; i++) {
        seen = atomic_load(&clock_test.latest);
        now = clock_now();
        if (now < seen) {
            atomic_fetch_add(&clock_test.nr_back, 1);
        }
        while (seen < now &&
               !atomic_compare_exchange_weak(&clock_test.latest, &seen, now)) {
        }
    }
}

/* What one CPU has read and told, no other reads less than. */
TEST(clock, never_goes_back_across_cpus)
{
    atomic_store(&clock_test.latest, 0);
    atomic_store(&clock_test.nr_back, 0);
    clock_test.rounds = CLOCK_TEST_ROUNDS * t->iterations;
    all_cpus_run(clock_test_watch, NULL);
    EXPECT_EQ(atomic_load(&clock_test.nr_back), 0);
}

TEST(clock, spin_takes_its_time)
{
    uint64_t start;

    start = clock_now();
    clock_spin(UINT64_C(300000));
    EXPECT(clock_now() - start >= UINT64_C(300000));
}

TEST(clock, second_has_its_ticks)
{
    uint64_t ns;

    ns = clock_ticks_to_ns(clock_frequency());
    EXPECT(ns <= UINT64_C(1000000000));
    EXPECT(ns >= UINT64_C(999999000));
}

TEST(clock, conversions_are_inverse_but_for_rounding)
{
    uint64_t ns, back, part, i;

    for (i = 0; i < 1000; i++) {
        /* Not so large that its ticks would exceed 64 bits. */
        ns = rand_u64(&t->rand) >> (5 + rand_u64(&t->rand) % 40);
        back = clock_ticks_to_ns(clock_ns_to_ticks(ns));
        EXPECT(back <= ns);
        /* The last bits of the two factors, and a tick. */
        part = ns / 100000000 + ns / (4 * clock_frequency());
        EXPECT(ns - back <= part + 1000);
    }
}

TEST(clock, conversions_saturate)
{
    EXPECT_EQ(clock_ticks_to_ns(0), 0);
    EXPECT_EQ(clock_ns_to_ticks(0), 0);
    if (clock_frequency() > UINT64_C(1000000000)) {
        EXPECT_EQ(clock_ns_to_ticks(UINT64_MAX), UINT64_MAX);
    }
    if (clock_frequency() < UINT64_C(1000000000)) {
        EXPECT_EQ(clock_ticks_to_ns(UINT64_MAX), UINT64_MAX);
    }
}

TEST(clock, past_deadline_is_the_counter_now)
{
    uint64_t before, counter, after;

    preempt_disable();
    before = clock_counter_ordered();
    counter = clock_deadline_to_counter(0);
    after = clock_counter_ordered();
    preempt_enable();
    EXPECT(before <= counter);
    EXPECT(counter <= after);
}

/* A deadline beyond the counter's range must not become one in the past. */
TEST(clock, far_deadline_is_far)
{
    uint64_t deadline, counter, now;
    unsigned i;

    for (i = 40; i < 64; i++) {
        deadline = clock_now() + (UINT64_C(1) << i);
        preempt_disable();
        counter = clock_deadline_to_counter(deadline);
        now = clock_counter_ordered();
        preempt_enable();
        EXPECT(counter > now);
        EXPECT(counter - now > clock_ns_to_ticks(UINT64_C(1) << (i - 1)));
    }
    EXPECT_EQ(clock_deadline_to_counter(CLOCK_NEVER - 1),
              clock_frequency() > UINT64_C(1000000000)
                  ? UINT64_MAX
                  : clock_deadline_to_counter(CLOCK_NEVER - 1));
}

/* After years, too, the counter of a near deadline is near. */
TEST(clock, error_does_not_grow_with_uptime)
{
    uint64_t ticks, ns, year;

    for (year = 1; year <= 30; year++) {
        ns = year * CLOCK_NS_PER_YEAR;
        ticks = clock_ns_to_ticks(ns + 1000000) - clock_ns_to_ticks(ns);
        EXPECT(clock_ticks_to_ns(ticks) <= 1000000);
        EXPECT(clock_ticks_to_ns(ticks) >= 999900);
    }
}
