/* SPDX-License-Identifier: MIT */
/*
 * Names and source lines of the kernel's own addresses.
 *
 * The table is made by tools/symtab.py, whose first comment describes it, and
 * lies read-only in the image.  Nothing here locks, allocates or trusts the
 * table's offsets, so that it may be used in a panic, in an NMI and on memory
 * that has been overwritten.
 */
#ifndef KERN_SYMTAB_H
#define KERN_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known about an address. */
struct symtab_entry {
    const char *name; /* function or object, never NULL */
    uintptr_t offset; /* of the address from the symbol's */
    const char *file; /* relative to the source's root, NULL if unknown */
    unsigned line;    /* 0 if unknown */
};

/*
 * Find the symbol that covers an address.
 *
 * @addr   for a return address, pass one less: the call may be the last
 *         instruction of its function
 * @entry  filled in if the result is true
 *
 * Context: any
 * Returns: false if no symbol covers @addr
 */
bool symtab_lookup(uintptr_t addr, struct symtab_entry *entry);

/*
 * Find a symbol by its name.
 *
 * @addr  set if the result is true
 *
 * Context: any; takes time in proportion to the number of symbols
 * Returns: false if there is none of this name
 */
bool symtab_find(const char *name, uintptr_t *addr);

/*
 * The number of entries for symtab_get(), 0 if the kernel has no table.
 */
size_t symtab_nr_symbols(void);

/*
 * The entry number @index, in the order of addresses.
 *
 * @addr  set to the symbol's address
 *
 * Context: any
 * Returns: its name, "" for a gap between symbols, NULL if there is no such
 *          entry
 */
const char *symtab_get(size_t index, uintptr_t *addr);

#endif /* KERN_SYMTAB_H */
