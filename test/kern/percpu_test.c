/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <arch/types.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <test/test.h>

static PERCPU(uint64_t, percpu_test_value) = 42;
static PERCPU(uint32_t, percpu_test_number);
static PERCPU(uint8_t, percpu_test_byte);
static PERCPU(uint64_t, percpu_test_count);

/* Increments of each CPU. */
#define PERCPU_TEST_ROUNDS 1000

TEST(percpu, copies_begin_with_initialiser)
{
    uint32_t cpu;

    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        EXPECT_EQ(*percpu_ptr(percpu_test_value, cpu), 42);
    }
}

TEST(percpu, copies_share_no_page)
{
    uint32_t cpu;
    uintptr_t a, b;

    for (cpu = 1; cpu < cpu_nr_possible; cpu++) {
        a = (uintptr_t)percpu_ptr(percpu_test_value, cpu);
        b = (uintptr_t)percpu_ptr(percpu_test_value, cpu - 1);
        EXPECT(a / PAGE_SIZE != b / PAGE_SIZE);
    }
}

static void
percpu_test_store(void *arg __unused)
{
    percpu_write(percpu_test_number, cpu_id() + 1000);
    percpu_write(percpu_test_byte, (uint8_t)cpu_id());
}

TEST(percpu, write_reaches_own_copy_only)
{
    uint32_t cpu;

    all_cpus_run(percpu_test_store, NULL);
    cpu_for_each (cpu) {
        EXPECT_EQ(*percpu_ptr(percpu_test_number, cpu), cpu + 1000);
        EXPECT_EQ(*percpu_ptr(percpu_test_byte, cpu), (uint8_t)cpu);
    }
}

static void
percpu_test_add(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < PERCPU_TEST_ROUNDS; i++) {
        percpu_add(percpu_test_count, 3);
        percpu_add(percpu_test_count, -1);
    }
}

TEST(percpu, add_adds)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        *percpu_ptr(percpu_test_count, cpu) = 0;
    }
    all_cpus_run(percpu_test_add, NULL);
    cpu_for_each (cpu) {
        EXPECT_EQ(*percpu_ptr(percpu_test_count, cpu), 2 * PERCPU_TEST_ROUNDS);
    }
}

static void
percpu_test_this(void *arg __unused)
{
    *percpu_this(percpu_test_value) = (uintptr_t)percpu_this(percpu_test_value);
}

TEST(percpu, this_is_the_copy_of_the_cpu)
{
    uint32_t cpu;

    all_cpus_run(percpu_test_this, NULL);
    cpu_for_each (cpu) {
        EXPECT_EQ(*percpu_ptr(percpu_test_value, cpu),
                  (uintptr_t)percpu_ptr(percpu_test_value, cpu));
        *percpu_ptr(percpu_test_value, cpu) = 42;
    }
}

TEST(percpu, number_is_the_index)
{
    uint32_t cpu;

    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        EXPECT_EQ(*percpu_ptr(cpu_number, cpu), cpu);
        EXPECT_EQ(*percpu_ptr(percpu_offset, cpu), percpu_offsets[cpu]);
    }
    preempt_disable();
    EXPECT_EQ(*percpu_this(cpu_number), cpu_id());
    preempt_enable();
}
