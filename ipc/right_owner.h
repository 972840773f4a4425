/* SPDX-License-Identifier: MIT */
/*
 * Chunks of names that belong to CPUs, for RIGHT_ANY.
 *
 * A CPU has up to RIGHT_OWNER_CHUNKS chunks under one lock of its own, and
 * takes names from them.  It need not be there for that: a thread that moves to
 * another CPU after it has chosen an owner uses the former one's, under its
 * lock, and who closes a name on whatever CPU does so, too.  So nothing depends
 * on who runs where but what is shared.
 *
 * A CPU whose chunks are full is given the lowest chunk of the table that has
 * free slots, or a new one; when there is none below the limit, one of another
 * CPU.  Of its empty chunks it keeps one.
 */
#ifndef IPC_RIGHT_OWNER_H
#define IPC_RIGHT_OWNER_H

#include <stddef.h>
#include <stdint.h>

#include <ipc/right_table_types.h>
#include <kern/rcu.h>
#include <lib/macros.h>
#include <lib/status.h>

/*
 * The owner for a CPU.
 *
 * Context: inside a section of RCU
 * Returns: NULL, there is none yet
 */
static inline struct right_owner *
right_owner_find(const struct right_table *table, uint32_t cpu)
{
    struct right_owners *owners;

    /* Pairs with rcu_assign() in right_owner_create(). */
    owners = rcu_dereference(table->owners);
    return owners != NULL ? rcu_dereference(owners->by_cpu[cpu]) : NULL;
}

/* Slots whose names are in one cache line, and their rights in two. */
#define RIGHT_GROUP_SLOTS 16
#define RIGHT_GROUP_LOW   UINT64_C(0x0001000100010001)
#define RIGHT_GROUP_HIGH  UINT64_C(0x8000800080008000)

static_assert(offsetof(struct right_chunk, names) % CACHE_LINE == 0 &&
                  offsetof(struct right_chunk, rights) % CACHE_LINE == 0,
              "a group has its lines to itself");

/*
 * The free slot of a chunk that shares lines with the fewest that others may
 * look up: in an empty group, else in the last one that is not full, for what
 * stays long mostly came early.  Finding a zero among parts of a word: Warren,
 * Hacker's Delight, "Find First 0-Byte".
 *
 * @used  not all
 */
static inline uint32_t
right_owner_pick(uint64_t used)
{
    uint64_t empty = (used - RIGHT_GROUP_LOW) & ~used & RIGHT_GROUP_HIGH;

    if (likely(empty != 0)) {
        return (uint32_t)__builtin_ctzll(empty) - (RIGHT_GROUP_SLOTS - 1);
    }
    return 63 - (uint32_t)__builtin_clzll(~used);
}

/*
 * Find a free slot below the table's limit in the chunks of an owner.
 *
 * @ip  receives its number in the chunk
 *
 * Context: the owner's lock is held
 * Returns: its chunk; NULL, there is none
 */
static inline struct right_chunk *
right_owner_choose(struct right_table *table, struct right_owner *owner,
                   uint32_t *ip)
{
    uint32_t free, limit = READ_ONCE(table->limit), first;
    struct right_chunk *chunk;

    assert(spinlock_is_locked(&owner->pool.lock));

    for (free = owner->free; free != 0; free &= free - 1) {
        chunk = owner->chunks[__builtin_ctz(free)];
        first = chunk->index * RIGHT_CHUNK_SLOTS;
        *ip = right_owner_pick(chunk->used);
        if (likely(first + *ip < limit)) {
            return chunk;
        }
        *ip = (uint32_t)__builtin_ctzll(~chunk->used);
        if (first + *ip < limit) {
            return chunk;
        }
    }
    return NULL;
}

/*
 * Have a CPU own a chunk with a free slot.
 *
 * Context: thread, preemptible, no lock held
 * Returns: OK: try again; ERR_RANGE: there is none; ERR_NO_MEMORY; ERR_CLOSED
 */
status_t right_owner_refill(struct right_table *table,
                            uint32_t cpu) __must_check;

/*
 * Have a CPU give the table a chunk with a free slot, of at least this number.
 *
 * Context: thread, preemptible, no lock held
 * Returns: whether one did
 */
bool right_owner_reclaim(struct right_table *table, uint32_t least);

/*
 * A chunk is empty, and not the only one of its pool: give it to the table, or
 * back to the system.
 *
 * Context: thread, preemptible, no lock held
 */
void right_owner_tidy(struct right_table *table, uint32_t index);

/* Give all chunks to the table.  Context: the table's mutex is held */
void right_owner_dissolve_locked(struct right_table *table);

/*
 * Free all owners.
 *
 * Context: thread, preemptible; nobody uses the table but for look-ups
 */
void right_owner_destroy(struct right_table *table);

#endif /* IPC_RIGHT_OWNER_H */
