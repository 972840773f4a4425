/* SPDX-License-Identifier: MIT */
/*
 * The contents of the ACPI tables that the kernel uses.
 *
 * One pass over all good tables; each signature has a function, and so has each
 * type of entry of the tables that consist of entries.  An entry that is too
 * short for its type is skipped, one whose length leaves the table, or is too
 * small to get to the next, ends the table.
 */
#include "acpi_parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/string.h>

#include "acpi_fixed.h"
#include "acpi_format.h"

/* Bounds the matrix; its square must fit a table. */
#define ACPI_MAX_LOCALITIES 2048

static_assert(ACPI_MAX_LOCALITIES * ACPI_MAX_LOCALITIES <= ACPI_TABLE_MAX_SIZE,
              "the bound is not in vain");

/* Not an id of any processor: empty slots have it. */
#define ACPI_LAPIC_ID_NONE  UINT8_MAX
#define ACPI_X2APIC_ID_NONE UINT32_MAX

#define ACPI_LAPIC_UID_ALL UINT8_MAX

struct acpi_parser {
    struct acpi_info *info;
    const struct acpi_visitor *visitor;
    const struct acpi_table *table; /* that is being read */
    uint32_t seen;                  /* one bit for each handler */
};

typedef void (*acpi_entry_fn_t)(struct acpi_parser *parser,
                                const uint8_t *entry);

struct acpi_entry_handler {
    uint8_t type;
    uint8_t min_length; /* bytes */
    acpi_entry_fn_t fn;
};

typedef void (*acpi_parse_fn_t)(struct acpi_parser *parser);

struct acpi_table_handler {
    char signature[5];
    uint32_t min_length; /* bytes */
    acpi_parse_fn_t fn;
};

/* Call a callback if there is one. */
#define ACPI_NOTIFY(parser, callback, ...)                                     \
    do {                                                                       \
        const struct acpi_visitor *notify_visitor = (parser)->visitor;         \
        if (notify_visitor->callback != NULL) {                                \
            notify_visitor->callback(notify_visitor->ctx, __VA_ARGS__);        \
        }                                                                      \
    } while (0)

static void
acpi_parse_problem(struct acpi_parser *parser, enum acpi_problem problem,
                   uint64_t value)
{
    parser->info->nr_problems++;
    ACPI_NOTIFY(parser, problem, parser->table->signature, problem, value);
}

static void
acpi_parse_entry(struct acpi_parser *parser,
                 const struct acpi_entry_handler *handlers, size_t nr_handlers,
                 size_t offset)
{
    const uint8_t *data = parser->table->data + offset;
    struct acpi_raw_entry entry;
    size_t i;

    memcpy(&entry, data, sizeof(entry));
    for (i = 0; i < nr_handlers; i++) {
        if (handlers[i].type != entry.type) {
            continue;
        }
        if (entry.length < handlers[i].min_length) {
            acpi_parse_problem(parser, ACPI_PROBLEM_ENTRY_SHORT, offset);
            return;
        }
        handlers[i].fn(parser, data);
        return;
    }
}

static void
acpi_parse_entries(struct acpi_parser *parser,
                   const struct acpi_entry_handler *handlers,
                   size_t nr_handlers, size_t offset)
{
    struct acpi_raw_entry entry;
    size_t left;

    while (offset < parser->table->length) {
        left = parser->table->length - offset;
        if (left < sizeof(entry)) {
            acpi_parse_problem(parser, ACPI_PROBLEM_TAIL, offset);
            return;
        }
        memcpy(&entry, parser->table->data + offset, sizeof(entry));
        if (entry.length < sizeof(entry) || entry.length > left) {
            acpi_parse_problem(parser, ACPI_PROBLEM_ENTRY_LENGTH, offset);
            return;
        }
        acpi_parse_entry(parser, handlers, nr_handlers, offset);
        offset += entry.length;
    }
}

static void
acpi_parse_cpu(struct acpi_parser *parser, uint32_t apic_id, uint32_t uid,
               uint32_t flags)
{
    bool enabled = flags & ACPI_MADT_CPU_ENABLED;

    parser->info->nr_cpus++;
    if (enabled) {
        parser->info->nr_cpus_enabled++;
    }
    ACPI_NOTIFY(parser, cpu, apic_id, uid, enabled,
                flags & ACPI_MADT_CPU_ONLINE_CAPABLE);
}

