/* SPDX-License-Identifier: MIT */
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/percpu.h>
#include <lib/macros.h>

#include "asid.h"
#include "cpuid.h"

#define CR3_PCID_MASK UINT64_C(0xfff)

uint64_t asid_keep;

/* Own to each CPU, interrupts disabled; struct utable begins with 0. */
PERCPU(uint64_t, asid_generation);
static PERCPU(uint64_t, asid_last);

void
asid_renew(struct utable *ut)
{
    uint64_t asid, generation;

    asid = percpu_read(asid_last) + 1;
    generation = percpu_read(asid_generation);
    if (asid > ASID_MAX) {
        asid = 1;
        generation++;
        percpu_write(asid_generation, generation);
    }
    percpu_write(asid_last, asid);
    ut->asid_generation = generation;
    ut->cr3 = (ut->cr3 & ~(CR3_PCID_MASK | CR3_KEEP)) | asid;
}

/* Without PCIDs the generation is 0 for ever, and so is each number. */
static status_t
asid_setup(void)
{
    if (!cpuid_has(CPUID_PCID)) {
        return OK;
    }

    if (cpu_id() == 0) {
        asid_keep = CR3_KEEP;
    }
    percpu_write(asid_generation, 1);
    return OK;
}

INIT_OP(asid_setup, INIT_EACH_CPU, AFTER(control_setup), AFTER(percpu_setup));
