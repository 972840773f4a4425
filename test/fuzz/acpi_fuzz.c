/* SPDX-License-Identifier: MIT */
/*
 * No ACPI tables may make their readers look outside of them.  The input is
 * all the memory there is, from address 0x1000 on, and begins with the root
 * pointer.  Each input is tried as it is, and once more with its checksums
 * repaired, since hardly any mutation would get past them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <lib/assert.h>
#include <lib/checksum.h>
#include <lib/macros.h>
#include <lib/status.h>
#include <lib/string.h>

#include "arch/x86/acpi_parse.h"

#define FUZZ_BASE 0x1000

int fuzz_one(const uint8_t *data, size_t size);

struct acpi_fuzz {
    const uint8_t *data;
    size_t size;
    struct acpi_info counted; /* by the callbacks */
    uint64_t sum;             /* of all that was told, so that it is read */
};

static const char *const acpi_fuzz_signatures[] = {
    "RSDT", "XSDT", "APIC", "FACP", "DSDT", "HPET", "SRAT", "SLIT", "MCFG",
};

static const void *
acpi_fuzz_map(void *ctx, uint64_t phys, size_t size)
{
    const struct acpi_fuzz *fuzz = ctx;

    verify(size != 0);
    if (phys < FUZZ_BASE || phys - FUZZ_BASE > fuzz->size ||
        size > fuzz->size - (phys - FUZZ_BASE)) {
        return NULL;
    }
    return fuzz->data + (phys - FUZZ_BASE);
}

static void
acpi_fuzz_cpu(void *ctx, uint32_t apic_id, uint32_t uid, bool enabled,
              bool online_capable)
{
    struct acpi_fuzz *fuzz = ctx;

    fuzz->counted.nr_cpus++;
    fuzz->sum += (uint64_t)apic_id + uid + enabled + online_capable;
}

static void
acpi_fuzz_ioapic(void *ctx, uint8_t id, uint64_t phys, uint32_t gsi_base)
{
    struct acpi_fuzz *fuzz = ctx;

    fuzz->counted.nr_ioapics++;
    fuzz->sum += phys + id + gsi_base;
}

static void
acpi_fuzz_srat_mem(void *ctx, uint64_t base, uint64_t size, uint32_t domain,
                   bool hotplug)
{
    struct acpi_fuzz *fuzz = ctx;

    verify(size != 0 && base + size > base);
    fuzz->counted.nr_srat_mem++;
    fuzz->sum += domain + hotplug;
}

static void
acpi_fuzz_distance(void *ctx, uint32_t from, uint32_t to, uint8_t distance)
{
    struct acpi_fuzz *fuzz = ctx;

    fuzz->sum += (uint64_t)from + to + distance;
}

static void
acpi_fuzz_segment(void *ctx, uint64_t base, uint16_t segment, uint8_t first,
                  uint8_t last)
{
    struct acpi_fuzz *fuzz = ctx;

    verify(first <= last);
    fuzz->counted.nr_segments++;
    fuzz->sum += base + segment;
}

static void
acpi_fuzz_problem(void *ctx, const char signature[4], enum acpi_problem problem,
                  uint64_t value)
{
    struct acpi_fuzz *fuzz = ctx;

    verify(problem != ACPI_PROBLEM_NONE && problem < ACPI_NR_PROBLEMS);
    fuzz->counted.nr_problems++;
    fuzz->sum += (uint64_t)signature[0] + value;
}

static void
acpi_fuzz_table(void *ctx, const struct acpi_table *table)
{
    struct acpi_fuzz *fuzz = ctx;
    uint32_t i;

    verify((table->data != NULL) == (table->problem == ACPI_PROBLEM_NONE));
    verify(strlen(table->oem_table_id) < sizeof(table->oem_table_id));
    for (i = 0; table->data != NULL && i < table->length; i++) {
        fuzz->sum += table->data[i];
    }
}

static void
acpi_fuzz_try(const uint8_t *data, size_t size)
{
    struct acpi_fuzz fuzz = { .data = data, .size = size };
    struct acpi_memory memory = { .map = acpi_fuzz_map, .ctx = &fuzz };
    struct acpi_visitor visitor = {
        .ctx = &fuzz,
        .cpu = acpi_fuzz_cpu,
        .ioapic = acpi_fuzz_ioapic,
        .srat_mem = acpi_fuzz_srat_mem,
        .distance = acpi_fuzz_distance,
        .segment = acpi_fuzz_segment,
        .problem = acpi_fuzz_problem,
    };
    struct acpi_info info;
    struct acpi_root root;

    if (acpi_root_parse(&root, &memory, data, MIN(size, (size_t)36), NULL) !=
        OK) {
        return;
    }
    acpi_for_each_table(&root, acpi_fuzz_table, &fuzz);
    acpi_parse(&root, &info, &visitor);
    verify(info.nr_cpus == fuzz.counted.nr_cpus);
    verify(info.nr_ioapics == fuzz.counted.nr_ioapics);
    verify(info.nr_srat_mem == fuzz.counted.nr_srat_mem);
    verify(info.nr_segments == fuzz.counted.nr_segments);
    verify(info.nr_problems == fuzz.counted.nr_problems);
    verify(info.s5.type_a <= 7 && info.s5.type_b <= 7);
}

static void
acpi_fuzz_repair(uint8_t *data, size_t size, size_t at)
{
    data[at] = 0;
    data[at] = (uint8_t)-checksum_bytes(data, size);
}

/* Make the checksums of whatever looks like a table good. */
static void
acpi_fuzz_repair_all(uint8_t *data, size_t size)
{
    size_t offset, i;
    uint32_t length;

    for (offset = 36; offset + 36 <= size; offset++) {
        memcpy(&length, data + offset + 4, sizeof(length));
        if (length < 36 || length > size - offset) {
            continue;
        }
        for (i = 0; i < ARRAY_SIZE(acpi_fuzz_signatures); i++) {
            if (memcmp(data + offset, acpi_fuzz_signatures[i], 4) == 0) {
                acpi_fuzz_repair(data + offset, length, 9);
            }
        }
    }
    if (size >= 36) {
        acpi_fuzz_repair(data, 20, 8);
        acpi_fuzz_repair(data, 36, 32);
    }
}

int
fuzz_one(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    acpi_fuzz_try(data, size);
    if (size == 0) {
        return 0;
    }

    copy = malloc(size);
    verify(copy != NULL);
    memcpy(copy, data, size);
    acpi_fuzz_repair_all(copy, size);
    acpi_fuzz_try(copy, size);
    free(copy);
    return 0;
}
