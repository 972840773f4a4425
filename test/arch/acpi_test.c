/* SPDX-License-Identifier: MIT */
/*
 * The ACPI readers, on tables built here in a small simulated memory.
 */
#include <test/test.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/checksum.h>
#include <lib/macros.h>
#include <lib/status.h>
#include <lib/string.h>

#include "arch/x86/acpi_parse.h"

#define MEMORY_BASE 0x7fe0003 /* tables are not aligned */
#define MEMORY_SIZE 0x4000
#define MAX_CPUS    300
#define MAX_TABLES  8

static uint8_t memory[MEMORY_SIZE];
static size_t memory_used;
static uint64_t listed[MAX_TABLES];
static size_t nr_listed;
static uint8_t rsdp[ACPI_RSDP_SIZE];

/* What the visitor was told, the last of each kind. */
static struct {
    size_t nr_cpus;
    uint32_t apic_ids[MAX_CPUS];
    uint32_t uid;
    bool enabled, online_capable;
    uint64_t ioapic_phys;
    uint32_t ioapic_gsi;
    uint8_t source, lint;
    uint32_t gsi, nmi_uid, nmi_gsi;
    uint16_t flags;
    uint32_t domain;
    uint64_t mem_base, mem_size;
    bool hotplug;
    uint8_t distances[4][4];
    uint64_t segment_base;
    uint8_t last_bus;
    size_t nr_problems;
    char signature[5];
    enum acpi_problem problem;
    uint64_t value;
} told;

static struct acpi_info info;

static const void *
memory_map(void *ctx __unused, uint64_t phys, size_t size)
{
    if (phys < MEMORY_BASE || phys - MEMORY_BASE > memory_used ||
        size > memory_used - (phys - MEMORY_BASE)) {
        return NULL;
    }
    return memory + (phys - MEMORY_BASE);
}

static void
told_cpu(void *ctx __unused, uint32_t apic_id, uint32_t uid, bool enabled,
         bool online_capable)
{
    if (told.nr_cpus < MAX_CPUS) {
        told.apic_ids[told.nr_cpus++] = apic_id;
    }
    told.uid = uid;
    told.enabled = enabled;
    told.online_capable = online_capable;
}

static void
told_ioapic(void *ctx __unused, uint8_t id __unused, uint64_t phys,
            uint32_t gsi_base)
{
    told.ioapic_phys = phys;
    told.ioapic_gsi = gsi_base;
}

static void
told_override(void *ctx __unused, uint8_t source, uint32_t gsi, uint16_t flags)
{
    told.source = source;
    told.gsi = gsi;
    told.flags = flags;
}

static void
told_nmi_source(void *ctx __unused, uint32_t gsi, uint16_t flags)
{
    told.nmi_gsi = gsi;
    told.flags = flags;
}

static void
told_lapic_nmi(void *ctx __unused, uint32_t uid, uint8_t lint, uint16_t flags)
{
    told.nmi_uid = uid;
    told.lint = lint;
    told.flags = flags;
}

static void
told_srat_cpu(void *ctx __unused, uint32_t apic_id, uint32_t domain)
{
    told.apic_ids[0] = apic_id;
    told.domain = domain;
}

static void
told_srat_mem(void *ctx __unused, uint64_t base, uint64_t size, uint32_t domain,
              bool hotplug)
{
    told.mem_base = base;
    told.mem_size = size;
    told.domain = domain;
    told.hotplug = hotplug;
}

static void
told_distance(void *ctx __unused, uint32_t from, uint32_t to, uint8_t distance)
{
    if (from < 4 && to < 4) {
        told.distances[from][to] = distance;
    }
}

static void
told_segment(void *ctx __unused, uint64_t base, uint16_t segment __unused,
             uint8_t first __unused, uint8_t last)
{
    told.segment_base = base;
    told.last_bus = last;
}

static void
told_problem(void *ctx __unused, const char signature[4],
             enum acpi_problem problem, uint64_t value)
{
    told.nr_problems++;
    memcpy(told.signature, signature, 4);
    told.problem = problem;
    told.value = value;
}

static const struct acpi_visitor visitor = {
    .cpu = told_cpu,
    .ioapic = told_ioapic,
    .override_ = told_override,
    .nmi_source = told_nmi_source,
    .lapic_nmi = told_lapic_nmi,
    .srat_cpu = told_srat_cpu,
    .srat_mem = told_srat_mem,
    .distance = told_distance,
    .segment = told_segment,
    .problem = told_problem,
};