static void
acpi_parse_lapic(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_lapic raw;

    memcpy(&raw, entry, sizeof(raw));
    if (raw.apic_id != ACPI_LAPIC_ID_NONE) {
        acpi_parse_cpu(parser, raw.apic_id, raw.uid, raw.flags);
    }
}

static void
acpi_parse_x2apic(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_x2apic raw;

    memcpy(&raw, entry, sizeof(raw));
    if (raw.apic_id != ACPI_X2APIC_ID_NONE) {
        acpi_parse_cpu(parser, raw.apic_id, raw.uid, raw.flags);
    }
}

static void
acpi_parse_ioapic(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_ioapic raw;

    memcpy(&raw, entry, sizeof(raw));
    if (raw.phys == 0) {
        acpi_parse_problem(parser, ACPI_PROBLEM_ADDRESS, raw.phys);
        return;
    }
    parser->info->nr_ioapics++;
    ACPI_NOTIFY(parser, ioapic, raw.id, raw.phys, raw.gsi_base);
}

static void
acpi_parse_override(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_override raw;

    memcpy(&raw, entry, sizeof(raw));
    parser->info->nr_overrides++;
    ACPI_NOTIFY(parser, override_, raw.source, raw.gsi, raw.flags);
}

static void
acpi_parse_nmi_source(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_nmi_source raw;

    memcpy(&raw, entry, sizeof(raw));
    parser->info->nr_nmi_sources++;
    ACPI_NOTIFY(parser, nmi_source, raw.gsi, raw.flags);
}

static void
acpi_parse_lapic_nmi(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_lapic_nmi raw;
    uint32_t uid;

    memcpy(&raw, entry, sizeof(raw));
    uid = raw.uid == ACPI_LAPIC_UID_ALL ? ACPI_UID_ALL : raw.uid;
    parser->info->nr_lapic_nmis++;
    ACPI_NOTIFY(parser, lapic_nmi, uid, raw.lint, raw.flags);
}

static void
acpi_parse_x2apic_nmi(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_x2apic_nmi raw;

    memcpy(&raw, entry, sizeof(raw));
    parser->info->nr_lapic_nmis++;
    ACPI_NOTIFY(parser, lapic_nmi, raw.uid, raw.lint, raw.flags);
}

static void
acpi_parse_lapic_address(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_lapic_address raw;

    memcpy(&raw, entry, sizeof(raw));
    if (raw.phys == 0) {
        acpi_parse_problem(parser, ACPI_PROBLEM_ADDRESS, raw.phys);
        return;
    }
    parser->info->local_apic_phys = raw.phys;
}

static const struct acpi_entry_handler acpi_madt_handlers[] = {
    { ACPI_MADT_LAPIC, sizeof(struct acpi_raw_lapic), acpi_parse_lapic },
    { ACPI_MADT_IOAPIC, sizeof(struct acpi_raw_ioapic), acpi_parse_ioapic },
    { ACPI_MADT_OVERRIDE, sizeof(struct acpi_raw_override),
      acpi_parse_override },
    { ACPI_MADT_NMI_SOURCE, sizeof(struct acpi_raw_nmi_source),
      acpi_parse_nmi_source },
    { ACPI_MADT_LAPIC_NMI, sizeof(struct acpi_raw_lapic_nmi),
      acpi_parse_lapic_nmi },
    { ACPI_MADT_LAPIC_ADDRESS, sizeof(struct acpi_raw_lapic_address),
      acpi_parse_lapic_address },
    { ACPI_MADT_X2APIC, sizeof(struct acpi_raw_x2apic), acpi_parse_x2apic },
    { ACPI_MADT_X2APIC_NMI, sizeof(struct acpi_raw_x2apic_nmi),
      acpi_parse_x2apic_nmi },
};

static void
acpi_parse_madt(struct acpi_parser *parser)
{
    struct acpi_raw_madt raw;

    memcpy(&raw, parser->table->data, sizeof(raw));
    parser->info->has_madt = true;
    parser->info->has_pic = raw.flags & ACPI_MADT_PC_COMPATIBLE;
    parser->info->local_apic_phys = raw.local_apic_phys;
    acpi_parse_entries(parser, acpi_madt_handlers,
                       ARRAY_SIZE(acpi_madt_handlers), sizeof(raw));
}

