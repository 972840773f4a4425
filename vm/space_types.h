/* SPDX-License-Identifier: MIT */
/*
 * struct vm_space, for those who embed or inline.
 */
#ifndef VM_SPACE_TYPES_H
#define VM_SPACE_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/list.h>
#include <lib/macros.h>
#include <arch/utable.h>
#include <kern/work.h>
#include <vm/tree.h>

#define SPACE_NAME_SIZE 32

/*
 * What one CPU has of a space.
 *
 * Keys: [O] that CPU, interrupts disabled   [c] constant
 *       [P] that CPU, preemption disabled
 *       [a] atomic; hints, written by that CPU as a rule
 */
struct vm_space_cpu {
    struct utable tables;        /* [O] root is NULL until a fault needs it */
    _Atomic uintptr_t arena;     /* [a] its addresses begin here */
    _Atomic uintptr_t arena_end; /* [a] first address behind them */
    _Atomic uintptr_t hint;      /* [a] below it there may be room */
    struct vm_space *space;      /* [c] */
    uintptr_t trim_start;        /* [P] where nodes may have become empty */
    uintptr_t trim_end;          /* [P] first address behind; 0: nowhere */
    struct work_delayed trim;    /* looks there */
} __aligned(CACHE_LINE);

/*
 * Keys: [c] constant once created   [a] atomic   [L] lock of the list
 */
struct vm_space {
    struct vm_tree tree;                  /* [c] */
    uintptr_t start;                      /* [c] first address */
    uintptr_t end;                        /* [c] first address behind */
    uintptr_t arenas_start;               /* [c] above it there are arenas */
    size_t arena_size;                    /* [c] bytes */
    bool is_kernel;                       /* [c] its nodes are pmap's tables */
    struct container *container;          /* [c] referenced */
    _Atomic(struct vm_space_cpu *) *cpus; /* [c] by CPU; [a] each, set once */
    char name[SPACE_NAME_SIZE];           /* [c] */
    struct list all_node;                 /* [L] of all spaces */
    struct work destroyer;                /* for space_put_later() */
    /* What follows is written now and then. */
    __aligned(CACHE_LINE) _Atomic uintptr_t next_arena; /* [a] end of free */
    _Atomic uint32_t nr_refs;                           /* [a] */
    _Atomic int32_t nr_clones; /* [a] being made of it; -1: it becomes one */
};

#endif /* VM_SPACE_TYPES_H */