static const struct acpi_memory reader = { .map = memory_map };

static void
build_begin(void)
{
    memset(memory, 0, sizeof(memory));
    memory_used = 16;
    nr_listed = 0;
}

/* Make the bytes sum up to 0. */
static void
build_checksum(uint8_t *data, size_t size, size_t at)
{
    data[at] = 0;
    data[at] = (uint8_t)-checksum_bytes(data, size);
}

static uint8_t *
build_data(uint64_t phys)
{
    return memory + (phys - MEMORY_BASE);
}

/* A table that is not listed; @body follows its header. */
static uint64_t
build_hidden(const char *signature, uint8_t revision, const void *body,
             size_t size)
{
    uint8_t *table = memory + memory_used;
    uint64_t phys = MEMORY_BASE + memory_used;
    uint32_t length = (uint32_t)(36 + size);

    memcpy(table, signature, 4);
    memcpy(table + 4, &length, 4);
    table[8] = revision;
    memcpy(table + 10, "OEMID OEMTABLE", 14);
    memcpy(table + 36, body, size);
    build_checksum(table, length, 9);
    memory_used += length + 1;
    return phys;
}

static uint64_t
build_table(const char *signature, uint8_t revision, const void *body,
            size_t size)
{
    uint64_t phys = build_hidden(signature, revision, body, size);

    listed[nr_listed++] = phys;
    return phys;
}

static void
build_rsdp(uint8_t revision, uint64_t rsdt, uint64_t xsdt)
{
    uint32_t length = ACPI_RSDP_SIZE;

    memset(rsdp, 0, sizeof(rsdp));
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = revision;
    memcpy(rsdp + 16, &rsdt, 4);
    memcpy(rsdp + 20, &length, 4);
    memcpy(rsdp + 24, &xsdt, 8);
    build_checksum(rsdp, 20, 8);
    build_checksum(rsdp, 36, 32);
}

/* Read what was built, through an XSDT. */
static status_t
build_parse(void)
{
    struct acpi_root root;
    status_t status;

    build_rsdp(2, 0, build_hidden("XSDT", 1, listed, nr_listed * 8));
    memset(&told, 0, sizeof(told));
    status = acpi_root_parse(&root, &reader, rsdp, sizeof(rsdp), &visitor);
    if (status == OK) {
        acpi_parse(&root, &info, &visitor);
    }
    return status;
}

static void
build_madt(const uint8_t *entries, size_t size)
{
    uint8_t body[8 + 256] = { 0, 0, 0xe0, 0xfe, 1 };

    build_begin();
    memcpy(body + 8, entries, size);
    build_table("APIC", 3, body, 8 + size);
}

TEST(acpi, rsdt_serves_acpi_1)
{
    static const uint8_t madt[8] = { 0, 0, 0xe0, 0xfe, 1 };
    struct acpi_root root;
    uint32_t entry;

    build_begin();
    entry = (uint32_t)build_table("APIC", 1, madt, sizeof(madt));
    build_rsdp(0, build_hidden("RSDT", 1, &entry, 4), UINT64_MAX);

    EXPECT_EQ(acpi_root_parse(&root, &reader, rsdp, 20, NULL), OK);
    EXPECT_EQ(root.entry_size, 4);
    acpi_parse(&root, &info, NULL);
    EXPECT_EQ(info.local_apic_phys, 0xfee00000);
    EXPECT(info.has_pic);
}

TEST(acpi, xsdt_is_preferred)
{
    struct acpi_root root;
    uint64_t xsdt;

    build_begin();
    xsdt = build_hidden("XSDT", 1, "", 0);
    build_rsdp(2, build_hidden("RSDT", 1, "", 0), xsdt);

    EXPECT_EQ(acpi_root_parse(&root, &reader, rsdp, 36, NULL), OK);
    EXPECT_EQ(root.phys, xsdt);
}

TEST(acpi, bad_xsdt_yields_to_the_rsdt)
{
    struct acpi_root root;
    uint64_t xsdt, rsdt;

    build_begin();
    xsdt = build_hidden("XSDT", 1, "", 0);
    rsdt = build_hidden("RSDT", 1, "", 0);
    build_rsdp(2, rsdt, xsdt);
    build_data(xsdt)[20]++;

    memset(&told, 0, sizeof(told));
    EXPECT_EQ(acpi_root_parse(&root, &reader, rsdp, 36, &visitor), OK);
    EXPECT_EQ(root.phys, rsdt);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_CHECKSUM);
    EXPECT_STREQ(told.signature, "XSDT");
}