static void
acpi_parse_srat_cpu(struct acpi_parser *parser, uint32_t apic_id,
                    uint32_t domain, uint32_t flags)
{
    if (!(flags & ACPI_SRAT_ENABLED)) {
        return;
    }
    parser->info->nr_srat_cpus++;
    ACPI_NOTIFY(parser, srat_cpu, apic_id, domain);
}

static void
acpi_parse_srat_lapic(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_srat_lapic raw;
    uint32_t domain;

    memcpy(&raw, entry, sizeof(raw));
    domain = raw.domain_low;
    if (parser->table->revision >= 2) {
        domain |= (uint32_t)raw.domain_high[0] << 8 |
                  (uint32_t)raw.domain_high[1] << 16 |
                  (uint32_t)raw.domain_high[2] << 24;
    }
    acpi_parse_srat_cpu(parser, raw.apic_id, domain, raw.flags);
}

static void
acpi_parse_srat_x2apic(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_srat_x2apic raw;

    memcpy(&raw, entry, sizeof(raw));
    acpi_parse_srat_cpu(parser, raw.apic_id, raw.domain, raw.flags);
}

static void
acpi_parse_srat_memory(struct acpi_parser *parser, const uint8_t *entry)
{
    struct acpi_raw_srat_memory raw;
    uint32_t domain;
    uint64_t end;

    memcpy(&raw, entry, sizeof(raw));
    if (!(raw.flags & ACPI_SRAT_ENABLED) || raw.size == 0) {
        return;
    }
    if (__builtin_add_overflow(raw.base, raw.size, &end)) {
        acpi_parse_problem(parser, ACPI_PROBLEM_ADDRESS, raw.base);
        return;
    }

    domain = parser->table->revision >= 2 ? raw.domain : raw.domain & 0xff;
    parser->info->nr_srat_mem++;
    ACPI_NOTIFY(parser, srat_mem, raw.base, raw.size, domain,
                raw.flags & ACPI_SRAT_MEM_HOTPLUG);
}

static const struct acpi_entry_handler acpi_srat_handlers[] = {
    { ACPI_SRAT_LAPIC, sizeof(struct acpi_raw_srat_lapic),
      acpi_parse_srat_lapic },
    { ACPI_SRAT_MEMORY, sizeof(struct acpi_raw_srat_memory),
      acpi_parse_srat_memory },
    { ACPI_SRAT_X2APIC, sizeof(struct acpi_raw_srat_x2apic),
      acpi_parse_srat_x2apic },
};

static void
acpi_parse_srat(struct acpi_parser *parser)
{
    acpi_parse_entries(parser, acpi_srat_handlers,
                       ARRAY_SIZE(acpi_srat_handlers),
                       sizeof(struct acpi_raw_srat));
}

static void
acpi_parse_slit(struct acpi_parser *parser)
{
    const struct acpi_table *table = parser->table;
    struct acpi_raw_slit raw;
    const uint8_t *matrix = table->data + sizeof(raw);
    uint32_t from, to, nr;

    memcpy(&raw, table->data, sizeof(raw));
    if (raw.nr_localities == 0 || raw.nr_localities > ACPI_MAX_LOCALITIES) {
        acpi_parse_problem(parser, ACPI_PROBLEM_LOCALITIES, raw.nr_localities);
        return;
    }

    nr = (uint32_t)raw.nr_localities;
    if (nr * nr > table->length - sizeof(raw)) {
        acpi_parse_problem(parser, ACPI_PROBLEM_LOCALITIES, nr);
        return;
    }

    parser->info->nr_localities = nr;
    for (from = 0; from < nr; from++) {
        for (to = 0; to < nr; to++) {
            ACPI_NOTIFY(parser, distance, from, to, matrix[from * nr + to]);
        }
    }
}

