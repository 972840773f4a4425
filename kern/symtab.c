/* SPDX-License-Identifier: MIT */
/*
 * Decoder of the symbol table; tools/symtab.py describes its layout.
 *
 * Every offset is checked against the part it points into, and strings are
 * returned only if they end inside theirs: a damaged table gives wrong or no
 * names, but no fault.
 */

#include <kern/symtab.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

#define SYMTAB_MAGIC    0x4d595350
#define SYMTAB_NO_LINES 0xffffffff

struct symtab_header {
    uint32_t magic;
    uint32_t nr_symbols;
    uint32_t nr_files;
    uint32_t reserved;
    uint64_t base;
};

struct symtab_symbol {
    uint32_t offset;
    uint32_t name;
    uint32_t lines;
};

static_assert(sizeof(struct symtab_header) == 24, "written by symtab.py");
static_assert(sizeof(struct symtab_symbol) == 12, "written by symtab.py");

/* A row of a line program, and where the next one is read. */
struct symtab_row {
    const uint8_t *next;
    uint64_t delta;
    uint64_t file;
    uint64_t line;
};

extern const struct symtab_header symtab_header;
extern const struct symtab_symbol symtab_symbols[];
extern const uint32_t symtab_files[];
extern const char symtab_strings[];
extern const uint8_t symtab_lines[];
extern const uint8_t symtab_end[];

/* The bytes between two labels; by address, for they are distinct objects. */
static size_t
symtab_distance(const void *start, const void *end)
{
    return (uintptr_t)end - (uintptr_t)start;
}

size_t
symtab_nr_symbols(void)
{
    size_t room;

    if (symtab_header.magic != SYMTAB_MAGIC) {
        return 0;
    }
    room = symtab_distance(symtab_symbols, symtab_files);
    return MIN((size_t)symtab_header.nr_symbols,
               room / sizeof(struct symtab_symbol));
}

static const char *
symtab_string(uint32_t offset)
{
    size_t i, size;

    size = symtab_distance(symtab_strings, symtab_lines);
    for (i = offset; i < size; i++) {
        if (symtab_strings[i] == '\0') {
            return &symtab_strings[offset];
        }
    }
    return NULL;
}

static const char *
symtab_file(uint64_t index)
{
    size_t room;

    room = symtab_distance(symtab_files, symtab_strings) / sizeof(uint32_t);
    if (index >= symtab_header.nr_files || index >= room) {
        return NULL;
    }
    return symtab_string(symtab_files[index]);
}

/* Read a ULEB128 number; false at the end of the table. */
static bool
symtab_read(const uint8_t **nextp, uint64_t *value)
{
    const uint8_t *next;
    unsigned shift;

    *value = 0;
    shift = 0;
    for (next = *nextp; next < symtab_end && shift < 64; next++) {
        *value |= (uint64_t)(*next & 0x7f) << shift;
        if (*next < 0x80) {
            *nextp = next + 1;
            return true;
        }
        shift += 7;
    }
    return false;
}

/* Advance @row by one row; false at the end of the program. */
static bool
symtab_next_row(struct symtab_row *row, bool first)
{
    uint64_t code, zigzag;

    if (!symtab_read(&row->next, &row->delta)) {
        return false;
    }
    if (row->delta == 0 && !first) {
        return false;
    }
    if (!symtab_read(&row->next, &code)) {
        return false;
    }
    zigzag = code >> 1;
    row->line += (zigzag >> 1) ^ -(zigzag & 1);
    return (code & 1) == 0 || symtab_read(&row->next, &row->file);
}

/* Fill in the file and line of @offset bytes into the function. */
static void
symtab_find_line(const struct symtab_symbol *symbol, uint64_t offset,
                 struct symtab_entry *entry)
{
    struct symtab_row row;
    uint64_t at;
    bool first;

    if (symbol->lines >= symtab_distance(symtab_lines, symtab_end)) {
        return;
    }
    row = (struct symtab_row){ .next = &symtab_lines[symbol->lines] };
    at = 0;
    for (first = true; symtab_next_row(&row, first); first = false) {
        at += row.delta;
        if (at > offset) {
            return;
        }
        entry->file = symtab_file(row.file);
        entry->line = entry->file != NULL ? (unsigned)row.line : 0;
    }
}

bool
symtab_lookup(uintptr_t addr, struct symtab_entry *entry)
{
    const struct symtab_symbol *symbol;
    size_t low, high, middle;
    uint64_t offset;

    low = 0;
    high = symtab_nr_symbols();
    offset = addr - symtab_header.base;
    if (high == 0 || addr < symtab_header.base) {
        return false;
    }

    /* The last symbol at or below the address. */
    while (high - low > 1) {
        middle = low + (high - low) / 2;
        if (symtab_symbols[middle].offset <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }

    symbol = &symtab_symbols[low];
    if (symbol->offset > offset) {
        return false;
    }
    *entry = (struct symtab_entry){ .name = symtab_string(symbol->name) };
    if (entry->name == NULL || entry->name[0] == '\0') {
        return false;
    }
    entry->offset = offset - symbol->offset;
    symtab_find_line(symbol, entry->offset, entry);
    return true;
}

const char *
symtab_get(size_t index, uintptr_t *addr)
{
    if (index >= symtab_nr_symbols()) {
        return NULL;
    }
    *addr = symtab_header.base + symtab_symbols[index].offset;
    return symtab_string(symtab_symbols[index].name);
}

static bool
symtab_is_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool
symtab_find(const char *name, uintptr_t *addr)
{
    const char *candidate;
    size_t i, nr_symbols;

    nr_symbols = symtab_nr_symbols();
    for (i = 0; i < nr_symbols; i++) {
        candidate = symtab_get(i, addr);
        if (candidate != NULL && symtab_is_equal(candidate, name)) {
            return true;
        }
    }
    return false;
}
