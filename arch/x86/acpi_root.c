/* SPDX-License-Identifier: MIT */
/*
 * Finding ACPI tables: the root pointer, the list that it points to, and the
 * tables listed.
 *
 * Lists are never followed recursively, so cycles cannot trap the kernel; they
 * are reported nevertheless.  An address that is listed again is not read
 * again.  Both numbers and lengths are bounded, hence so is the time spent.
 *
 * Source: ACPI Specification 6.5, "ACPI System Description Tables".
 */
#include "acpi_parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/checksum.h>
#include <lib/macros.h>
#include <lib/status.h>
#include <lib/string.h>

#include "acpi_fixed.h"
#include "acpi_format.h"

static_assert(ACPI_RSDP_SIZE == sizeof(struct acpi_raw_rsdp), "same thing");

/* Source: ACPI Specification, "Finding the RSDP on IA-PC Systems". */
#define ACPI_EBDA_SEGMENT_PHYS 0x40e
#define ACPI_EBDA_SIZE         1024
#define ACPI_BIOS_PHYS         0xe0000
#define ACPI_BIOS_SIZE         0x20000
#define ACPI_RSDP_ALIGN        16

#define ACPI_PROBLEM_TEXT(problem, text) text,

static const char *const acpi_problem_texts[] = {
    ACPI_PROBLEMS(ACPI_PROBLEM_TEXT) /* no comma */
};

static_assert(ARRAY_SIZE(acpi_problem_texts) == ACPI_NR_PROBLEMS,
              "one list makes both");

const char *
acpi_problem_string(enum acpi_problem problem)
{
    if ((unsigned int)problem >= ARRAY_SIZE(acpi_problem_texts)) {
        return "unknown problem:";
    }
    return acpi_problem_texts[problem];
}

static void
acpi_root_problem(const struct acpi_visitor *visitor, const char *signature,
                  enum acpi_problem problem, uint64_t value)
{
    if (visitor != NULL && visitor->problem != NULL) {
        visitor->problem(visitor->ctx, signature, problem, value);
    }
}

static const void *
acpi_memory_map(const struct acpi_memory *memory, uint64_t phys, size_t size)
{
    uint64_t end;

    if (phys == 0 || __builtin_add_overflow(phys, size, &end)) {
        return NULL;
    }
    return memory->map(memory->ctx, phys, size);
}

/* Copy text of fixed size from a table, fit to be printed. */
static void
acpi_copy_text(char *dst, const char *src, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        dst[i] = src[i] >= ' ' && src[i] <= '~' ? src[i] : '?';
    }
    dst[size] = '\0';
}

static void
acpi_table_fail(struct acpi_table *table, enum acpi_problem problem,
                uint64_t value)
{
    table->data = NULL;
    table->problem = problem;
    table->value = value;
}

/* Read and verify whatever table is at that address. */
static void
acpi_table_read(const struct acpi_memory *memory, uint64_t phys,
                struct acpi_table *table)
{
    struct acpi_raw_header header;
    const void *data;

    memset(table, 0, sizeof(*table));
    table->phys = phys;

    data = acpi_memory_map(memory, phys, sizeof(header));
    if (data == NULL) {
        acpi_table_fail(table, ACPI_PROBLEM_UNREADABLE, phys);
        return;
    }

    memcpy(&header, data, sizeof(header));
    table->length = header.length;
    table->revision = header.revision;
    acpi_copy_text(table->signature, header.signature, 4);
    acpi_copy_text(table->oem_id, header.oem_id, 6);
    acpi_copy_text(table->oem_table_id, header.oem_table_id, 8);
    if (header.length < sizeof(header) || header.length > ACPI_TABLE_MAX_SIZE) {
        acpi_table_fail(table, ACPI_PROBLEM_LENGTH, header.length);
        return;
    }

    table->data = acpi_memory_map(memory, phys, header.length);
    if (table->data == NULL) {
        acpi_table_fail(table, ACPI_PROBLEM_UNREADABLE, phys);
        return;
    }
    if (checksum_bytes(table->data, header.length) != 0) {
        acpi_table_fail(table, ACPI_PROBLEM_CHECKSUM, phys);
    }
}

static bool
acpi_table_is_signature(const struct acpi_table *table, const char *signature)
{
    return memcmp(table->signature, signature, 4) == 0;
}

static bool
acpi_table_is_list(const struct acpi_table *table)
{
    return acpi_table_is_signature(table, "XSDT") ||
           acpi_table_is_signature(table, "RSDT");
}

