/* SPDX-License-Identifier: MIT */
/*
 * Non-maskable interrupts: a panic's stop, or a sign of broken hardware.
 */
#ifndef X86_NMI_H
#define X86_NMI_H

#include <stdint.h>

struct trap_frame;

/* Handle an NMI.  Context: NMI. */
void nmi_handle(struct trap_frame *frame);

/* NMIs that nobody had asked for, since boot. */
uint64_t nmi_nr_unknown(void);

#endif /* X86_NMI_H */