TEST(acpi, bad_extension_of_the_root_pointer_yields_to_the_rsdt)
{
    struct acpi_root root;
    uint64_t xsdt, rsdt;

    build_begin();
    xsdt = build_hidden("XSDT", 1, "", 0);
    rsdt = build_hidden("RSDT", 1, "", 0);
    build_rsdp(2, rsdt, xsdt);
    rsdp[33]++;

    EXPECT_EQ(acpi_root_parse(&root, &reader, rsdp, 36, NULL), OK);
    EXPECT_EQ(root.phys, rsdt);
}

TEST(acpi, bad_root_pointer_is_refused)
{
    struct acpi_root root;

    build_begin();
    build_rsdp(0, build_hidden("RSDT", 1, "", 0), 0);

    EXPECT_EQ(acpi_root_parse(&root, &reader, rsdp, 19, NULL), ERR_NOT_FOUND);
    rsdp[9]++;
    EXPECT_EQ(acpi_root_parse(&root, &reader, rsdp, 36, NULL), ERR_NOT_FOUND);
    rsdp[9]--;
    rsdp[0] = 'X';
    EXPECT_EQ(acpi_root_parse(&root, &reader, rsdp, 36, NULL), ERR_NOT_FOUND);
}

TEST(acpi, table_with_wrong_checksum_is_ignored)
{
    static const uint8_t lapic[] = { 0, 8, 1, 1, 1, 0, 0, 0 };

    build_madt(lapic, sizeof(lapic));
    build_data(listed[0])[40]++;

    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_cpus, 0);
    EXPECT(!info.has_madt);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_CHECKSUM);
    EXPECT_STREQ(told.signature, "APIC");
}

TEST(acpi, table_with_bad_length_is_ignored)
{
    static const uint32_t lengths[] = { 0, 35, 0x4001, UINT32_MAX };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(lengths); i++) {
        build_madt((const uint8_t *)"", 0);
        memcpy(build_data(listed[0]) + 4, &lengths[i], 4);

        EXPECT_EQ(build_parse(), OK);
        EXPECT(!info.has_madt);
        EXPECT_EQ(told.nr_problems, 1);
    }
}

/* Listing the list itself, another list, nothing, and one table twice. */
TEST(acpi, odd_lists_survive)
{
    static const uint8_t lapic[] = { 0, 8, 1, 1, 1, 0, 0, 0 };

    build_madt(lapic, sizeof(lapic));
    listed[nr_listed++] = listed[0];
    listed[nr_listed++] = 0;
    listed[nr_listed++] = build_hidden("RSDT", 1, "", 0);
    listed[nr_listed++] = UINT64_MAX - 4;
    listed[nr_listed++] = MEMORY_BASE + memory_used; /* the XSDT to be built */

    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_cpus, 1);
    EXPECT_EQ(told.nr_problems, 5);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_CYCLE);
}

TEST(acpi, second_table_of_a_kind_is_ignored)
{
    static const uint8_t lapic[] = { 0, 8, 1, 1, 1, 0, 0, 0 };
    static const uint8_t other[8];

    build_madt(lapic, sizeof(lapic));
    build_table("APIC", 1, other, sizeof(other));

    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_cpus, 1);
    EXPECT_EQ(info.local_apic_phys, 0xfee00000);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_DUPLICATE);
}

TEST(acpi, madt_lists_cpus_of_both_kinds)
{
    static const uint8_t entries[] = {
        0, 8,  7, 3,   1, 0, 0, 0, /* enabled */
        0, 8,  8, 4,   2, 0, 0, 0, /* can come online */
        0, 8,  9, 255, 0, 0, 0, 0, /* empty slot */
        9, 16, 0, 0,   0, 1, 0, 0, 1, 0, 0, 0, 44, 1, 0, 0, /* x2APIC */
    };

    build_madt(entries, sizeof(entries));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_cpus, 3);
    EXPECT_EQ(info.nr_cpus_enabled, 2);
    EXPECT_EQ(told.nr_cpus, 3);
    EXPECT_EQ(told.apic_ids[0], 3);
    EXPECT_EQ(told.apic_ids[1], 4);
    EXPECT_EQ(told.apic_ids[2], 256);
    EXPECT_EQ(told.uid, 300);
    EXPECT(told.enabled);
    EXPECT(!told.online_capable);
    EXPECT_EQ(told.nr_problems, 0);
}

