/* SPDX-License-Identifier: MIT */
/*
 * Readers of the fixed table (FADT) and of the sleep type in the DSDT; private
 * to the ACPI readers.
 */
#ifndef ARCH_X86_ACPI_FIXED_H
#define ARCH_X86_ACPI_FIXED_H

#include <stdbool.h>
#include <stdint.h>

#include "acpi_parse.h"

/*
 * Where the DSDT is.
 *
 * @fadt  a good table
 *
 * Returns: its physical address, 0 when the table has none
 */
uint64_t acpi_fixed_dsdt(const struct acpi_table *fadt);

/*
 * Read a fixed table of any revision.  Members behind its end are absent.
 *
 * @fixed  overwritten as a whole
 * @fadt   a good table
 */
void acpi_fixed_parse(struct acpi_fixed *fixed, const struct acpi_table *fadt);

/*
 * Search the byte code of the DSDT for the package _S5_.
 *
 * The byte code is not interpreted: only a definition whose name, package and
 * integers are all well formed is taken.
 *
 * @sleep  overwritten as a whole
 * @dsdt   a good table
 *
 * Returns: true, found
 */
bool acpi_sleep_parse(struct acpi_sleep *sleep, const struct acpi_table *dsdt);

#endif /* ARCH_X86_ACPI_FIXED_H */
