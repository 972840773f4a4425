/* SPDX-License-Identifier: MIT */
/*
 * What this CPU has of a space, for those who inline.
 */
#ifndef VM_SPACE_HERE_H
#define VM_SPACE_HERE_H

#include <stdatomic.h>
#include <stddef.h>

#include <kern/cpu.h>
#include <vm/space_types.h>

/* This CPU's part of a space, or NULL.  Context: the caller stays on it */
static inline struct vm_space_cpu *
space_cpu_this(struct vm_space *space)
{
    return atomic_load_explicit(&space->cpus[cpu_id()], memory_order_relaxed);
}

/* This CPU's tables of a space, or NULL.  Context: interrupts disabled */
static inline struct utable *
space_tables_this(struct vm_space *space)
{
    struct vm_space_cpu *cpu = space_cpu_this(space);

    return cpu != NULL && cpu->tables.root != NULL ? &cpu->tables : NULL;
}

#endif /* VM_SPACE_HERE_H */