static void
acpi_parse_hpet(struct acpi_parser *parser)
{
    struct acpi_hpet *hpet = &parser->info->hpet;
    struct acpi_raw_hpet raw;

    memcpy(&raw, parser->table->data, sizeof(raw));
    if (raw.base.space != ACPI_SPACE_MEMORY || raw.base.address == 0) {
        acpi_parse_problem(parser, ACPI_PROBLEM_ADDRESS, raw.base.address);
        return;
    }

    hpet->present = true;
    hpet->base.address = raw.base.address;
    hpet->base.space = raw.base.space;
    hpet->base.bit_width = raw.base.bit_width;
    hpet->base.bit_offset = raw.base.bit_offset;
    hpet->base.access = raw.base.access;
    hpet->block_id = raw.block_id;
    hpet->min_tick = raw.min_tick;
    hpet->number = raw.number;
}

static void
acpi_parse_mcfg(struct acpi_parser *parser)
{
    const struct acpi_table *table = parser->table;
    struct acpi_raw_mcfg_entry raw;
    size_t offset;

    for (offset = sizeof(struct acpi_raw_mcfg);
         offset + sizeof(raw) <= table->length; offset += sizeof(raw)) {
        memcpy(&raw, table->data + offset, sizeof(raw));
        if (raw.base == 0 || raw.first_bus > raw.last_bus) {
            acpi_parse_problem(parser, ACPI_PROBLEM_ADDRESS, raw.base);
            continue;
        }
        parser->info->nr_segments++;
        ACPI_NOTIFY(parser, segment, raw.base, raw.segment, raw.first_bus,
                    raw.last_bus);
    }
    if (offset != table->length) {
        acpi_parse_problem(parser, ACPI_PROBLEM_TAIL, offset);
    }
}

static void
acpi_parse_fadt(struct acpi_parser *parser)
{
    acpi_fixed_parse(&parser->info->fixed, parser->table);
}

static void
acpi_parse_dsdt(struct acpi_parser *parser)
{
    if (!acpi_sleep_parse(&parser->info->s5, parser->table)) {
        acpi_parse_problem(parser, ACPI_PROBLEM_NO_SLEEP_TYPE,
                           parser->table->phys);
    }
}

static const struct acpi_table_handler acpi_table_handlers[] = {
    { "APIC", sizeof(struct acpi_raw_madt), acpi_parse_madt },
    { "FACP", sizeof(struct acpi_raw_header), acpi_parse_fadt },
    { "DSDT", sizeof(struct acpi_raw_header), acpi_parse_dsdt },
    { "HPET", sizeof(struct acpi_raw_hpet), acpi_parse_hpet },
    { "SRAT", sizeof(struct acpi_raw_srat), acpi_parse_srat },
    { "SLIT", sizeof(struct acpi_raw_slit), acpi_parse_slit },
    { "MCFG", sizeof(struct acpi_raw_mcfg), acpi_parse_mcfg },
};

static_assert(ARRAY_SIZE(acpi_table_handlers) <= 32, "bits of seen");

static void
acpi_parse_with(struct acpi_parser *parser, size_t index)
{
    const struct acpi_table_handler *handler = &acpi_table_handlers[index];

    if (parser->table->length < handler->min_length) {
        acpi_parse_problem(parser, ACPI_PROBLEM_LENGTH, parser->table->length);
        return;
    }
    if (parser->seen & (1u << index)) {
        acpi_parse_problem(parser, ACPI_PROBLEM_DUPLICATE, parser->table->phys);
        return;
    }
    parser->seen |= 1u << index;
    handler->fn(parser);
}

static void
acpi_parse_table(void *ctx, const struct acpi_table *table)
{
    struct acpi_parser *parser = ctx;
    size_t i;

    parser->table = table;
    if (table->problem != ACPI_PROBLEM_NONE) {
        acpi_parse_problem(parser, table->problem, table->value);
        return;
    }
    for (i = 0; i < ARRAY_SIZE(acpi_table_handlers); i++) {
        if (memcmp(table->signature, acpi_table_handlers[i].signature, 4) ==
            0) {
            acpi_parse_with(parser, i);
            return;
        }
    }
}

void
acpi_parse(const struct acpi_root *root, struct acpi_info *info,
           const struct acpi_visitor *visitor)
{
    static const struct acpi_visitor nobody;
    struct acpi_parser parser = { .info = info, .visitor = visitor };

    if (visitor == NULL) {
        parser.visitor = &nobody;
    }
    memset(info, 0, sizeof(*info));
    acpi_for_each_table(root, acpi_parse_table, &parser);
}
