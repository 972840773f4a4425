/* SPDX-License-Identifier: MIT */
/*
 * Where a CPU is: package, core, thread, from CPUID.
 */
#ifndef X86_TOPOLOGY_H
#define X86_TOPOLOGY_H

#include <stdint.h>

/* The APIC identifier that this CPU woke up with. */
uint32_t topology_own_hw_id(void);

#endif /* X86_TOPOLOGY_H */