TEST(acpi, madt_describes_interrupts)
{
    static const uint8_t entries[] = {
        1, 12, 2,   0, 0, 0, 0xc0, 0xfe, 24,  0, 0, 0, /* IOAPIC */
        2, 10, 0,   9, 2, 0, 0,    0,    0xd, 0,       /* override */
        4, 6,  255, 5, 0, 1,                           /* NMI of all LAPICs */
    };

    build_madt(entries, sizeof(entries));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_ioapics, 1);
    EXPECT_EQ(told.ioapic_phys, 0xfec00000);
    EXPECT_EQ(told.ioapic_gsi, 24);
    EXPECT_EQ(told.source, 9);
    EXPECT_EQ(told.gsi, 2);
    EXPECT_EQ(told.nmi_uid, ACPI_UID_ALL);
    EXPECT_EQ(told.lint, 1);
    EXPECT_EQ(told.flags, 5);
}

TEST(acpi, madt_describes_large_machines)
{
    static const uint8_t entries[] = {
        5,  12, 0, 0, 0,   0,   0xe0, 0xfe, 1, 0, 0, 0, /* LAPIC address */
        3,  8,  5, 0, 23,  0,   0,    0,                /* NMI source */
        10, 12, 5, 0, 255, 255, 255,  255,  1, 0, 0, 0, /* x2APIC NMI */
    };

    build_madt(entries, sizeof(entries));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.local_apic_phys, 0x1fee00000);
    EXPECT_EQ(info.nr_nmi_sources, 1);
    EXPECT_EQ(told.nmi_gsi, 23);
    EXPECT_EQ(info.nr_lapic_nmis, 1);
    EXPECT_EQ(told.nmi_uid, ACPI_UID_ALL);
}

TEST(acpi, madt_entry_of_length_zero_ends_it)
{
    static const uint8_t entries[] = {
        0, 8, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 1, 0, 0, 0,
    };

    build_madt(entries, sizeof(entries));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_cpus, 1);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_ENTRY_LENGTH);
    EXPECT_EQ(told.value, 44 + 8);
}

TEST(acpi, madt_entry_too_short_for_its_type_is_skipped)
{
    static const uint8_t entries[] = {
        0, 4, 1, 1, 0x7f, 6, 9, 9, 9, 9, 0, 8, 2, 2, 1, 0, 0, 0,
    };

    build_madt(entries, sizeof(entries));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_cpus, 1);
    EXPECT_EQ(told.apic_ids[0], 2);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_ENTRY_SHORT);
}

TEST(acpi, madt_entry_that_leaves_the_table_is_ignored)
{
    static const uint8_t entries[] = { 0, 8, 1, 1, 1, 0, 0 };

    build_madt(entries, sizeof(entries));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_cpus, 0);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_ENTRY_LENGTH);
}

/* A FADT body without its header: offsets of the specification less 36. */
static uint8_t fadt[276 - 36];

static void
fadt_put(size_t offset, uint64_t value, size_t size)
{
    memcpy(fadt + (offset - 36), &value, size);
}

static void
fadt_begin(void)
{
    build_begin();
    memset(fadt, 0, sizeof(fadt));
    fadt_put(46, 9, 2);       /* SCI */
    fadt_put(64, 0x604, 4);   /* PM1a control */
    fadt_put(76, 0x608, 4);   /* PM timer */
    fadt_put(89, 2, 1);       /* bytes of PM1 control */
    fadt_put(91, 4, 1);       /* bytes of the PM timer */
    fadt_put(109, 2, 2);      /* i8042 */
    fadt_put(112, 0x580, 4);  /* reset register, 32-bit timer */
    fadt_put(116, 0x0801, 4); /* I/O, 8 bits */
    fadt_put(120, 0xcf9, 8);
    fadt_put(128, 0xf, 1);
}