/* Of a list of tables that is good. */
static size_t
acpi_list_nr_entries(const struct acpi_root *root,
                     const struct acpi_table *list)
{
    size_t nr = list->length - sizeof(struct acpi_raw_header);

    return MIN(nr / root->entry_size, (size_t)ACPI_TABLE_MAX_NUMBER);
}

static uint64_t
acpi_list_entry(const struct acpi_root *root, const struct acpi_table *list,
                size_t index)
{
    uint64_t phys = 0;

    memcpy(&phys,
           list->data + sizeof(struct acpi_raw_header) +
               index * root->entry_size,
           root->entry_size);
    return phys;
}

/* Read the table of an entry, unless an earlier entry was the same. */
static void
acpi_list_read(const struct acpi_root *root, const struct acpi_table *list,
               size_t index, struct acpi_table *table)
{
    uint64_t phys = acpi_list_entry(root, list, index);
    size_t i;

    memset(table, 0, sizeof(*table));
    memcpy(table->signature, "????", 4);
    table->phys = phys;
    if (phys == 0) {
        acpi_table_fail(table, ACPI_PROBLEM_NULL_ENTRY, index);
        return;
    }
    if (phys == root->phys) {
        memcpy(table->signature, list->signature, 4);
        acpi_table_fail(table, ACPI_PROBLEM_CYCLE, phys);
        return;
    }
    for (i = 0; i < index; i++) {
        if (acpi_list_entry(root, list, i) == phys) {
            acpi_table_fail(table, ACPI_PROBLEM_DUPLICATE, phys);
            return;
        }
    }

    acpi_table_read(&root->memory, phys, table);
    if (acpi_table_is_list(table)) {
        acpi_table_fail(table, ACPI_PROBLEM_CYCLE, phys);
    }
}

void
acpi_for_each_table(const struct acpi_root *root, acpi_table_fn_t fn, void *ctx)
{
    struct acpi_table list, table;
    uint64_t dsdt_phys = 0;
    size_t i, nr_entries;

    acpi_table_read(&root->memory, root->phys, &list);
    fn(ctx, &list);
    if (list.problem != ACPI_PROBLEM_NONE) {
        return;
    }

    nr_entries = acpi_list_nr_entries(root, &list);
    for (i = 0; i < nr_entries; i++) {
        acpi_list_read(root, &list, i, &table);
        if (dsdt_phys == 0 && table.problem == ACPI_PROBLEM_NONE &&
            acpi_table_is_signature(&table, "FACP")) {
            dsdt_phys = acpi_fixed_dsdt(&table);
        }
        fn(ctx, &table);
    }
    if (dsdt_phys == 0) {
        return;
    }

    acpi_table_read(&root->memory, dsdt_phys, &table);
    if (table.problem == ACPI_PROBLEM_NONE &&
        !acpi_table_is_signature(&table, "DSDT")) {
        acpi_table_fail(&table, ACPI_PROBLEM_SIGNATURE, dsdt_phys);
    }
    fn(ctx, &table);
}

struct acpi_search {
    const char *signature;
    struct acpi_table *table;
    bool found;
};

static void
acpi_search_visit(void *ctx, const struct acpi_table *table)
{
    struct acpi_search *search = ctx;

    if (search->found || table->problem != ACPI_PROBLEM_NONE ||
        !acpi_table_is_signature(table, search->signature)) {
        return;
    }
    *search->table = *table;
    search->found = true;
}

bool
acpi_table_find(const struct acpi_root *root, const char *signature,
                struct acpi_table *table)
{
    struct acpi_search search = { .signature = signature, .table = table };

    acpi_for_each_table(root, acpi_search_visit, &search);
    return search.found;
}

/* Take a list of tables as the root if it is good. */
static bool
acpi_root_try_list(struct acpi_root *root, uint64_t phys, const char *signature,
                   const struct acpi_visitor *visitor)
{
    struct acpi_table list;
    size_t size;

    acpi_table_read(&root->memory, phys, &list);
    if (list.problem == ACPI_PROBLEM_NONE &&
        !acpi_table_is_signature(&list, signature)) {
        acpi_table_fail(&list, ACPI_PROBLEM_SIGNATURE, phys);
    }
    if (list.problem != ACPI_PROBLEM_NONE) {
        acpi_root_problem(visitor, signature, list.problem, list.value);
        return false;
    }

    root->phys = phys;
    root->entry_size = signature[0] == 'X' ? 8 : 4;
    size = list.length - sizeof(struct acpi_raw_header);
    if (size / root->entry_size > ACPI_TABLE_MAX_NUMBER) {
        acpi_root_problem(visitor, signature, ACPI_PROBLEM_TOO_MANY,
                          size / root->entry_size);
    }
    if (size % root->entry_size != 0) {
        acpi_root_problem(visitor, signature, ACPI_PROBLEM_TAIL, list.length);
    }
    return true;
}

