/* SPDX-License-Identifier: MIT */
/*
 * What is done rarely to chunks.
 */
#include <kern/rcu.h>
#include <lib/assert.h>
#include <ipc/right_bitmap.h>
#include <ipc/right_chunk.h>

struct right_chunk right_chunk_none = {
    .used = UINT64_MAX,
    .rights = { [0 ... RIGHT_CHUNK_SLOTS - 1] = &right_none },
};

void
right_chunk_init(struct right_chunk *chunk, struct right_table *table,
                 uint32_t index, uint16_t generation)
{
    uint32_t i;

    chunk->pool = &table->pool;
    chunk->used = 0;
    chunk->open = 0;
    chunk->reserved = 0;
    chunk->cloexec = 0;
    chunk->index = index;
    chunk->place = 0;
    chunk->is_dead = false;
    for (i = 0; i < RIGHT_CHUNK_SLOTS; i++) {
        chunk->names[i] = RIGHT_NAME_FREE(i);
        chunk->rights[i] = &right_none;
        chunk->generations[i] = generation;
    }
}

void
right_chunk_mark(struct right_table *table, struct right_chunk *chunk,
                 bool has_free)
{
    struct right_owner *owner;

    assert(spinlock_is_locked(&chunk->pool->lock));

    if (chunk->pool != &table->pool) {
        owner = container_of(chunk->pool, struct right_owner, pool);
        owner->free &= ~(UINT32_C(1) << chunk->place);
        owner->free |= (uint32_t)has_free << chunk->place;
        return;
    }
    table->lowest = NULL;
    if (has_free) {
        right_bitmap_set(&table->map->free, chunk->index);
    } else {
        right_bitmap_clear(&table->map->free, chunk->index);
    }
}

uint32_t
right_chunk_choose(struct right_table *table, struct right_chunk *chunk,
                   uint32_t from, bool is_unique)
{
    uint64_t free;
    uint32_t i;

    assert(spinlock_is_locked(&chunk->pool->lock));

    free = ~chunk->used & UINT64_MAX << from;
    while (free != 0) {
        i = (uint32_t)__builtin_ctzll(free);
        if (!is_unique || chunk->generations[i] <= RIGHT_GENERATION_MAX) {
            return i;
        }
        right_chunk_use(table, chunk, i);
        free &= free - 1;
    }
    return RIGHT_CHUNK_SLOTS;
}

void
right_chunk_revive(struct right_table *table, struct right_chunk *chunk)
{
    uint64_t used;

    assert(spinlock_is_locked(&chunk->pool->lock));

    used = chunk->open | chunk->reserved;
    if (used == chunk->used) {
        return;
    }
    right_chunk_mark(table, chunk, true);
    chunk->used = used;
    if (used == 0) {
        chunk->pool->nr_empty++;
    }
}

uint16_t
right_chunk_generation(const struct right_chunk *chunk)
{
    uint16_t generation = 0;
    uint32_t i;

    for (i = 0; i < RIGHT_CHUNK_SLOTS; i++) {
        generation = MAX(generation, chunk->generations[i]);
    }
    return generation;
}
