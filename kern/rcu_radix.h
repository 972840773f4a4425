/* SPDX-License-Identifier: MIT */
/*
 * Radix trees: pointers by integer key, read under RCU, that know their
 * lowest free key.  Made for tables of small integers, as of rights.
 *
 * Writers exclude each other by a mutex of theirs; readers look up inside a
 * section.  A node has 64 slots; keys below 64 are in a node that is part of
 * the tree itself, so they are found in a few instructions and a small table
 * needs no other memory.  The tree has as many levels as its largest key
 * needs, at most RCU_RADIX_MAX_LEVELS.
 *
 * Invariants: in a node, bit i of full is set if all keys below slot i are
 * taken, that is, for a leaf, if the slot is; of used, if any is.  The root
 * is the embedded node or has a used bit besides bit 0, so the tree is never
 * higher than it must be.  The path of slots 0, the spine, ends at the
 * embedded node and is complete; other nodes hold at least one key.
 *
 * A value is any pointer but NULL.  What was removed is freed by the caller
 * after a grace period, nodes are by the tree.
 */
#ifndef KERN_RCU_RADIX_H
#define KERN_RCU_RADIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/rcu.h>
#include <lib/status.h>

#define RCU_RADIX_BITS       6
#define RCU_RADIX_SLOTS      64
#define RCU_RADIX_MAX_LEVELS 5

/*
 * Nodes that one insertion makes, at most: a spine up to the highest level,
 * and a branch down from there.
 */
#define RCU_RADIX_MAX_NEW_NODES (2 * (RCU_RADIX_MAX_LEVELS - 1))

/* Keys are less than this. */
#define RCU_RADIX_MAX_KEY                                                      \
    (UINT32_C(1) << (RCU_RADIX_BITS * RCU_RADIX_MAX_LEVELS))

/*
 * Keys: [W] mutex of the writers   [R] the same, readers under RCU
 *       [c] constant while in the tree
 */
struct rcu_radix_node {
    void *slots[RCU_RADIX_SLOTS];  /* [R] values, or nodes one level below */
    uint64_t used;                 /* [W] */
    uint64_t full;                 /* [W] */
    struct rcu_radix_node *parent; /* [W] NULL: the root */
    uint8_t shift;                 /* [c] bits of the key below this level */
    uint8_t index;                 /* [c] of the slot in the parent */
    bool is_spine;                 /* [c] */
    struct rcu_head head;
};

struct rcu_radix {
    struct rcu_radix_node first; /* keys below 64 */
    struct rcu_radix_node *root; /* [R] */
    size_t nr_nodes;             /* [W] beside the embedded one */
};

/* Make an empty tree. */
void rcu_radix_init(struct rcu_radix *tree);

/*
 * Free all nodes of a tree at once, whatever it holds; the tree is empty
 * then.
 *
 * Context: thread; nobody reads it
 */
void rcu_radix_destroy(struct rcu_radix *tree);

/* The rest of rcu_radix_find(). */
void *rcu_radix_find_large(const struct rcu_radix *tree, uint32_t key);

/*
 * Find the value of a key.
 *
 * Context: inside a section, or the writers' mutex is held
 * Returns: NULL, there is none
 */
static inline void *
rcu_radix_find(const struct rcu_radix *tree, uint32_t key)
{
    if (likely(key < RCU_RADIX_SLOTS)) {
        /* Pairs with rcu_assign() in rcu_radix_set_slot(). */
        return rcu_dereference(tree->first.slots[key]);
    }
    return rcu_radix_find_large(tree, key);
}

/*
 * Give a key a value.
 *
 * @value  not NULL
 *
 * Context: thread, the writers' mutex is held
 * Returns: OK; ERR_EXISTS, it has one; ERR_RANGE, not a key; ERR_NO_MEMORY
 */
status_t rcu_radix_insert(struct rcu_radix *tree, uint32_t key,
                          void *value) __must_check;

/*
 * Give the lowest free key that is at least @least a value.
 *
 * @limit  the key must be less
 * @keyp   receives it
 *
 * Context: thread, the writers' mutex is held
 * Returns: OK; ERR_RANGE, all are taken; ERR_NO_MEMORY
 */
status_t rcu_radix_insert_lowest(struct rcu_radix *tree, void *value,
                                 uint32_t least, uint32_t limit,
                                 uint32_t *keyp) __must_check;

/*
 * Give a key that has a value another one; readers see one of the two.
 *
 * @value  not NULL
 *
 * Context: the writers' mutex is held
 * Returns: the old one; NULL: there was none and there is none
 */
void *rcu_radix_replace(struct rcu_radix *tree, uint32_t key, void *value);

/*
 * Take the value of a key away, so that the key is free.
 *
 * Context: the writers' mutex is held
 * Returns: the value, NULL if there was none
 */
void *rcu_radix_remove(struct rcu_radix *tree, uint32_t key);

/*
 * Find the first key with a value, from @key on.
 *
 * @keyp  receives it
 *
 * Context: the writers' mutex is held
 * Returns: the value; NULL: there is none
 */
void *rcu_radix_find_next(const struct rcu_radix *tree, uint32_t key,
                          uint32_t *keyp);

#endif /* KERN_RCU_RADIX_H */
