/* SPDX-License-Identifier: MIT */
/*
 * Address-space identifiers: what of a space's translations a processor keeps
 * while it uses those of another.
 *
 * Where there are PCIDs, each CPU numbers the spaces that it loads by itself,
 * from 1; 0 is for the kernel's tables.  A number is never taken back: when
 * they are used up, a new generation begins, and what has a number of an old
 * one gets a new one when it is loaded next.
 *
 * Invariant: the first load of a space with a number forgets what is known
 * under it, so nothing needs to be flushed when a generation begins, and
 * translations of dead spaces may stay until then.
 *
 * A space whose translations changed while it was not loaded forgets all of
 * them when it is.  Neither needs INVPCID, which not all processors with PCIDs
 * have.
 *
 * Source: Intel SDM vol. 3A, "Process-Context Identifiers", "Operations that
 * Invalidate TLBs and Paging-Structure Caches".
 */
#ifndef X86_ASID_H
#define X86_ASID_H

#include <stdint.h>

#include <arch/utable.h>
#include <arch/utable_load.h>
#include <lib/macros.h>

/* In a value for CR3: keep what is known under the PCID. */
#define CR3_KEEP (UINT64_C(1) << 63)

/* In a value for CR3: the PCID. */
#define CR3_PCID_MASK UINT64_C(0xfff)

/* The greatest number. */
#define ASID_MAX 4095

/* Give tables a new number.  Context: their CPU, interrupts disabled */
void asid_renew(struct asid_cpu *cpu, struct utable *ut);

/* What to load into CR3 now.  Context: the CPU of @ut, interrupts disabled */
static inline uint64_t
asid_take(struct asid_cpu *cpu, struct utable *ut)
{
    uint64_t cr3;

    if (unlikely(ut->asid_generation != cpu->generation)) {
        asid_renew(cpu, ut);
    }
    cr3 = ut->cr3;
    ut->cr3 = cr3 | cpu->keep;
    return cr3;
}

/* Have the next load forget.  Context: the CPU of @ut, interrupts disabled */
static inline void
asid_forget(struct utable *ut)
{
    ut->cr3 &= ~CR3_KEEP;
}

#endif /* X86_ASID_H */
