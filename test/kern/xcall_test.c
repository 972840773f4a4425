/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/latency.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <kern/xcall.h>
#include <lib/bitmap.h>
#include <test/test.h>

#define XCALL_TEST_ROUNDS 20

/* In a set of CPUs on a stack. */
#define XCALL_TEST_CPUS 1024

/* As many calls as one caller has under way at least. */
#define XCALL_TEST_PARALLEL 32

/* CPUs whose functions call others at a time. */
#define XCALL_TEST_NESTED UINT32_C(16)

/* Calls that each CPU has taken, by number; written by the CPU itself. */
static PERCPU(uint64_t, xcall_test_taken);
static atomic_uint xcall_test_faults;
static uint64_t xcall_test_rounds;

static void
xcall_test_count(void *arg __unused)
{
    if (cpu_irq_is_enabled()) {
        atomic_fetch_add(&xcall_test_faults, 1);
    }
    percpu_add(xcall_test_taken, 1);
}

static void
xcall_test_reset(uint64_t rounds)
{
    uint32_t cpu;

    atomic_store(&xcall_test_faults, 0);
    xcall_test_rounds = rounds;
    cpu_for_each (cpu) {
        *percpu_ptr(xcall_test_taken, cpu) = 0;
    }
}

static void
xcall_test_where(void *arg)
{
    *(uint32_t *)arg = cpu_id();
}

TEST(xcall, runs_on_the_cpu_asked)
{
    uint32_t cpu, where;

    cpu_for_each (cpu) {
        where = UINT32_MAX;
        xcall_one(cpu, xcall_test_where, &where);
        EXPECT_EQ(where, cpu);
    }
}

TEST(xcall, all_runs_once_on_each)
{
    uint32_t cpu;

    xcall_test_reset(0);
    xcall_all(xcall_test_count, NULL);
    cpu_for_each (cpu) {
        EXPECT_EQ(*percpu_ptr(xcall_test_taken, cpu), 1);
    }
    EXPECT_EQ(atomic_load(&xcall_test_faults), 0);
}

TEST(xcall, works_with_interrupts_disabled)
{
    uint64_t flags;
    uint32_t cpu;

    xcall_test_reset(0);
    flags = cpu_irq_save();
    xcall_all(xcall_test_count, NULL);
    EXPECT(!cpu_irq_is_enabled());
    latency_excuse("waits for all CPUs with interrupts disabled");
    cpu_irq_restore(flags);
    cpu_for_each (cpu) {
        EXPECT_EQ(*percpu_ptr(xcall_test_taken, cpu), 1);
    }
}

static void
xcall_test_storm(void *arg)
{
    uint64_t i, flags;
    uint32_t cpu;

    for (i = 0; i < xcall_test_rounds; i++) {
        cpu_for_each (cpu) {
            flags = *(bool *)arg ? cpu_irq_save() : 0;
            xcall_one(cpu, xcall_test_count, NULL);
            latency_excuse("waits for all CPUs with interrupts disabled");
            cpu_irq_restore(flags);
        }
    }
}

static void
xcall_test_expect_storm(struct test *t, uint64_t nr_callers)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        EXPECT_EQ(*percpu_ptr(xcall_test_taken, cpu),
                  xcall_test_rounds * nr_callers);
    }
    EXPECT_EQ(atomic_load(&xcall_test_faults), 0);
}

TEST(xcall, all_cpus_call_all_cpus)
{
    bool disable = false;

    xcall_test_reset(XCALL_TEST_ROUNDS * t->iterations);
    all_cpus_run(xcall_test_storm, &disable);
    xcall_test_expect_storm(t, cpu_nr_online());
}

/* Two that call each other with interrupts disabled serve while they wait. */
TEST(xcall, all_call_all_with_interrupts_disabled)
{
    bool disable = true;

    xcall_test_reset(XCALL_TEST_ROUNDS * t->iterations);
    all_cpus_run(xcall_test_storm, &disable);
    xcall_test_expect_storm(t, cpu_nr_online());
}

