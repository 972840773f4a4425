/* SPDX-License-Identifier: MIT */
/*
 * The fixed table, and the one object of the DSDT that the kernel needs.
 *
 * Every member is read through a function that yields 0 behind the end of the
 * table, since tables of all lengths exist: 116 bytes in ACPI 1.0, and what a
 * BIOS leaves behind those is garbage.
 */
#include "acpi_fixed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/string.h>

#include "acpi_format.h"

#define ACPI_FADT_REVISION_BOOT_ARCH  2
#define ACPI_FADT_REVISION_HW_REDUCED 5

/* Opcodes.  Source: ACPI Specification, "AML Grammar Definition". */
#define ACPI_AML_ZERO    0x00
#define ACPI_AML_ONE     0x01
#define ACPI_AML_NAME    0x08
#define ACPI_AML_BYTE    0x0a
#define ACPI_AML_WORD    0x0b
#define ACPI_AML_DWORD   0x0c
#define ACPI_AML_PACKAGE 0x12

/* SLP_TYP has 3 bits. */
#define ACPI_SLEEP_TYPE_MAX 7

/* Byte code that is left to read. */
struct acpi_aml {
    const uint8_t *data;
    size_t size;
};

/*
 * Read a little-endian number of up to 8 bytes.
 *
 * Returns: the number, 0 when it is not wholly inside of the table
 */
static uint64_t
acpi_fixed_read(const struct acpi_table *fadt, size_t offset, size_t size)
{
    uint64_t value = 0;

    if (offset + size > fadt->length) {
        return 0;
    }
    memcpy(&value, fadt->data + offset, size);
    return value;
}

#define ACPI_FIXED_READ(fadt, member)                                          \
    acpi_fixed_read(fadt, offsetof(struct acpi_raw_fadt, member),              \
                    sizeof(((struct acpi_raw_fadt *)NULL)->member))

/* The register at that offset, none if it is of a kind that nobody can use. */
static struct acpi_register
acpi_fixed_read_gas(const struct acpi_table *fadt, size_t offset)
{
    struct acpi_register none = { 0 }, reg = { 0 };
    struct acpi_raw_gas gas;

    if (offset + sizeof(gas) > fadt->length) {
        return none;
    }

    memcpy(&gas, fadt->data + offset, sizeof(gas));
    reg.address = gas.address;
    reg.space = gas.space;
    reg.bit_width = gas.bit_width;
    reg.bit_offset = gas.bit_offset;
    reg.access = gas.access;

    switch (reg.space) {
    case ACPI_SPACE_IO:
        return reg.address <= UINT16_MAX ? reg : none;
    case ACPI_SPACE_MEMORY:
    case ACPI_SPACE_PCI:
        return reg;
    default:
        return none;
    }
}

#define ACPI_FIXED_READ_GAS(fadt, member)                                      \
    acpi_fixed_read_gas(fadt, offsetof(struct acpi_raw_fadt, member))

/* The new description of a register if there is one, else the old port. */
static struct acpi_register
acpi_fixed_choose(struct acpi_register reg, uint64_t port, uint64_t length)
{
    struct acpi_register old = { 0 };

    if (reg.address != 0 && reg.space != ACPI_SPACE_PCI) {
        return reg;
    }
    if (port > UINT16_MAX || length > 8) {
        return old;
    }
    old.address = port;
    old.space = ACPI_SPACE_IO;
    old.bit_width = (uint8_t)(length * 8);
    return old;
}

