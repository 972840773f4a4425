/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/x86/acpi.h>
#include <arch/x86/apic.h>
#include <arch/x86/trap_frame.h>
#include <kern/all_cpus.h>
#include <kern/bootmem.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/irq.h>
#include <test/stay.h>
#include <test/test.h>

#define APIC_WAIT_NS UINT64_C(20000000000)

/* Vectors that tests own; a handler can be attached but once. */
#define APIC_TEST_VECTOR 0xe0

static atomic_uint apic_test_count;

static void
apic_test_handle(void *ctx __unused)
{
    atomic_fetch_add(&apic_test_count, 1);
}

static void
apic_test_attach(void)
{
    static bool attached;

    if (!attached) {
        irq_attach_vector(APIC_TEST_VECTOR, "test", apic_test_handle, NULL);
        attached = true;
    }
    atomic_store(&apic_test_count, 0);
}

static void
apic_test_wait(unsigned count)
{
    uint64_t end;

    end = clock_now() + APIC_WAIT_NS;
    while (atomic_load(&apic_test_count) < count && clock_now() < end) {
        cpu_pause();
    }
}

TEST(apic, interrupt_to_self_comes)
{
    apic_test_attach();
    test_stay(t);
    apic_send(apic_id(), APIC_TEST_VECTOR);
    apic_test_wait(1);
    EXPECT_EQ(atomic_load(&apic_test_count), 1);
    EXPECT(!apic_is_in_service(APIC_TEST_VECTOR));
}

TEST(apic, interrupt_waits_while_disabled)
{
    uint64_t flags;

    apic_test_attach();
    flags = cpu_irq_save();
    apic_send(apic_id(), APIC_TEST_VECTOR);
    clock_spin(UINT64_C(1000));
    EXPECT_EQ(atomic_load(&apic_test_count), 0);
    cpu_irq_restore(flags);
    apic_test_wait(1);
    EXPECT_EQ(atomic_load(&apic_test_count), 1);
}

TEST(apic, interrupt_reaches_each_cpu)
{
    uint32_t cpu;

    apic_test_attach();
    cpu_for_each (cpu) {
        apic_send(cpu_table[cpu].hw_id, APIC_TEST_VECTOR);
    }
    apic_test_wait(cpu_nr_online());
    EXPECT_EQ(atomic_load(&apic_test_count), cpu_nr_online());
}

/* A table that says so must not have us write into memory. */
TEST(apic, no_device_in_memory)
{
    struct bootmem_range range;

    ASSERT(bootmem_next_ram(UINT64_C(0x100000), &range));
    EXPECT(!acpi_is_device(0, 32));
    EXPECT(!acpi_is_device(UINT64_C(0x9fc00), 32));
    EXPECT(!acpi_is_device(range.base, 32));
    EXPECT(!acpi_is_device(range.end - 1, 32));
    EXPECT(!acpi_is_device(range.base - 16, 32));
}

TEST(apic, no_device_beyond_address_space)
{
    EXPECT(!acpi_is_device(UINT64_C(1) << 52, 32));
    EXPECT(!acpi_is_device(UINT64_MAX - 8, 32));
    EXPECT(!acpi_is_device(UINT64_MAX - 8, 4));
}

TEST(apic, device_where_devices_are)
{
    EXPECT(acpi_is_device(UINT64_C(0xfec00000), 32));
    EXPECT(acpi_is_device(UINT64_C(0xfed00000), 0x400));
}

TEST(apic, taken_line_is_refused)
{
    /* The first may have been taken by an earlier run. */
    if (irq_attach_isa(13, "test", apic_test_handle, NULL) == ERR_NOT_FOUND) {
        SKIP("no IOAPIC");
    }

    EXPECT_EQ(irq_attach_isa(13, "test", apic_test_handle, NULL), ERR_BUSY);
}
