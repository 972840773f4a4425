/* SPDX-License-Identifier: MIT */
/*
 * Scalable references, inlined where a call would be most of the work:
 * sref_find() and sref_slot_add() are a dozen instructions.
 */
#ifndef KERN_SREF_I_H
#define KERN_SREF_I_H

#include <kern/percpu.h>
#include <kern/sref_cpu.h>
#include <kern/sref_types.h>
#include <lib/macros.h>

/*
 * Where this CPU remembers what was added to a count.
 *
 * Context: as sref_get(), preemption disabled
 * Returns: for sref_slot_add(), before preemption is enabled; NULL: nowhere,
 *          sref_get() and sref_put() are to be used
 */
static __always_inline struct sref_slot *
sref_find(struct sref *sref)
{
    return sref_find_slot(percpu_read(sref_cpu.sets), sref);
}

#endif /* KERN_SREF_I_H */
