/* SPDX-License-Identifier: MIT */
/*
 * Ranges of kernel addresses: what kern/kva.h promises, in the kernel's space.
 *
 * A range is a guard page, of which the slot names the range's descriptor, and
 * pages that are resident.  All its slots are of level 0.
 *
 * Who makes and frees them is vm/krange.c; vm/krange_find.c tells what an
 * address belongs to.
 */
#ifndef VM_KRANGE_H
#define VM_KRANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/kva.h>
#include <vm/region.h>

#define KRANGE_GUARD_SIZE PAGE_SIZE

/*
 * Keys: [c] constant   [a] atomic   [D] lock of the list that it is on
 *       [O] who allocated it, or took it off such a list
 *
 * The memory stays a descriptor's for ever.
 */
struct krange {
    struct vm_region region;  /* the guard's slot is its user */
    uintptr_t base;           /* [c] of the guard page */
    size_t size;              /* [c] with the guard page */
    struct krange *next;      /* [D] freed before it */
    atomic_bool is_freed;     /* [a] */
    bool has_pages;           /* [c] memory of its own, which goes with it */
    char name[KVA_NAME_SIZE]; /* [O] read by anybody */
};

/* The last user of a range's region is gone. */
void krange_destroy(struct vm_region *region);

/* As kva_find(). */
bool krange_find(uintptr_t addr, struct kva_info *info);

/* As kva_find_next(). */
bool krange_find_next(uintptr_t addr, struct kva_info *info);

#endif /* VM_KRANGE_H */