TEST(acpi, fadt_of_acpi_1_ends_early)
{
    fadt_begin();
    build_table("FACP", 1, fadt, 116 - 36);

    EXPECT_EQ(build_parse(), OK);
    EXPECT(info.fixed.present);
    EXPECT_EQ(info.fixed.sci, 9);
    EXPECT_EQ(info.fixed.pm_timer.address, 0x608);
    EXPECT_EQ(info.fixed.pm_timer.space, ACPI_SPACE_IO);
    EXPECT_EQ(info.fixed.pm1a_control.address, 0x604);
    EXPECT_EQ(info.fixed.pm1a_control.bit_width, 16);
    EXPECT_EQ(info.fixed.reset.address, 0);
    EXPECT(!info.fixed.has_boot_arch);
    EXPECT(info.fixed.has_i8042);
}

TEST(acpi, fadt_of_acpi_2_resets)
{
    fadt_begin();
    fadt_put(208, 0x2001, 4);
    fadt_put(212, 0xb008, 8);
    fadt_put(109, 4, 2);
    build_table("FACP", 3, fadt, 244 - 36);

    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.fixed.reset.address, 0xcf9);
    EXPECT_EQ(info.fixed.reset_value, 0xf);
    EXPECT_EQ(info.fixed.pm_timer.address, 0xb008);
    EXPECT_EQ(info.fixed.pm_timer.bit_width, 32);
    EXPECT(info.fixed.has_boot_arch);
    EXPECT(!info.fixed.has_i8042);
    EXPECT(!info.fixed.has_vga);
}

TEST(acpi, fadt_with_reduced_hardware_has_no_timer)
{
    fadt_begin();
    fadt_put(112, 1u << 20 | 1u << 10, 4);
    fadt_put(244, 0x0800, 4);
    fadt_put(248, 0xfea00000, 8);
    build_table("FACP", 5, fadt, 268 - 36);

    EXPECT_EQ(build_parse(), OK);
    EXPECT(info.fixed.hw_reduced);
    EXPECT_EQ(info.fixed.pm_timer.address, 0);
    EXPECT_EQ(info.fixed.pm1a_control.address, 0);
    EXPECT_EQ(info.fixed.sleep_control.address, 0xfea00000);
}

TEST(acpi, fadt_of_any_length_survives)
{
    size_t size;

    for (size = 0; size <= sizeof(fadt); size++) {
        fadt_begin();
        build_table("FACP", 6, fadt, size);

        EXPECT_EQ(build_parse(), OK);
        EXPECT(info.fixed.present);
        EXPECT_EQ(info.fixed.reset_value, size + 36 >= 129 ? 0xf : 0);
        EXPECT_EQ(info.fixed.sci, size + 36 >= 48 ? 9 : 0);
    }
}

/* Put a DSDT behind a FADT. */
static void
build_dsdt(const void *aml, size_t size)
{
    fadt_begin();
    fadt_put(40, build_hidden("DSDT", 1, aml, size), 4);
    build_table("FACP", 3, fadt, 244 - 36);
}

TEST(acpi, sleep_type_is_found)
{
    static const uint8_t aml[] = { 'x',  '_',  'S', '5', '_', /* a use */
                                   0x08, '_',  'S', '5', '_', 0x12, 0x07,
                                   4,    0x0a, 5,   1,   0,   0 };

    build_dsdt(aml, sizeof(aml));
    EXPECT_EQ(build_parse(), OK);
    EXPECT(info.s5.present);
    EXPECT_EQ(info.s5.type_a, 5);
    EXPECT_EQ(info.s5.type_b, 1);
    EXPECT_EQ(told.nr_problems, 0);
}

TEST(acpi, sleep_type_with_root_prefix_and_long_length)
{
    static const uint8_t aml[] = { 0x08, '\\', '_', 'S',  '5', '_',  0x12,
                                   0x47, 0x00, 2,   0x0a, 7,   0x0a, 6 };

    build_dsdt(aml, sizeof(aml));
    EXPECT_EQ(build_parse(), OK);
    EXPECT(info.s5.present);
    EXPECT_EQ(info.s5.type_a, 7);
    EXPECT_EQ(info.s5.type_b, 6);
}

