/* SPDX-License-Identifier: MIT */
/*
 * The list of all spaces, for the monitor and for sums.
 *
 * Lock rank: LOCK_SPACE_LIST.
 */
#ifndef VM_SPACE_LIST_H
#define VM_SPACE_LIST_H

struct vm_space;

/* A space begins to exist. */
void space_list_add(struct vm_space *space);

/* A space without references ends. */
void space_list_remove(struct vm_space *space);

/*
 * Go through all spaces.
 *
 * @space  NULL for the first one; else what was returned before, whose
 *         reference is given up; if that was the last one, a thread destroys it
 *
 * Context: thread, interrupts enabled, no spin lock held
 * Returns: the next one, with a reference; NULL: there are no more
 */
struct vm_space *space_list_next(struct vm_space *space) __must_check;

#endif /* VM_SPACE_LIST_H */
