/* SPDX-License-Identifier: MIT */
/*
 * What the kernel took from the ACPI tables.
 */
#ifndef X86_ACPI_H
#define X86_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acpi_parse.h"

struct acpi_ioapic {
    uint64_t phys;
    uint32_t gsi_base;
    uint8_t id;
};

struct acpi_override {
    uint32_t gsi;
    uint16_t flags; /* MPS INTI flags */
    uint8_t source; /* ISA interrupt */
};

/* Fixed facts; constant after acpi_setup(). */
const struct acpi_info *acpi_info_get(void);

/* IOAPICs and overrides, with their number in @count. */
const struct acpi_ioapic *acpi_ioapics(size_t *count);
const struct acpi_override *acpi_overrides(size_t *count);

/*
 * Whether registers may be where a table says: not in memory, not among the
 * PC/AT's, and not beyond what the processor can address.
 */
bool acpi_is_device(uint64_t phys, uint64_t size);

/* Whether the machine may have a PS/2 keyboard controller. */
bool acpi_has_i8042(void);

#endif /* X86_ACPI_H */
