/* SPDX-License-Identifier: MIT */
/*
 * Hash tables by integer key, read under RCU, that grow and shrink.
 *
 * Writers exclude each other by a lock of theirs, a mutex if the table is to
 * be resized; readers look up inside a section and are never kept waiting,
 * by a resize neither.  A node has two links; a table of buckets says which
 * of them it uses, so a resize builds the chains of the new table with the
 * other link while readers follow the old one.  (Herbert Xu's, see McKenney,
 * "Is Parallel Programming Hard", section "Resizable Hash Tables".)
 *
 * Invariant: the link that the table does not use is free for a resize when
 * a grace period has passed since the last one.
 *
 * A node that was removed is freed, or inserted again, only after a grace
 * period.
 */
#ifndef KERN_RCU_HASH_H
#define KERN_RCU_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/rcu.h>
#include <lib/hash.h>
#include <lib/status.h>

/*
 * Keys: [W] lock of the writers, readers under RCU   [c] constant while in
 */
struct rcu_hash_node {
    struct rcu_hash_node *next[2]; /* [W] */
    uint64_t key;                  /* [c] */
};

/*
 * Keys: [W] lock of the writers, readers under RCU   [c] constant
 */
struct rcu_hash_table {
    struct rcu_head head;
    unsigned link;                   /* [c] which next pointers it uses */
    unsigned shift;                  /* [c] 64 - log2 of the buckets */
    struct rcu_hash_node *buckets[]; /* [W] */
};

/*
 * Keys: [W] lock of the writers   [R] the same, readers under RCU
 */
struct rcu_hash {
    struct rcu_hash_table *table; /* [R] */
    size_t count;                 /* [W] nodes */
    uint64_t cookie;              /* [W] of the last resize */
};

/*
 * Make an empty table.
 *
 * @nr_buckets  a power of two, at least 2
 *
 * Context: thread
 * Returns: OK or ERR_NO_MEMORY
 */
status_t rcu_hash_create(struct rcu_hash *hash, size_t nr_buckets) __must_check;

/*
 * Free the memory of a table that has no nodes and that nobody reads.
 */
void rcu_hash_destroy(struct rcu_hash *hash);

/*
 * Insert a node.  Keys may repeat; the newest is found.
 *
 * @node  its key is set; on no table
 *
 * Locks: the writers' is held
 */
void rcu_hash_insert(struct rcu_hash *hash, struct rcu_hash_node *node);

/*
 * Take a node out; readers may still be at it.
 *
 * Locks: the writers' is held
 */
void rcu_hash_remove(struct rcu_hash *hash, struct rcu_hash_node *node);

/*
 * Have another number of buckets.
 *
 * @nr_buckets  a power of two, at least 2
 *
 * Locks:   the writers' is held, a mutex
 * Returns: OK; ERR_NO_MEMORY; ERR_STATE, a grace period must pass after the
 *          last resize: try again later
 */
status_t rcu_hash_resize(struct rcu_hash *hash, size_t nr_buckets) __must_check;

/* Number of buckets.  Locks: the writers' is held */
size_t rcu_hash_nr_buckets(const struct rcu_hash *hash);

/* The bucket of a key in a table. */
static inline size_t
rcu_hash_index(const struct rcu_hash_table *table, uint64_t key)
{
    return hash_u64(key) >> table->shift;
}

/*
 * Find a node.
 *
 * Context: inside a section, or the writers' lock is held
 * Returns: NULL, there is none
 */
static inline struct rcu_hash_node *
rcu_hash_find(const struct rcu_hash *hash, uint64_t key)
{
    const struct rcu_hash_table *table;
    struct rcu_hash_node *node;

    /* Pairs with rcu_assign() in rcu_hash_resize(). */
    table = rcu_dereference(hash->table);
    /* Pairs with rcu_assign() in rcu_hash_insert(). */
    node = rcu_dereference(table->buckets[rcu_hash_index(table, key)]);
    while (node != NULL && node->key != key) {
        node = rcu_dereference(node->next[table->link]);
    }
    return node;
}

#endif /* KERN_RCU_HASH_H */
