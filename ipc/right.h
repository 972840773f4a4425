/* SPDX-License-Identifier: MIT */
/*
 * Rights: an object together with the label that its server gave when it minted
 * the right.
 *
 * A right is made once and never changes; entries of tables, in any tasks,
 * share it: to duplicate or to transfer one is to count another reference.  So
 * what a look-up finds is one pointer, and object and label belong together
 * whatever happens to the entry meanwhile.
 *
 * A right counts as one reference to its object.  It may be used until
 * rcu_read_unlock() by who found it under RCU, and so may its object.
 *
 * May run concurrently: everything with everything.
 * Design: doc/rights.md.
 */
#ifndef IPC_RIGHT_H
#define IPC_RIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include <ipc/kobject_types.h>
#include <kern/rcu_types.h>
#include <kern/sref.h>
#include <kern/sref_types.h>
#include <lib/macros.h>
#include <lib/status.h>

struct container;

/*
 * Keys: [c] constant once made   [S] sref   [D] the dead's: right_noref()
 */
struct right {
    struct kobject *object;      /* [c] referenced */
    uint64_t label;              /* [c] */
    struct container *container; /* [c] charged and referenced */
    struct sref_weakable ref;    /* [S] */
    struct sref_weak weak;       /* [S] for who finds it by RCU */
    struct rcu_head head;        /* [D] */
};

/* The right to nothing: to kobject_none. */
extern struct right right_none;

/*
 * Mint a right.
 *
 * @object     the right takes a reference of its own
 * @container  charged for the memory until the last entry is closed; referenced
 *
 * Context: thread, preemptible; the caller has a reference to @object
 * Returns: OK, with one reference to the right; ERR_NO_MEMORY
 */
status_t right_create(struct right **rightp, struct kobject *object,
                      uint64_t label, struct container *container);

/* Take another reference.  Context: as sref_get(); the caller has one */
static inline void
right_get(struct right *right)
{
    sref_get(&right->ref.sref);
}

/*
 * Take a reference to a right that was found under RCU.
 *
 * Context: any but NMI, inside the section in which it was found
 * Returns: false: it is dead, or right_none
 */
static inline bool __must_check
right_try_get(struct right *right)
{
    return sref_weak_get(&right->weak) != NULL;
}

/* Give a reference up, on any CPU.  Context: as sref_put() */
static inline void
right_put(struct right *right)
{
    sref_put(&right->ref.sref);
}

/*
 * An entry with the right is gone: tell its object, and give up the reference
 * that the entry had.
 *
 * Context: thread, preemptible, no lock held
 */
static inline void
right_close(struct right *right)
{
    struct kobject *object = right->object;

    if (unlikely(object->ops->close != NULL)) {
        object->ops->close(object, right->label);
    }
    right_put(right);
}

#endif /* IPC_RIGHT_H */
