/* SPDX-License-Identifier: MIT */
/*
 * Inlined part of utable.h: the switch between tables.
 */
#ifndef ARCH_UTABLE_LOAD_H
#define ARCH_UTABLE_LOAD_H

#include <stdint.h>

#include <arch/percpu.h>
#include <arch/utable.h>
#include <lib/macros.h>

/*
 * What a CPU knows of numbers of spaces: see asid.h.
 *
 * Keys: [O] that CPU, interrupts disabled   [c] constant once initialised
 */
struct asid_cpu {
    uint64_t generation; /* [O] of what is given out now; 0: no PCIDs */
    uint64_t last;       /* [O] given out */
    uint64_t keep;       /* [c] CR3_KEEP with PCIDs, else 0 */
};

/* That of each CPU. */
extern struct asid_cpu asid_this_cpu;

/* The tables that each CPU uses; NULL: the kernel's alone. */
extern struct utable *utable_current;

/* utable_load() in line, as long as the tables have a number. */
static inline void
utable_load_here(struct utable *ut)
{
    uint64_t cr3 = ut->cr3;

    if (unlikely(ut->asid_generation !=
                 percpu_read(asid_this_cpu.generation))) {
        utable_load(ut);
        return;
    }
    ut->cr3 = cr3 | percpu_read(asid_this_cpu.keep);
    percpu_write(utable_current, ut);
    __asm__ volatile("movq %0, %%cr3" : : "r"(cr3) : "memory");
}

/* utable_loaded() in line. */
static inline struct utable *
utable_loaded_here(void)
{
    return percpu_read(utable_current);
}

#endif /* ARCH_UTABLE_LOAD_H */
