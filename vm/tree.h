/* SPDX-License-Identifier: MIT */
/*
 * Trees of address spaces: finding, locking and expanding slots.
 *
 * Invariants: a terminal slot is changed only by who has it locked; a child
 * leads to its node until all slots below are locked by one thread, which then
 * may take the node out; so the way to a locked slot is constant.
 *
 * A slot leads to a child only when no CPU has a large page for it: who expands
 * a resident slot has all of them forget it before the child can be reached.
 *
 * Ranges are locked from left to right, so two threads never wait for each
 * other; who holds a range asks for no slot to its left.
 *
 * May run concurrently:
 *              find  lock   expand, commit  collapse
 *    find      yes   yes    yes             yes, then finds a dead slot
 *    lock      yes   yes    waits           waits, then looks again
 *    expand    yes   waits  other slots     other nodes
 *    commit    yes   waits  other slots     other nodes
 *    collapse  yes   waits  other nodes     other nodes
 *
 * Design: doc/vm.md.
 */
#ifndef VM_TREE_H
#define VM_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include <lib/status.h>
#include <vm/node.h>

struct container;

/*
 * Where a terminal slot is.
 */
struct vm_place {
    slot_t *slot;
    uintptr_t va;       /* first address that the slot stands for */
    unsigned int level; /* of its node */
};

struct vm_tree;

/*
 * Have all CPUs forget the large page of a slot that is about to be expanded.
 *
 * Context: thread, preemptible; the lock of the slot
 */
typedef void (*tree_forget_fn_t)(struct vm_tree *tree,
                                 const struct vm_place *place);

/*
 * Keys: [c] constant
 */
struct vm_tree {
    struct vm_node *root;        /* [c] level 3 */
    struct container *container; /* [c] is charged for nodes */
    tree_forget_fn_t forget;     /* [c] */
};

/*
 * The terminal slots of a range of addresses, locked.
 */
struct tree_range {
    struct vm_tree *tree;
    struct vm_place first; /* may begin before the range */
    uintptr_t end;         /* first address behind the range */
};

/* First address behind a place. */
static inline uintptr_t
place_end(const struct vm_place *place)
{
    return place->va + node_slot_size(place->level);
}

static inline struct vm_node *
place_node(const struct vm_place *place)
{
    return node_of_slot(place->slot);
}

static inline unsigned int
place_index(const struct vm_place *place)
{
    return (unsigned int)(((uintptr_t)place->slot % PAGE_SIZE) /
                          sizeof(slot_t));
}

/*
 * Make an empty tree.
 *
 * Returns: OK; ERR_NO_MEMORY
 */
status_t tree_init(struct vm_tree *tree, struct container *container,
                   tree_forget_fn_t forget);

/*
 * Free the nodes of a tree whose slots are all empty.
 *
 * Context: thread, preemptible; nobody uses it
 */
void tree_destroy(struct vm_tree *tree);

/*
 * Find the terminal slot that stands for an address.
 *
 * @place  receives it
 *
 * Context: a read section of RCU, or the slot is locked by the caller
 * Returns: its word; it may be dead
 */
uint64_t tree_find(const struct vm_tree *tree, uintptr_t va,
                   struct vm_place *place);

/*
 * Go on to the terminal slot behind one.
 *
 * Context: as tree_find(), for both slots; there is one
 */
void tree_next(const struct vm_tree *tree, struct vm_place *place);

/*
 * Lock the terminal slot that stands for an address.
 *
 * @place  receives it
 *
 * Context: thread, preemptible, no slot at or above @va locked, no spin lock
 * Blocks:  while somebody else has it locked
 * Returns: its word
 */
uint64_t tree_lock(const struct vm_tree *tree, uintptr_t va,
                   struct vm_place *place);

/*
 * Replace a locked slot above level 0 by a node whose slots say the same.  Of
 * a large page they have a part each, which is taken for used as the whole
 * was; no CPU has a translation for any of it then.
 *
 * @start, @end  of the new slots those that have addresses in [start, end)
 *               are locked by the caller, all others are free
 *
 * Context: thread, preemptible; the lock of @place
 * Blocks:  for a large page, until all CPUs that may have it have forgotten it
 * Returns: OK, @place is not terminal any more; ERR_NO_MEMORY, nothing changed
 */
status_t tree_expand(struct vm_tree *tree, const struct vm_place *place,
                     uintptr_t start, uintptr_t end);

/*
 * A node that is about to be taken out of the tree.
 */
struct tree_victim {
    struct vm_node *node; /* all its slots are locked */
    slot_t *parent;       /* the slot that leads to it */
    uint64_t word;        /* what all its slots say */
};

/*
 * Lock all slots of a node if all say the same and none is resident or locked.
 *
 * @va, @level  the node that stands for it, below the top
 *
 * Context: thread, preemptible
 * Returns: whether there is such a node
 */
bool tree_try_seize(const struct vm_tree *tree, uintptr_t va,
                    unsigned int level, struct tree_victim *victim);

/*
 * Take a seized node out of the tree: its parent's slot says what all of its
 * slots said.  Those who wait for one look again.
 *
 * Context: thread, preemptible; no CPU uses the node as a page table
 */
void tree_collapse(const struct tree_victim *victim);

/* What tree_lock_range() does with an empty slot that it covers in part. */
enum tree_mode {
    TREE_KEEP_EMPTY,   /* lock all of it */
    TREE_EXPAND_EMPTY, /* expand it, too */
};

/*
 * Lock all terminal slots of a range, expanding those that are covered only
 * in part.
 *
 * @start, @end  multiples of PAGE_SIZE, start < end
 * @range        receives it
 *
 * Context: as tree_lock()
 * Blocks:  while others have slots of the range locked
 * Returns: OK; ERR_NO_MEMORY, and nothing is locked or changed
 */
status_t tree_lock_range(struct vm_tree *tree, uintptr_t start, uintptr_t end,
                         enum tree_mode mode, struct tree_range *range);

/*
 * The same for a range of pages that have slots of their own, all mapped, if
 * that needs no waiting.
 *
 * Context: thread
 * Returns: whether it is locked
 */
bool tree_try_lock_pages(struct vm_tree *tree, uintptr_t start, uintptr_t end,
                         struct tree_range *range);

/* Unlock a range as it is. */
void tree_unlock_range(const struct tree_range *range);

/* Visit the slots of a locked range, from left to right. */
#define tree_for_each_place(range, place)                                      \
    for (*(place) = (range)->first; (place)->va < (range)->end;                \
         tree_step(range, place))

/* Go on; behind the range nothing is looked at. */
static inline void
tree_step(const struct tree_range *range, struct vm_place *place)
{
    if (place_end(place) >= range->end) {
        place->va = range->end;
    } else {
        tree_next(range->tree, place);
    }
}

#endif /* VM_TREE_H */
