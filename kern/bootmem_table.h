/* SPDX-License-Identifier: MIT */
/*
 * Sets of physical ranges, and the search for free space between them: the
 * part of bootmem that touches no memory but its own.
 *
 * Invariant: ranges are sorted, not empty and do not overlap; neighbours that
 * touch have different names.  The caller serialises all access.
 */
#ifndef KERN_BOOTMEM_TABLE_H
#define KERN_BOOTMEM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/types.h>

#define BOOTMEM_TABLE_CAPACITY 512

/* Physical range [base, end), bytes. */
struct bootmem_range {
    paddr_t base;
    paddr_t end;
    const char *name; /* constant string */
};

/*
 * Keys: [O] whoever owns the table
 */
struct bootmem_table {
    struct bootmem_range ranges[BOOTMEM_TABLE_CAPACITY]; /* [O] */
    size_t nr_ranges;                                    /* [O] */
};

/* What bootmem_table_find_space() looks for, bytes. */
struct bootmem_wish {
    uint64_t size;  /* not 0 */
    uint64_t align; /* a power of two */
    paddr_t base;   /* lowest address allowed */
    paddr_t limit;  /* end of the addresses allowed */
};

/*
 * Add the parts of [base, end) that are not in the table yet.
 *
 * @name  constant string; a range that touches one of the same name joins it
 *
 * Returns: false, the table is full and a part may be missing
 */
bool bootmem_table_add(struct bootmem_table *table, paddr_t base, paddr_t end,
                       const char *name);

/*
 * The lowest range that ends above @addr.
 *
 * Returns: NULL when there is none
 */
const struct bootmem_range *
bootmem_table_find(const struct bootmem_table *table, paddr_t addr);

/*
 * The highest space within a range of @ram that no range of @used overlaps.
 *
 * Returns: its address, PADDR_NONE when there is none
 */
paddr_t bootmem_table_find_space(const struct bootmem_table *ram,
                                 const struct bootmem_table *used,
                                 const struct bootmem_wish *wish);

/*
 * The lowest part of @ram at or above @addr that no range of @used overlaps.
 *
 * @range  receives it, clipped to start at @addr at least
 *
 * Returns: false when there is none
 */
bool bootmem_table_next_free(const struct bootmem_table *ram,
                             const struct bootmem_table *used, paddr_t addr,
                             struct bootmem_range *range);

#endif /* KERN_BOOTMEM_TABLE_H */