TEST(acpi, bad_sleep_types_are_refused)
{
    static const uint8_t bad[][9] = {
        { 0x12, 0x06, 4, 0x0a, 8, 0 },       /* 8 has 4 bits */
        { 0x12, 0x3f, 4, 0x0a, 5, 0 },       /* leaves the table */
        { 0x12, 0x00, 4, 0x0a, 5, 0 },       /* ends before it begins */
        { 0x12, 0x03, 4, 0x0a, 5, 0 },       /* ends inside the integer */
        { 0x12, 0x06, 0, 0x0a, 5, 0 },       /* no elements */
        { 0x12, 0x06, 4, 'X', 'Y', 'Z' },    /* a name */
        { 0x0a, 0x05 },                      /* no package */
        { 0x12, 0xff, 0xff, 0xff, 0xff, 4 }, /* 256 MiB */
    };
    uint8_t aml[5 + sizeof(bad[0])] = { 0x08, '_', 'S', '5', '_' };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        memcpy(aml + 5, bad[i], sizeof(bad[i]));
        build_dsdt(aml, sizeof(aml));
        EXPECT_EQ(build_parse(), OK);
        EXPECT(!info.s5.present);
        EXPECT_EQ(told.problem, ACPI_PROBLEM_NO_SLEEP_TYPE);
    }
}

TEST(acpi, truncated_sleep_types_survive)
{
    static const uint8_t aml[] = { 0x08, '_',  'S', '5',  '_', 0x12, 0x07,
                                   4,    0x0a, 5,   0x0a, 5,   0 };
    size_t size;

    for (size = 0; size < sizeof(aml); size++) {
        build_dsdt(aml, size);
        EXPECT_EQ(build_parse(), OK);
        EXPECT(!info.s5.present);
    }
}

TEST(acpi, hpet_is_read)
{
    static const uint8_t body[20] = { 1, 0xa2, 0x86, 0x80, 0, 64, 0, 0, 0,
                                      0, 0xd0, 0xfe, 0,    0, 0,  0, 0, 100 };

    build_begin();
    build_table("HPET", 1, body, sizeof(body));
    EXPECT_EQ(build_parse(), OK);
    EXPECT(info.hpet.present);
    EXPECT_EQ(info.hpet.base.address, 0xfed00000);
    EXPECT_EQ(info.hpet.min_tick, 100);
}

TEST(acpi, short_hpet_is_ignored)
{
    static const uint8_t body[19];

    build_begin();
    build_table("HPET", 1, body, sizeof(body));
    EXPECT_EQ(build_parse(), OK);
    EXPECT(!info.hpet.present);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_LENGTH);
}

static void
build_srat(uint8_t revision, const void *entry, size_t size)
{
    uint8_t body[12 + 64] = { 1 };

    build_begin();
    memcpy(body + 12, entry, size);
    build_table("SRAT", revision, body, 12 + size);
}

TEST(acpi, srat_domain_has_8_bits_in_revision_1)
{
    static const uint8_t entry[16] = { 0, 16, 3, 9, 1, 0, 0, 0, 0, 1 };

    build_srat(1, entry, sizeof(entry));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(told.apic_ids[0], 9);
    EXPECT_EQ(told.domain, 3);

    build_srat(3, entry, sizeof(entry));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(told.domain, 0x103);
}

TEST(acpi, srat_places_x2apics)
{
    static const uint8_t entry[24] = { 2, 24, 0, 0, 5, 0, 0, 0, 0, 1, 0, 0, 1 };

    build_srat(3, entry, sizeof(entry));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_srat_cpus, 1);
    EXPECT_EQ(told.apic_ids[0], 256);
    EXPECT_EQ(told.domain, 5);
}

static void
build_srat_memory(uint64_t base, uint64_t size, uint32_t flags)
{
    uint8_t entry[40] = { 1, 40, 2 };

    memcpy(entry + 8, &base, 8);
    memcpy(entry + 16, &size, 8);
    memcpy(entry + 28, &flags, 4);
    build_srat(3, entry, sizeof(entry));
}

TEST(acpi, srat_places_memory)
{
    build_srat_memory(0x100000000, 0x20000000, 3);
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_srat_mem, 1);
    EXPECT_EQ(told.mem_base, 0x100000000);
    EXPECT_EQ(told.mem_size, 0x20000000);
    EXPECT_EQ(told.domain, 2);
    EXPECT(told.hotplug);
}

TEST(acpi, srat_memory_of_no_use_is_skipped)
{
    build_srat_memory(0x1000, 0, 1);
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_srat_mem, 0);

    build_srat_memory(0x1000, 0x1000, 0);
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_srat_mem, 0);
    EXPECT_EQ(told.nr_problems, 0);

    build_srat_memory(0x1000, UINT64_MAX, 1);
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_srat_mem, 0);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_ADDRESS);
}

