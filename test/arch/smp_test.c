/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/x86/apic.h>
#include <arch/x86/smp_start.h>
#include <arch/x86/trap_frame.h>
#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/irq.h>
#include <kern/preempt.h>
#include <kern/xcall.h>
#include <lib/bitmap.h>
#include <test/test.h>

/* An APIC identifier that no CPU has and that can be sent to, or 0. */
static uint32_t
smp_test_free_id(void)
{
    uint32_t id, cpu;

    for (id = 254; id > 0; id--) {
        for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
            if (cpu_table[cpu].hw_id == id) {
                break;
            }
        }
        if (cpu == cpu_nr_possible) {
            return id;
        }
    }
    return 0;
}

TEST(smp, missing_cpu_times_out)
{
    struct cpu cpu = { .hw_id = smp_test_free_id() };
    uint64_t start, duration;

    if (cpu.hw_id == 0) {
        SKIP("all identifiers are taken");
    }

    start = clock_now();
    EXPECT_EQ(smp_wake_cpu(&cpu, UINT64_C(3000000)), ERR_TIMEOUT);
    duration = clock_now() - start;
    EXPECT_EQ(cpu.state, CPU_DEAD);
    EXPECT(duration >= UINT64_C(3000000));
    /* Bounded, however slow the host. */
    EXPECT(duration < UINT64_C(20000000000));
}

/* INIT to itself would be the end; that is what a duplicate id leads to. */
TEST(smp, own_id_is_refused)
{
    struct cpu cpu = { .hw_id = 0 };
    status_t status;

    preempt_disable();
    cpu.hw_id = apic_id();
    status = smp_wake_cpu(&cpu, 0);
    preempt_enable();
    EXPECT_EQ(status, ERR_UNSUPPORTED);
    EXPECT_EQ(cpu.state, CPU_DEAD);
}

/* The xAPIC has 8 bits, and drops the others: 0x100 would be CPU 0. */
TEST(smp, id_out_of_reach_is_refused)
{
    struct cpu cpu = { .hw_id = UINT32_MAX };

    EXPECT_EQ(smp_wake_cpu(&cpu, 0), ERR_UNSUPPORTED);
    if (apic_is_x2apic()) {
        SKIP("all but this one are in reach of an x2APIC");
    }
    cpu.hw_id = 0xff;
    EXPECT_EQ(smp_wake_cpu(&cpu, 0), ERR_UNSUPPORTED);
    cpu.hw_id = 0x100;
    EXPECT_EQ(smp_wake_cpu(&cpu, 0), ERR_UNSUPPORTED);
}

TEST(smp, all_possible_cpus_are_online)
{
    EXPECT_EQ(cpu_nr_online(), cpu_nr_possible);
}

/* What each CPU says of itself; bits are set for what does not hold. */
static atomic_uint smp_test_faults;

static void
smp_test_check_self(void *arg __unused)
{
    uint32_t cpu;

    cpu = cpu_id();
    if (cpu >= cpu_nr_possible || !cpu_is_online(cpu)) {
        atomic_fetch_or(&smp_test_faults, 1);
        return;
    }
    if (cpu_table[cpu].hw_id != apic_id()) {
        atomic_fetch_or(&smp_test_faults, 2);
    }
    if (percpu_read(percpu_offset) != percpu_offsets[cpu]) {
        atomic_fetch_or(&smp_test_faults, 4);
    }
    if (!apic_is_ready()) {
        atomic_fetch_or(&smp_test_faults, 8);
    }
    if (!cpu_irq_is_enabled()) {
        atomic_fetch_or(&smp_test_faults, 16);
    }
}

TEST(smp, every_cpu_knows_itself)
{
    atomic_store(&smp_test_faults, 0);
    all_cpus_run(smp_test_check_self, NULL);
    EXPECT_EQ(atomic_load(&smp_test_faults), 0);
}

/* Whenever it was read, one and the same counter is not off. */
TEST(smp, same_counter_is_never_corrected)
{
    uint64_t there, after, error;
    int64_t offset;

    for (after = 1000; after < 1010; after++) {
        for (there = 1000; there <= after; there++) {
            error = smp_compare_counters(1000, there, after, &offset);
            EXPECT((uint64_t)(offset < 0 ? -offset : offset) <= error);
        }
    }
}

TEST(smp, ids_are_unique)
{
    uint32_t a, b;

    for (a = 0; a < cpu_nr_possible; a++) {
        for (b = 0; b < a; b++) {
            EXPECT(cpu_table[a].hw_id != cpu_table[b].hw_id);
        }
    }
}

#define SMP_TEST_CPUS   256
#define SMP_TEST_ROUNDS 100

static void
smp_test_nothing(void *arg __unused)
{
}

/* Call a set.  Returns: whether each of it but this CPU was interrupted once */
static bool
smp_test_call(const unsigned long *cpus)
{
    static uint64_t before[SMP_TEST_CPUS];
    bool is_exact = true;
    uint32_t cpu;

    preempt_disable();
    cpu_for_each (cpu) {
        before[cpu] = irq_nr_taken(cpu, VECTOR_XCALL);
    }
    xcall_many(cpus, smp_test_nothing, NULL);
    cpu_for_each (cpu) {
        uint64_t nr = irq_nr_taken(cpu, VECTOR_XCALL) - before[cpu];

        is_exact &= nr == (bitmap_test(cpus, cpu) && cpu != cpu_id());
    }
    latency_excuse("counts the interrupts of all CPUs");
    preempt_enable();
    return is_exact;
}

/* Others may call meanwhile, so one exact count in many will do. */
TEST(smp, call_of_a_set_interrupts_each_once)
{
    unsigned long cpus[BITMAP_LONGS(SMP_TEST_CPUS)];
    uint32_t cpu, step;

    if (cpu_nr_possible > SMP_TEST_CPUS) {
        SKIP("too many CPUs");
    }
    for (step = 1; step <= 3; step++) {
        unsigned int tries = SMP_TEST_ROUNDS;

        bitmap_zero(cpus, SMP_TEST_CPUS);
        cpu_for_each (cpu) {
            if (cpu % step == 0) {
                bitmap_set(cpus, cpu);
            }
        }
        while (tries > 0 && !smp_test_call(cpus)) {
            tries--;
        }
        EXPECT(tries > 0);
    }
}
