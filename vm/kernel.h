/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own space: [KVA_BASE, KVA_BASE + KVA_SIZE).
 *
 * A tree as any other, but its nodes of level 0 are the page tables of all
 * CPUs: linked once, by the first who maps something there, and unlinked when
 * they are taken out.  So there is nothing to be filled on a fault, and what is
 * mapped is wired.  What was taken away is forgotten by all CPUs at once,
 * which is dear, so ranges that are freed wait for each other (vm/krange.c).
 *
 * Nothing that allocators of pages and objects need comes from here.
 */
#ifndef VM_KERNEL_H
#define VM_KERNEL_H

#include <stdint.h>

#include <lib/status.h>
#include <vm/node.h>

struct vm_space;

/*
 * It has no page tables of single CPUs, is never cloned and never dies;
 * everything is charged to container_root.  Mappings have to be made with
 * SPACE_MAP_WIRED; faults in it are errors, so what is mapped without any
 * access needs space_need() when it is given one.
 */
extern struct vm_space *const kernel_space;

/*
 * Have a node of the kernel's space be a page table of all CPUs.
 *
 * Context: the lock of a slot of it
 * Returns: OK; ERR_NO_MEMORY
 */
status_t kernel_link(struct vm_node *node);

/*
 * Make the word of a resident page one that all CPUs use, and the node that it
 * is in their page table.
 *
 * Context, Returns: as kernel_link()
 */
status_t kernel_enter(struct vm_node *node, uint64_t *wordp);

#endif /* VM_KERNEL_H */
