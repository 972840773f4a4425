/* SPDX-License-Identifier: MIT */
/*
 * The list of all spaces, for the monitor and for sums.
 *
 * Lock rank: LOCK_SPACE_LIST.
 */
#ifndef VM_SPACE_LIST_H
#define VM_SPACE_LIST_H

struct vm_space;

/* A space begins to exist, or ends. */
void space_list_add(struct vm_space *space);
void space_list_remove(struct vm_space *space);

/*
 * Visit all spaces.
 *
 * @fn  called with the list locked: spins, must not block
 *
 * Context: any but interrupts
 */
void space_list_visit(void (*fn)(struct vm_space *space, void *arg), void *arg);

#endif /* VM_SPACE_LIST_H */
