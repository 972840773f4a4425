/* SPDX-License-Identifier: MIT */
#include <arch/x86/apic.h>
#include <arch/x86/topology.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/numa.h>
#include <kern/percpu.h>
#include <test/test.h>

TEST(topology, no_two_cpus_are_in_one_place)
{
    struct cpu *a, *b;
    uint32_t i, j;

    cpu_for_each (i) {
        for (j = 0; j < i; j++) {
            a = &cpu_table[i];
            b = &cpu_table[j];
            EXPECT(a->package != b->package || a->core != b->core ||
                   a->thread != b->thread);
        }
    }
}

/* CPUs of one core have neighbouring identifiers. */
TEST(topology, threads_of_a_core_are_neighbours)
{
    struct cpu *a, *b;
    uint32_t i, j;

    cpu_for_each (i) {
        for (j = 0; j < i; j++) {
            a = &cpu_table[i];
            b = &cpu_table[j];
            if (a->package == b->package && a->core == b->core) {
                EXPECT_EQ(a->hw_id - a->thread, b->hw_id - b->thread);
            }
        }
    }
}

TEST(topology, nodes_exist)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        EXPECT(cpu_table[cpu].node < numa_nr_nodes());
    }
}

static PERCPU(uint32_t, topology_test_id);

static void
topology_test_store(void *arg __unused)
{
    percpu_write(topology_test_id, topology_own_hw_id());
}

/* CPUID and the firmware's table call each CPU the same. */
TEST(topology, cpuid_agrees_with_table)
{
    uint32_t cpu;

    all_cpus_run(topology_test_store, NULL);
    cpu_for_each (cpu) {
        EXPECT_EQ(*percpu_ptr(topology_test_id, cpu), cpu_table[cpu].hw_id);
    }
}
