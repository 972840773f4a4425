/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts as common code sees them, and stack traces.
 */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trap_frame;

/*
 * Print the registers of a trap on the consoles.
 *
 * @frame  NULL for the registers as they are now
 *
 * Context: any, also panic
 */
void trap_print(const struct trap_frame *frame);

/* Frame pointer at the trap, to start a trace with. */
uintptr_t trap_frame_pointer(const struct trap_frame *frame);

/* Program counter at the trap. */
uintptr_t trap_pc(const struct trap_frame *frame);

/*
 * Follow a chain of frame pointers, also across traps.
 *
 * @pcs    filled with code addresses, innermost first
 * @max    room in @pcs, at most 64
 * @frame  where to begin, for instance cpu_frame()
 * @exact  bit by bit: the address is that of an instruction which a trap
 *         interrupted, not one to which a call returns
 *
 * Context: any; garbage on the stack ends the trace
 * Returns: how many were found
 */
size_t trace_collect(uintptr_t *pcs, size_t max, uintptr_t frame,
                     uint64_t *exact);

/*
 * Read a word of kernel memory that may not be there.
 *
 * Context: any, also panic and NMI
 * Returns: whether *@value was read
 */
bool trap_safe_read(uintptr_t addr, uint64_t *value);

#endif /* ARCH_TRAP_H */
