/* SPDX-License-Identifier: MIT */
/*
 * Control registers of a CPU: protection, caches, extended state.
 */
#ifndef X86_CONTROL_H
#define X86_CONTROL_H

#include <stdint.h>

/*
 * Page attributes by index, as programmed into each CPU: write-back,
 * write-combining, uncached unless an MTRR says write-combining, uncached.
 */
#define CONTROL_PAT UINT64_C(0x0007010600070106)

/* Size of the state that XSAVE saves on this machine, bytes. */
uint32_t control_xsave_size(void);

#endif /* X86_CONTROL_H */