/* Whether exactly the CPUs of a set were called, once each. */
static bool
xcall_test_were_called(const unsigned long *cpus)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        if (*percpu_ptr(xcall_test_taken, cpu) != bitmap_test(cpus, cpu)) {
            return false;
        }
    }
    return true;
}

/* Random sets, the empty one and that of all included. */
TEST(xcall, many_runs_once_on_each_of_a_set)
{
    unsigned long cpus[BITMAP_LONGS(XCALL_TEST_CPUS)];
    uint32_t cpu, share;
    unsigned int i;

    if (cpu_nr_possible > XCALL_TEST_CPUS) {
        SKIP("too many CPUs");
    }
    for (i = 0; i < 20 * t->iterations; i++) {
        share = i % 5;
        bitmap_zero(cpus, XCALL_TEST_CPUS);
        cpu_for_each (cpu) {
            if (rand_u64(&t->rand) % 4 < share) {
                bitmap_set(cpus, cpu);
            }
        }
        xcall_test_reset(0);
        xcall_many(cpus, xcall_test_count, NULL);
        EXPECT(xcall_test_were_called(cpus));
        EXPECT_EQ(atomic_load(&xcall_test_faults), 0);
    }
}

struct xcall_test_meeting {
    atomic_uint nr_here;
    uint32_t nr_awaited;
};

static void
xcall_test_meet(void *arg)
{
    struct xcall_test_meeting *meeting = arg;

    atomic_fetch_add(&meeting->nr_here, 1);
    while (atomic_load(&meeting->nr_here) < meeting->nr_awaited) {
        cpu_pause();
    }
    latency_excuse("CPUs that wait for each other in a call");
}

/* The function runs on all at the same time, the caller's CPU included. */
TEST(xcall, many_runs_at_the_same_time)
{
    unsigned long cpus[BITMAP_LONGS(XCALL_TEST_CPUS)];
    struct xcall_test_meeting meeting;
    uint32_t cpu;

    meeting.nr_awaited = 0;
    atomic_init(&meeting.nr_here, 0);
    bitmap_zero(cpus, XCALL_TEST_CPUS);
    cpu_for_each (cpu) {
        if (cpu < XCALL_TEST_PARALLEL) {
            bitmap_set(cpus, cpu);
            meeting.nr_awaited++;
        }
    }
    xcall_many(cpus, xcall_test_meet, &meeting);
    EXPECT_EQ(atomic_load(&meeting.nr_here), meeting.nr_awaited);
}

static void
xcall_test_nested(void *arg __unused)
{
    latency_excuse("waits for another CPU in a cross call");
    xcall_one((cpu_id() + 1) % cpu_nr_possible, xcall_test_count, NULL);
}

static void
xcall_test_nested_all(void *arg __unused)
{
    uint64_t i;

    if (cpu_id() >= XCALL_TEST_NESTED) {
        return;
    }
    for (i = 0; i < xcall_test_rounds; i++) {
        xcall_all(xcall_test_nested, NULL);
    }
}

/* A function that is called may call, as long as few do. */
TEST(xcall, nests)
{
    if (cpu_nr_online() != cpu_nr_possible) {
        SKIP("not all CPUs are online");
    }

    xcall_test_reset(XCALL_TEST_ROUNDS * t->iterations);
    all_cpus_run(xcall_test_nested_all, NULL);
    xcall_test_expect_storm(t, MIN(cpu_nr_possible, XCALL_TEST_NESTED));
}

static void
xcall_test_increment(void *arg)
{
    (*(uint64_t *)arg)++;
}

/* What the function stores is visible when the call has returned. */
TEST(xcall, orders_memory)
{
    uint64_t value, i;
    uint32_t cpu;

    value = 0;
    for (i = 0; i < 10 * t->iterations; i++) {
        cpu_for_each (cpu) {
            value++;
            xcall_one(cpu, xcall_test_increment, &value);
        }
    }
    EXPECT_EQ(value, 20 * t->iterations * cpu_nr_online());
}