/*
 * Check the part of the root pointer that is new in ACPI 2.0.
 *
 * Returns: true, it is there and good
 */
static bool
acpi_rsdp_is_extended(const struct acpi_raw_rsdp *rsdp, const void *data,
                      size_t size, const struct acpi_visitor *visitor)
{
    /* A copy may be of the old part only: not an error, the RSDT serves. */
    if (rsdp->revision < 2 || size < sizeof(*rsdp)) {
        return false;
    }
    if (rsdp->length < sizeof(*rsdp) || rsdp->length > size) {
        acpi_root_problem(visitor, "RSDP", ACPI_PROBLEM_LENGTH, rsdp->length);
        return false;
    }
    if (checksum_bytes(data, rsdp->length) != 0) {
        acpi_root_problem(visitor, "RSDP", ACPI_PROBLEM_CHECKSUM,
                          offsetof(struct acpi_raw_rsdp, extended_checksum));
        return false;
    }
    return rsdp->xsdt_phys != 0;
}

/* Returns: true, the part of ACPI 1.0 is good. */
static bool
acpi_rsdp_is_good(const void *rsdp, size_t size,
                  const struct acpi_visitor *visitor)
{
    if (size < ACPI_RSDP_OLD_SIZE) {
        acpi_root_problem(visitor, "RSDP", ACPI_PROBLEM_LENGTH, size);
        return false;
    }
    if (memcmp(rsdp, "RSD PTR ", 8) != 0) {
        acpi_root_problem(visitor, "RSDP", ACPI_PROBLEM_SIGNATURE, 0);
        return false;
    }
    if (checksum_bytes(rsdp, ACPI_RSDP_OLD_SIZE) != 0) {
        acpi_root_problem(visitor, "RSDP", ACPI_PROBLEM_CHECKSUM,
                          offsetof(struct acpi_raw_rsdp, checksum));
        return false;
    }
    return true;
}

status_t
acpi_root_parse(struct acpi_root *root, const struct acpi_memory *memory,
                const void *rsdp, size_t rsdp_size,
                const struct acpi_visitor *visitor)
{
    struct acpi_raw_rsdp raw = { 0 };

    assert(memory->map != NULL);

    memset(root, 0, sizeof(*root));
    root->memory = *memory;
    if (!acpi_rsdp_is_good(rsdp, rsdp_size, visitor)) {
        return ERR_NOT_FOUND;
    }

    memcpy(&raw, rsdp, MIN(rsdp_size, sizeof(raw)));
    root->revision = raw.revision;
    if (acpi_rsdp_is_extended(&raw, rsdp, rsdp_size, visitor) &&
        acpi_root_try_list(root, raw.xsdt_phys, "XSDT", visitor)) {
        return OK;
    }
    if (acpi_root_try_list(root, raw.rsdt_phys, "RSDT", visitor)) {
        return OK;
    }
    return ERR_NOT_FOUND;
}

static uint64_t
acpi_rsdp_scan(const struct acpi_memory *memory, uint64_t phys, size_t size,
               uint8_t *rsdp)
{
    const uint8_t *data = acpi_memory_map(memory, phys, size);
    size_t offset;

    if (data == NULL) {
        return 0;
    }
    for (offset = 0; size - offset >= ACPI_RSDP_SIZE;
         offset += ACPI_RSDP_ALIGN) {
        if (acpi_rsdp_is_good(data + offset, ACPI_RSDP_OLD_SIZE, NULL)) {
            memcpy(rsdp, data + offset, ACPI_RSDP_SIZE);
            return phys + offset;
        }
    }
    return 0;
}

uint64_t
acpi_rsdp_find(const struct acpi_memory *memory, uint8_t *rsdp)
{
    const void *data = acpi_memory_map(memory, ACPI_EBDA_SEGMENT_PHYS, 2);
    uint16_t segment = 0;
    uint64_t phys = 0;

    if (data != NULL) {
        memcpy(&segment, data, sizeof(segment));
    }
    if (segment != 0) {
        phys = acpi_rsdp_scan(memory, (uint64_t)segment << 4, ACPI_EBDA_SIZE,
                              rsdp);
    }
    if (phys == 0) {
        phys = acpi_rsdp_scan(memory, ACPI_BIOS_PHYS, ACPI_BIOS_SIZE, rsdp);
    }
    return phys;
}
