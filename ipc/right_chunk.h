/* SPDX-License-Identifier: MIT */
/*
 * Chunks of slots, and the pools they are in: one pool for each CPU that takes
 * names under RIGHT_ANY, and that of the table for all other chunks.
 *
 * INVARIANTS.
 *
 *   1. What is in a chunk changes under the lock of its pool only.
 *   2. A chunk goes from one pool to another under the mutex of the table and
 *      the locks of both pools, one of which is the table's.  So who holds the
 *      lock of a pool, and sees that the chunk is in it, has the chunk.
 *   3. A chunk of an owner has its bit in owner->free, one of the table its bit
 *      in map->free, exactly if a slot is free.  What is not the table's has no
 *      bit in map->free; what has no memory does.
 *      table->lowest is the chunk of the first bit of map->free, or NULL.
 *   4. pool->nr_empty counts chunks of which no slot is used.
 *   5. An open slot has its name and its right in names and rights; others
 *      have RIGHT_NAME_FREE and right_none.
 */
#ifndef IPC_RIGHT_CHUNK_H
#define IPC_RIGHT_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include <ipc/right.h>
#include <ipc/right_table_types.h>
#include <kern/rcu.h>
#include <kern/spinlock.h>
#include <lib/macros.h>

/*
 * What slots without memory lead to: nothing is open, nothing is free, and it
 * is in no pool.
 */
extern struct right_chunk right_chunk_none;

static inline uint32_t
right_name_slot(uint32_t name)
{
    return name % RIGHT_SLOTS_MAX;
}

static inline uint32_t
right_name_generation(uint32_t name)
{
    return name >> RIGHT_SLOT_BITS & RIGHT_GENERATION_MAX;
}

static inline uint64_t
right_chunk_bit(uint32_t i)
{
    return UINT64_C(1) << i;
}

/*
 * Make a chunk without entries, of the table.
 *
 * @generation  next one of all slots
 */
void right_chunk_init(struct right_chunk *chunk, struct right_table *table,
                      uint32_t index, uint16_t generation);

/* Tell the pool of a chunk whether there are free slots; its lock is held. */
void right_chunk_mark(struct right_table *table, struct right_chunk *chunk,
                      bool has_free);

/*
 * Find a free slot; those without a generation are retired on the way.
 *
 * @from  it must be at least this
 *
 * Context: the pool is locked
 * Returns: RIGHT_CHUNK_SLOTS, there is none
 */
uint32_t right_chunk_choose(struct right_table *table,
                            struct right_chunk *chunk, uint32_t from,
                            bool is_unique);

/*
 * Leave slots that are retired to be used again.
 *
 * Context: the pool is locked
 */
void right_chunk_revive(struct right_table *table, struct right_chunk *chunk);

/* Highest of the next generations of all slots.  Context: pool locked */
uint16_t right_chunk_generation(const struct right_chunk *chunk);

/*
 * Lock the pool of a chunk, which may move while nobody has it.
 *
 * Context: inside a section of RCU
 * Returns: the pool
 */
static inline struct right_pool *
right_chunk_lock(struct right_chunk *chunk)
{
    struct right_pool *pool, *now;

    /* Pairs with rcu_assign() in right_owner.c: the lock is initialised. */
    pool = rcu_dereference(chunk->pool);
    for (;;) {
        spinlock_lock(&pool->lock);
        now = rcu_protected(chunk->pool);
        if (likely(now == pool)) {
            return pool;
        }
        spinlock_unlock(&pool->lock);
        pool = now;
    }
}

/*
 * Use a slot that was free.  Context: the pool is locked
 */
static inline void
right_chunk_use(struct right_table *table, struct right_chunk *chunk,
                uint32_t i)
{
    uint64_t used = chunk->used | right_chunk_bit(i);

    assert(used != chunk->used);

    if (chunk->used == 0) {
        chunk->pool->nr_empty--;
    }
    chunk->used = used;
    if (unlikely(used == UINT64_MAX)) {
        right_chunk_mark(table, chunk, false);
    }
}

/*
 * Leave a slot to others.
 *
 * Context: the pool is locked
 * Returns: whether the chunk is empty now, and not the only one in its pool
 */
static inline bool
right_chunk_unuse(struct right_table *table, struct right_chunk *chunk,
                  uint32_t i)
{
    uint64_t used = chunk->used & ~right_chunk_bit(i);

    assert(used != chunk->used);

    if (unlikely(chunk->used == UINT64_MAX)) {
        right_chunk_mark(table, chunk, true);
    }
    chunk->used = used;
    return used == 0 && ++chunk->pool->nr_empty > 1;
}

/* Set flags that are clear.  Context: the pool is locked */
static inline void
right_chunk_add_flags(struct right_chunk *chunk, uint32_t i, uint32_t flags)
{
    if (flags & RIGHT_CLOEXEC) {
        chunk->cloexec |= right_chunk_bit(i);
    }
}

static inline uint32_t
right_chunk_flags(const struct right_chunk *chunk, uint32_t i)
{
    return chunk->cloexec & right_chunk_bit(i) ? RIGHT_CLOEXEC : 0;
}

/*
 * Whether a slot has an entry of this name.  Context: the pool is locked
 */
static inline bool
right_chunk_has(const struct right_chunk *chunk, uint32_t name)
{
    uint64_t i = name % RIGHT_CHUNK_SLOTS;

    return rcu_protected(*RIGHT_ELEMENT(chunk, names, i)) == name;
}

/*
 * Give a used slot an entry.  Context: the pool is locked
 */
static inline void
right_chunk_open(struct right_chunk *chunk, uint32_t i, uint32_t name,
                 struct right *right, uint32_t flags)
{
    assert(name % RIGHT_CHUNK_SLOTS == i);

    chunk->open |= right_chunk_bit(i);
    right_chunk_add_flags(chunk, i, flags);
    rcu_assign(chunk->rights[i], right);
    /* Pairs with right_table_find(), which reads them the other way round. */
    rcu_assign(chunk->names[i], name);
}

/*
 * Take an entry away.
 *
 * Context: the pool is locked
 * Returns: as right_chunk_unuse()
 */
static inline bool
right_chunk_close(struct right_table *table, struct right_chunk *chunk,
                  uint32_t name)
{
    uint32_t i = name % RIGHT_CHUNK_SLOTS;
    uint32_t generation = right_name_generation(name);
    bool is_spare = right_chunk_unuse(table, chunk, i);

    assert(chunk->open & right_chunk_bit(i));

    if (unlikely(chunk->generations[i] <= generation)) {
        chunk->generations[i] = (uint16_t)(generation + 1);
    }
    __atomic_store_n(&chunk->names[i], RIGHT_NAME_FREE(i), __ATOMIC_RELAXED);
    __atomic_store_n(&chunk->rights[i], &right_none, __ATOMIC_RELAXED);
    chunk->open &= ~right_chunk_bit(i);
    chunk->cloexec &= ~right_chunk_bit(i);
    return is_spare;
}

#endif /* IPC_RIGHT_CHUNK_H */