static void
acpi_fixed_parse_legacy(struct acpi_fixed *fixed, const struct acpi_table *fadt)
{
    uint64_t length;

    fixed->smi_command = (uint32_t)ACPI_FIXED_READ(fadt, smi_command);
    fixed->acpi_enable = (uint8_t)ACPI_FIXED_READ(fadt, acpi_enable);
    fixed->pm_timer_32bit = fixed->flags & ACPI_FADT_PM_TIMER_32BIT;

    length = ACPI_FIXED_READ(fadt, pm_timer_length);
    fixed->pm_timer = acpi_fixed_choose(ACPI_FIXED_READ_GAS(fadt, x_pm_timer),
                                        ACPI_FIXED_READ(fadt, pm_timer),
                                        length);

    length = ACPI_FIXED_READ(fadt, pm1_control_length);
    fixed->pm1a_control =
        acpi_fixed_choose(ACPI_FIXED_READ_GAS(fadt, x_pm1a_control),
                          ACPI_FIXED_READ(fadt, pm1a_control), length);
    fixed->pm1b_control =
        acpi_fixed_choose(ACPI_FIXED_READ_GAS(fadt, x_pm1b_control),
                          ACPI_FIXED_READ(fadt, pm1b_control), length);
}

static void
acpi_fixed_parse_boot_arch(struct acpi_fixed *fixed,
                           const struct acpi_table *fadt)
{
    size_t end = offsetof(struct acpi_raw_fadt, boot_arch) + sizeof(uint16_t);

    /* In ACPI 1.0 these bytes are reserved, and the machine is a PC. */
    fixed->has_boot_arch = fadt->revision >= ACPI_FADT_REVISION_BOOT_ARCH &&
                           fadt->length >= end;
    if (!fixed->has_boot_arch) {
        fixed->has_i8042 = true;
        fixed->has_vga = true;
        return;
    }

    fixed->boot_arch = (uint16_t)ACPI_FIXED_READ(fadt, boot_arch);
    fixed->has_i8042 = fixed->boot_arch & ACPI_BOOT_ARCH_I8042;
    fixed->has_vga = !(fixed->boot_arch & ACPI_BOOT_ARCH_NO_VGA);
}

static void
acpi_fixed_parse_reset(struct acpi_fixed *fixed, const struct acpi_table *fadt)
{
    size_t end = offsetof(struct acpi_raw_fadt, reset_value) + 1;

    if (!(fixed->flags & ACPI_FADT_RESET) || fadt->length < end) {
        return;
    }
    fixed->reset = ACPI_FIXED_READ_GAS(fadt, reset);
    fixed->reset_value = (uint8_t)ACPI_FIXED_READ(fadt, reset_value);
}

uint64_t
acpi_fixed_dsdt(const struct acpi_table *fadt)
{
    uint64_t phys = ACPI_FIXED_READ(fadt, x_dsdt_phys);

    return phys != 0 ? phys : ACPI_FIXED_READ(fadt, dsdt_phys);
}

void
acpi_fixed_parse(struct acpi_fixed *fixed, const struct acpi_table *fadt)
{
    memset(fixed, 0, sizeof(*fixed));
    fixed->present = true;
    fixed->revision = fadt->revision;
    fixed->sci = (uint16_t)ACPI_FIXED_READ(fadt, sci);
    fixed->flags = (uint32_t)ACPI_FIXED_READ(fadt, flags);
    fixed->century = (uint8_t)ACPI_FIXED_READ(fadt, century);
    fixed->dsdt_phys = acpi_fixed_dsdt(fadt);
    fixed->hw_reduced = fadt->revision >= ACPI_FADT_REVISION_HW_REDUCED &&
                        (fixed->flags & ACPI_FADT_HW_REDUCED);

    acpi_fixed_parse_boot_arch(fixed, fadt);
    acpi_fixed_parse_reset(fixed, fadt);
    if (fixed->hw_reduced) {
        fixed->sleep_control = ACPI_FIXED_READ_GAS(fadt, sleep_control);
        fixed->sleep_status = ACPI_FIXED_READ_GAS(fadt, sleep_status);
    } else {
        acpi_fixed_parse_legacy(fixed, fadt);
    }
}

static bool
acpi_aml_skip(struct acpi_aml *aml, size_t size)
{
    if (aml->size < size) {
        return false;
    }
    aml->data += size;
    aml->size -= size;
    return true;
}

