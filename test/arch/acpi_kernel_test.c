/* SPDX-License-Identifier: MIT */
#include <arch/x86/acpi.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <test/test.h>

TEST(acpi_kernel, boot_cpu_is_the_first_and_online)
{
    EXPECT(cpu_nr_possible >= 1);
    EXPECT(cpu_is_online(0));
}

TEST(acpi_kernel, ioapics_are_devices)
{
    const struct acpi_ioapic *found;
    size_t count, i;

    found = acpi_ioapics(&count);
    EXPECT_EQ(count, acpi_info_get()->nr_ioapics);
    for (i = 0; i < count; i++) {
        EXPECT(acpi_is_device(found[i].phys, 32));
    }
}

TEST(acpi_kernel, overrides_are_of_isa_lines)
{
    const struct acpi_override *found;
    size_t count, i;

    found = acpi_overrides(&count);
    EXPECT_EQ(count, acpi_info_get()->nr_overrides);
    for (i = 0; i < count; i++) {
        EXPECT(found[i].source < 16);
    }
}

/* No more CPUs than the table enables, and the boot CPU. */
TEST(acpi_kernel, cpus_are_those_of_the_table)
{
    EXPECT(cpu_nr_possible <= acpi_info_get()->nr_cpus_enabled + 1);
}

TEST(acpi_kernel, counter_has_a_plausible_frequency)
{
    EXPECT(clock_frequency() >= UINT64_C(1000000));
    EXPECT(clock_frequency() <= UINT64_C(20000000000));
}
