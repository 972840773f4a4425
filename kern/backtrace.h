/* SPDX-License-Identifier: MIT */
/*
 * Symbolised backtraces.
 */
#ifndef KERN_BACKTRACE_H
#define KERN_BACKTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symtab_entry;

/* Addresses that a trace holds at most. */
#define BACKTRACE_MAX 32

/*
 * A trace taken at one time, to print at another.
 */
struct backtrace {
    size_t nr_pcs;
    uint64_t exact; /* bit by bit: not a return address */
    uintptr_t pcs[BACKTRACE_MAX];
};

/*
 * Take a trace.
 *
 * @pc     innermost address, or 0 to begin with the frame's return address
 * @frame  frame pointer
 */
void backtrace_take(struct backtrace *trace, uintptr_t pc, uintptr_t frame);

/*
 * Find the function of the address number @i of a trace.
 *
 * @entry  receives it; the offset is that of the address itself
 *
 * Returns: false when no function is known
 */
bool backtrace_find(const struct backtrace *trace, size_t i,
                    struct symtab_entry *entry);

/* Print a trace, a line "cpu N: #K 0xADDRESS function+0xOFFSET file:line". */
void backtrace_print(const struct backtrace *trace, uint32_t cpu);

#endif /* KERN_BACKTRACE_H */
