/* SPDX-License-Identifier: MIT */
/*
 * Ways out, tried one after the other until one works.
 */
#include <arch/cpu.h>
#include <arch/pmap.h>
#include <arch/power.h>
#include <kern/clock.h>
#include <kern/console.h>
#include <kern/command.h>
#include <kern/panic.h>

#include "acpi.h"
#include "io.h"

#define POWER_DEBUG_EXIT_PORT 0xf4
#define POWER_BOCHS_PORT      0x8900
#define POWER_I8042_PORT      0x64
#define POWER_I8042_RESET     0xfe
#define POWER_PCI_RESET_PORT  0xcf9
#define POWER_WAIT_LOOPS      1000000U

#define PM1_SLEEP_ENABLE   (1U << 13)
#define PM1_TYPE_SHIFT     10
#define PM1_SCI_ENABLE     1U
#define SLEEP_ENABLE       (1U << 5)
#define SLEEP_TYPE_SHIFT   2
#define POWER_ENABLE_LOOPS 1000U

/* Give the hardware a moment, even if the clock does not run yet. */
static void
power_wait(void)
{
    unsigned i;

    for (i = 0; i < POWER_WAIT_LOOPS; i++) {
        cpu_pause();
    }
}

static bool
power_can_reach(uint64_t phys)
{
    struct pmap_walk walk;

    return phys < DIRECT_MAP_SIZE && pmap_walk(DIRECT_MAP_BASE + phys, &walk);
}

/* Write a register of at most 32 bits, if it is where the kernel can. */
static void
power_write_register(const struct acpi_register *reg, uint32_t value)
{
    if (reg->address == 0) {
        return;
    }
    if (reg->space == ACPI_SPACE_MEMORY && power_can_reach(reg->address)) {
        *(volatile uint8_t *)pmap_direct_ptr(reg->address) = (uint8_t)value;
        return;
    }
    if (reg->space != ACPI_SPACE_IO || reg->address > UINT16_MAX) {
        return;
    }
    if (reg->bit_width >= 16) {
        outw((uint16_t)reg->address, (uint16_t)value);
    } else {
        outb((uint16_t)reg->address, (uint8_t)value);
    }
}

void
power_reboot(void)
{
    const struct acpi_fixed *fixed;
    struct {
        uint16_t limit;
        uint64_t base;
    } __packed no_table = { 0, 0 };

    fixed = &acpi_info_get()->fixed;
    cpu_irq_disable();
    if (fixed->present) {
        power_write_register(&fixed->reset, fixed->reset_value);
        power_wait();
    }
    if (acpi_has_i8042()) {
        outb(POWER_I8042_PORT, POWER_I8042_RESET);
        power_wait();
    }
    outb(POWER_PCI_RESET_PORT, 0x02);
    outb(POWER_PCI_RESET_PORT, 0x06);
    power_wait();

    /* A triple fault. */
    __asm__ volatile("lidt %0; int3" : : "m"(no_table));
    cpu_stop();
}

/* ACPI registers work in ACPI mode only; firmware may not be in it. */
static void
power_enable_acpi(const struct acpi_fixed *fixed)
{
    unsigned i;
    uint16_t port;

    if (fixed->smi_command == 0 || fixed->smi_command > UINT16_MAX ||
        fixed->acpi_enable == 0 || fixed->pm1a_control.space != ACPI_SPACE_IO) {
        return;
    }

    port = (uint16_t)fixed->pm1a_control.address;
    if (inw(port) & PM1_SCI_ENABLE) {
        return;
    }
    outb((uint16_t)fixed->smi_command, fixed->acpi_enable);
    for (i = 0; i < POWER_ENABLE_LOOPS; i++) {
        if (inw(port) & PM1_SCI_ENABLE) {
            return;
        }
        cpu_pause();
    }
}

static void
power_off_acpi(void)
{
    const struct acpi_info *acpi;
    const struct acpi_fixed *fixed;

    acpi = acpi_info_get();
    fixed = &acpi->fixed;
    if (!fixed->present || !acpi->s5.present) {
        return;
    }

    if (fixed->hw_reduced) {
        power_write_register(&fixed->sleep_control,
                             ((uint32_t)acpi->s5.type_a << SLEEP_TYPE_SHIFT) |
                                 SLEEP_ENABLE);
    } else {
        power_enable_acpi(fixed);
        power_write_register(&fixed->pm1a_control,
                             ((uint32_t)acpi->s5.type_a << PM1_TYPE_SHIFT) |
                                 PM1_SLEEP_ENABLE);
        power_write_register(&fixed->pm1b_control,
                             ((uint32_t)acpi->s5.type_b << PM1_TYPE_SHIFT) |
                                 PM1_SLEEP_ENABLE);
    }
    power_wait();
}

void
power_off(void)
{
    const char *text;

    cpu_irq_disable();
    power_off_acpi();
    for (text = "Shutdown"; *text != '\0'; text++) {
        outb(POWER_BOCHS_PORT, (uint8_t)*text);
    }
    power_wait();
    console_printf("It is now safe to switch the machine off.\n");
    console_flush();
    cpu_stop();
}

/* isa-debug-exit ends the emulator; unused ports read as ones. */
static void
power_try_debug_exit(enum power_result result)
{
    if (inb(POWER_DEBUG_EXIT_PORT) != 0xff) {
        outb(POWER_DEBUG_EXIT_PORT, (uint8_t)result);
        power_wait();
    }
}

void
power_exit(enum power_result result)
{
    power_try_debug_exit(result);
    power_off();
}

void
power_exit_after_panic(unsigned action)
{
    if (action == PANIC_EXIT) {
        power_exit(POWER_PANIC);
    }
    if (action == PANIC_REBOOT) {
        power_reboot();
    }
    cpu_stop();
}

static void
power_command_reboot(int argc __unused, char **argv __unused)
{
    power_reboot();
}

MONITOR_COMMAND(reboot, "", "restart the machine", power_command_reboot);

static void
power_command_off(int argc __unused, char **argv __unused)
{
    power_off();
}

MONITOR_COMMAND(poweroff, "", "switch the machine off", power_command_off);