static bool
acpi_aml_read(struct acpi_aml *aml, uint64_t *valuep, size_t size)
{
    const uint8_t *data = aml->data;

    *valuep = 0;
    if (!acpi_aml_skip(aml, size)) {
        return false;
    }
    memcpy(valuep, data, size);
    return true;
}

static bool
acpi_aml_read_integer(struct acpi_aml *aml, uint64_t *valuep)
{
    uint64_t opcode;

    if (!acpi_aml_read(aml, &opcode, 1)) {
        return false;
    }

    switch (opcode) {
    case ACPI_AML_ZERO:
    case ACPI_AML_ONE:
        *valuep = opcode;
        return true;
    case ACPI_AML_BYTE:
        return acpi_aml_read(aml, valuep, 1);
    case ACPI_AML_WORD:
        return acpi_aml_read(aml, valuep, 2);
    case ACPI_AML_DWORD:
        return acpi_aml_read(aml, valuep, 4);
    default:
        return false;
    }
}

/*
 * Read the length of a package, which counts from its own first byte on, and
 * let the byte code end with the package.
 *
 * Source: ACPI Specification, "Package Length Encoding".
 */
static bool
acpi_aml_enter_package(struct acpi_aml *aml)
{
    uint64_t lead, rest = 0, length;
    size_t nr_bytes;

    if (!acpi_aml_read(aml, &lead, 1)) {
        return false;
    }

    nr_bytes = lead >> 6;
    if (!acpi_aml_read(aml, &rest, nr_bytes)) {
        return false;
    }

    length = nr_bytes == 0 ? lead & 0x3f : (lead & 0xf) | rest << 4;
    if (length < 1 + nr_bytes || length - 1 - nr_bytes > aml->size) {
        return false;
    }
    aml->size = length - 1 - nr_bytes;
    return true;
}

/* Read what follows the name: Package () { type_a, type_b, ... }. */
static bool
acpi_sleep_parse_package(struct acpi_sleep *sleep, struct acpi_aml aml)
{
    uint64_t opcode, nr_elements, type_a, type_b;

    if (!acpi_aml_read(&aml, &opcode, 1) || opcode != ACPI_AML_PACKAGE) {
        return false;
    }
    if (!acpi_aml_enter_package(&aml) ||
        !acpi_aml_read(&aml, &nr_elements, 1)) {
        return false;
    }
    if (nr_elements == 0 || !acpi_aml_read_integer(&aml, &type_a)) {
        return false;
    }

    if (nr_elements == 1) {
        /* Some firmware packs both into one integer. */
        type_b = type_a >> 8;
        type_a &= 0xff;
    } else if (!acpi_aml_read_integer(&aml, &type_b)) {
        return false;
    }
    if (type_a > ACPI_SLEEP_TYPE_MAX || type_b > ACPI_SLEEP_TYPE_MAX) {
        return false;
    }

    sleep->present = true;
    sleep->type_a = (uint8_t)type_a;
    sleep->type_b = (uint8_t)type_b;
    return true;
}

/* Returns: true, the name there is defined, not merely used. */
static bool
acpi_sleep_is_definition(const uint8_t *name)
{
    if (memcmp(name, "_S5_", 4) != 0) {
        return false;
    }
    return name[-1] == ACPI_AML_NAME ||
           (name[-1] == '\\' && name[-2] == ACPI_AML_NAME);
}

bool
acpi_sleep_parse(struct acpi_sleep *sleep, const struct acpi_table *dsdt)
{
    /* At least 2 bytes precede each name: so do 36 bytes of header. */
    size_t offset = sizeof(struct acpi_raw_header) + 1;
    struct acpi_aml aml;

    memset(sleep, 0, sizeof(*sleep));
    for (; offset + 4 <= dsdt->length; offset++) {
        if (!acpi_sleep_is_definition(dsdt->data + offset)) {
            continue;
        }
        aml.data = dsdt->data + offset + 4;
        aml.size = dsdt->length - offset - 4;
        if (acpi_sleep_parse_package(sleep, aml)) {
            return true;
        }
    }
    return false;
}
