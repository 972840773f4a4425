/* SPDX-License-Identifier: MIT */
/*
 * Page faults.
 */
#ifndef X86_FAULT_H
#define X86_FAULT_H

struct trap_frame;

/*
 * Resolve a page fault, let the access fail, or panic.
 *
 * Context: interrupts disabled, as trap_asm.S calls
 */
void fault_handle(struct trap_frame *frame);

#endif /* X86_FAULT_H */
