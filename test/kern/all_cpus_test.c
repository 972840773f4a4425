/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <test/test.h>

#define ALL_CPUS_WAIT_NS UINT64_C(20000000000)

static PERCPU(uint64_t, all_cpus_test_calls);
static atomic_uint all_cpus_test_present;
static atomic_uint all_cpus_test_faults;

static void
all_cpus_test_call(void *arg)
{
    percpu_add(all_cpus_test_calls, *(uint64_t *)arg);
}

TEST(all_cpus, runs_on_all_with_argument)
{
    uint64_t step, i;
    uint32_t cpu;

    cpu_for_each (cpu) {
        *percpu_ptr(all_cpus_test_calls, cpu) = 0;
    }
    for (i = 0; i < 20 * t->iterations; i++) {
        step = i;
        all_cpus_run(all_cpus_test_call, &step);
    }
    cpu_for_each (cpu) {
        EXPECT_EQ(*percpu_ptr(all_cpus_test_calls, cpu), i * (i - 1) / 2);
    }
}

static void
all_cpus_test_meet(void *arg __unused)
{
    uint64_t end;

    end = clock_now() + ALL_CPUS_WAIT_NS;
    atomic_fetch_add(&all_cpus_test_present, 1);
    while (atomic_load(&all_cpus_test_present) < cpu_nr_online()) {
        if (clock_now() > end) {
            atomic_fetch_add(&all_cpus_test_faults, 1);
            return;
        }
        cpu_pause();
    }
}

/* All run at once, or a barrier would never be passed. */
TEST(all_cpus, runs_on_all_at_the_same_time)
{
    atomic_store(&all_cpus_test_present, 0);
    atomic_store(&all_cpus_test_faults, 0);
    all_cpus_run(all_cpus_test_meet, NULL);
    EXPECT_EQ(atomic_load(&all_cpus_test_faults), 0);
}

static void
all_cpus_test_irqs(void *arg __unused)
{
    if (!cpu_irq_is_enabled()) {
        atomic_fetch_add(&all_cpus_test_faults, 1);
    }
}

TEST(all_cpus, runs_with_interrupts_enabled)
{
    atomic_store(&all_cpus_test_faults, 0);
    all_cpus_run(all_cpus_test_irqs, NULL);
    EXPECT_EQ(atomic_load(&all_cpus_test_faults), 0);
}