TEST(acpi, slit_is_a_matrix)
{
    static const uint8_t body[12] = { 2, 0, 0, 0, 0, 0, 0, 0, 10, 20, 21, 10 };

    build_begin();
    build_table("SLIT", 1, body, sizeof(body));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_localities, 2);
    EXPECT_EQ(told.distances[0][0], 10);
    EXPECT_EQ(told.distances[0][1], 20);
    EXPECT_EQ(told.distances[1][0], 21);
}

/* The square of the last one is 0 in 64 bits. */
TEST(acpi, slit_larger_than_its_table_is_ignored)
{
    static const uint64_t counts[] = { 0, 3, 65536, 1ULL << 32 };
    uint64_t body[2] = { 0, 0 };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(counts); i++) {
        build_begin();
        body[0] = counts[i];
        build_table("SLIT", 1, body, sizeof(body));
        EXPECT_EQ(build_parse(), OK);
        EXPECT_EQ(info.nr_localities, 0);
        EXPECT_EQ(told.problem, ACPI_PROBLEM_LOCALITIES);
    }
}

TEST(acpi, mcfg_lists_segments)
{
    static const uint8_t body[24] = { 0, 0,    0, 0, 0, 0, 0, 0, 0, 0,
                                      0, 0xb0, 0, 0, 0, 0, 0, 0, 0, 255 };

    build_begin();
    build_table("MCFG", 1, body, sizeof(body));
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_segments, 1);
    EXPECT_EQ(told.segment_base, 0xb0000000);
    EXPECT_EQ(told.last_bus, 255);

    build_begin();
    build_table("MCFG", 1, body, sizeof(body) - 1);
    EXPECT_EQ(build_parse(), OK);
    EXPECT_EQ(info.nr_segments, 0);
    EXPECT_EQ(told.problem, ACPI_PROBLEM_TAIL);
}

struct visit {
    size_t nr, nr_bad;
    char last[5];
    char oem_id[7];
};

static void
visit_table(void *ctx, const struct acpi_table *table)
{
    struct visit *visit = ctx;

    visit->nr++;
    visit->nr_bad += table->problem != ACPI_PROBLEM_NONE;
    memcpy(visit->last, table->signature, sizeof(visit->last));
    memcpy(visit->oem_id, table->oem_id, sizeof(visit->oem_id));
}

TEST(acpi, tables_are_listed_good_and_bad)
{
    static const uint8_t aml[4];
    struct visit visit = { 0 };
    struct acpi_table table;
    struct acpi_root root;

    build_dsdt(aml, sizeof(aml));
    build_table("WAET", 1, "", 0);
    build_data(listed[1])[15]++;
    build_rsdp(2, 0, build_hidden("XSDT", 1, listed, nr_listed * 8));
    EXPECT_EQ(acpi_root_parse(&root, &reader, rsdp, 36, NULL), OK);

    acpi_for_each_table(&root, visit_table, &visit);
    EXPECT_EQ(visit.nr, 4); /* XSDT, FACP, WAET, DSDT */
    EXPECT_EQ(visit.nr_bad, 1);
    EXPECT_STREQ(visit.last, "DSDT");
    EXPECT_STREQ(visit.oem_id, "OEMID ");
    EXPECT(acpi_table_find(&root, "FACP", &table));
    EXPECT_EQ(table.revision, 3);
    EXPECT(!acpi_table_find(&root, "WAET", &table));
}

/* The first MiB, for the search: map it onto the simulated memory. */
static const void *
low_memory_map(void *ctx, uint64_t phys, size_t size)
{
    uint64_t base = *(const uint64_t *)ctx;

    if (phys < base || phys + size > base + sizeof(memory)) {
        return NULL;
    }
    return memory + (phys - base);
}

TEST(acpi, root_pointer_is_found_in_the_extended_bios_data)
{
    uint64_t base = 0x400;
    struct acpi_memory low = { .map = low_memory_map, .ctx = &base };
    uint8_t found[ACPI_RSDP_SIZE] = { 0 };

    build_begin();
    build_rsdp(0, 0x1234, 0);
    memory[0x40e - 0x400] = 0x80; /* segment 0x80: at 0x800 */
    memcpy(memory + 0x400 + 0x20, rsdp, sizeof(rsdp));

    EXPECT_EQ(acpi_rsdp_find(&low, found), 0x820);
    EXPECT_EQ(found[16], 0x34);
    memory[0x420 + 9]++;
    EXPECT_EQ(acpi_rsdp_find(&low, found), 0);
}
