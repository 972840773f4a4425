/* SPDX-License-Identifier: MIT */
/*
 * Page faults.
 */
#ifndef X86_FAULT_H
#define X86_FAULT_H

struct trap_frame;

/* Error code.  Source: Intel SDM vol. 3A, "Page-Fault Exceptions". */
#define PF_PRESENT  0x01
#define PF_WRITE    0x02
#define PF_RESERVED 0x08
#define PF_FETCH    0x10

/*
 * Resolve a page fault, let the access fail, or panic.
 *
 * Context: interrupts disabled, as trap_asm.S calls
 */
void fault_handle(struct trap_frame *frame);

#endif /* X86_FAULT_H */
