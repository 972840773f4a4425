/* SPDX-License-Identifier: MIT */
/*
 * To duplicate and to close an entry, inlined, as far as all is at hand: the
 * chunks are the table's, the lowest of them with a free slot is known, none
 * becomes full or empty, and this CPU remembers the count of the right.
 * Nothing is called on the way but to preempt at its end, so that nothing is
 * spilled.
 *
 * What is not so is left to right_table_dup() and right_table_close(), which
 * try this first.
 */
#ifndef IPC_RIGHT_NOW_I_H
#define IPC_RIGHT_NOW_I_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/rcu.h>
#include <kern/spinlock.h>
#include <kern/sref_i.h>
#include <ipc/kobject_types.h>
#include <ipc/right.h>
#include <ipc/right_chunk.h>
#include <ipc/right_table_types.h>
#include <lib/assert.h>
#include <lib/macros.h>

/*
 * The chunk in which a name is if there is such a name.
 *
 * Context: inside a section of RCU, or the table is locked
 * Returns: never NULL; right_chunk_none, or any other, if there is none
 */
static __always_inline struct right_chunk *
right_table_peek(const struct right_table *table, uint32_t name)
{
    struct right_dir *dir;
    uint64_t i;

    /* Pairs with rcu_assign() in right_dir_publish(). */
    dir = rcu_dereference(table->dir);
    i = name >> RIGHT_CHUNK_SHIFT & dir->mask;
    /* Pairs with rcu_assign() in right_dir_set(). */
    return rcu_dereference(*RIGHT_ELEMENT(dir, chunks, i));
}

/*
 * Use the lowest free slot for a right; then there is a reference more.
 *
 * Context: the table is locked
 * Returns: its name; RIGHT_NAME_NONE
 */
static __always_inline uint32_t
right_table_use_now(struct right_table *table, struct right *right,
                    uint32_t policy)
{
    struct right_chunk *chunk = table->lowest;
    struct sref_slot *slot;
    uint32_t i, name;

    if (unlikely(chunk == NULL)) {
        return RIGHT_NAME_NONE;
    }
    assert(chunk->pool == &table->pool && chunk->used != UINT64_MAX);
    i = (uint32_t)__builtin_ctzll(~chunk->used);
    name = chunk->index * RIGHT_CHUNK_SLOTS + i;
    slot = sref_find(&right->ref.sref);
    if (unlikely(name >= READ_ONCE(table->limit)) || unlikely(slot == NULL) ||
        unlikely((chunk->used | right_chunk_bit(i)) == UINT64_MAX)) {
        return RIGHT_NAME_NONE;
    }
    if (unlikely(policy == RIGHT_UNIQUE)) {
        if (chunk->generations[i] > RIGHT_GENERATION_MAX) {
            return RIGHT_NAME_NONE;
        }
        name += (uint32_t)chunk->generations[i] << RIGHT_SLOT_BITS;
    }
    name += table->base;
    right_chunk_use(table, chunk, i);
    right_chunk_open(chunk, i, name, right, 0);
    sref_slot_add(slot, 1);
    return name;
}

/*
 * Duplicate an entry to the lowest free name.  It has a reference, and cannot
 * go meanwhile: there is one to copy.
 *
 * Context: as right_table_dup()
 * Returns: the name; RIGHT_NAME_NONE
 */
static __always_inline uint32_t
right_table_dup_now(struct right_table *table, uint32_t name)
{
    uint32_t policy = READ_ONCE(table->policy), copy = RIGHT_NAME_NONE;
    uint64_t i = name % RIGHT_CHUNK_SLOTS;
    const struct right_chunk *from;

    if (unlikely(policy == RIGHT_ANY)) {
        return RIGHT_NAME_NONE;
    }
    spinlock_lock(&table->pool.lock);
    from = right_table_peek(table, name);
    if (likely(from->pool == &table->pool) &&
        likely(right_chunk_has(from, name))) {
        copy = right_table_use_now(
            table, rcu_protected(*RIGHT_ELEMENT(from, rights, i)), policy);
    }
    spinlock_unlock(&table->pool.lock);
    return copy;
}

/*
 * Close an entry.
 *
 * Context: the chunk is the table's, which is locked
 */
static __always_inline bool
right_chunk_close_now(struct right_table *table, struct right_chunk *chunk,
                      uint32_t name)
{
    uint64_t i = name % RIGHT_CHUNK_SLOTS, used = chunk->used;
    struct right *right = rcu_protected(*RIGHT_ELEMENT(chunk, rights, i));
    struct sref_slot *slot = sref_find(&right->ref.sref);

    if (unlikely(right->object->ops->close != NULL) || unlikely(slot == NULL) ||
        unlikely(used == UINT64_MAX) ||
        unlikely(used == right_chunk_bit((uint32_t)i))) {
        return false;
    }
    /* Others stay: there is nothing to be tidied. */
    (void)right_chunk_close(table, chunk, name);
    sref_slot_add(slot, -1);
    return true;
}

/*
 * Close the entry of a name.
 *
 * Context: as right_table_close()
 * Returns: false, nothing was done
 */
static __always_inline bool
right_table_close_now(struct right_table *table, uint32_t name)
{
    struct right_chunk *chunk;
    bool is_done = false;

    if (unlikely(READ_ONCE(table->policy) == RIGHT_ANY)) {
        return false;
    }
    spinlock_lock(&table->pool.lock);
    chunk = right_table_peek(table, name);
    if (likely(chunk->pool == &table->pool) &&
        likely(right_chunk_has(chunk, name))) {
        is_done = right_chunk_close_now(table, chunk, name);
    }
    spinlock_unlock(&table->pool.lock);
    return is_done;
}

#endif /* IPC_RIGHT_NOW_I_H */
