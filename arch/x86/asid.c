/* SPDX-License-Identifier: MIT */
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/percpu.h>
#include <lib/macros.h>

#include "asid.h"
#include "cpuid.h"

/* Begins without PCIDs, as struct utable does with generation 0. */
PERCPU(struct asid_cpu, asid_this_cpu);

void
asid_renew(struct asid_cpu *cpu, struct utable *ut)
{
    if (cpu->last == ASID_MAX) {
        cpu->last = 0;
        cpu->generation++;
    }
    cpu->last++;
    ut->asid_generation = cpu->generation;
    ut->cr3 = (ut->cr3 & ~(CR3_PCID_MASK | CR3_KEEP)) | cpu->last;
}

static status_t
asid_setup(void)
{
    struct asid_cpu *cpu = percpu_this(asid_this_cpu);

    if (cpuid_has(CPUID_PCID)) {
        cpu->generation = 1;
        cpu->keep = CR3_KEEP;
    }
    return OK;
}

INIT_OP(asid_setup, INIT_EACH_CPU, AFTER(control_setup), AFTER(percpu_setup));
