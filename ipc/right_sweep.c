/* SPDX-License-Identifier: MIT */
/*
 * What concerns many entries of a table: it goes from chunk to chunk, and takes
 * a few entries at a time under the lock, so that nobody waits long.
 */
#include <stddef.h>

#include <kern/rcu.h>
#include <kern/rtmutex.h>
#include <kern/spinlock.h>
#include <lib/assert.h>
#include <lib/bitmap.h>
#include <lib/string.h>
#include <ipc/kobject.h>
#include <ipc/right.h>
#include <ipc/right_bitmap.h>
#include <ipc/right_chunk.h>
#include <ipc/right_dir.h>
#include <ipc/right_owner.h>
#include <ipc/right_table.h>

/* Entries that are taken under a lock at once. */
#define RIGHT_SWEEP_BATCH 16

/*
 * Entries of one chunk.
 */
struct right_sweep {
    uint32_t index; /* of the chunk */
    uint32_t nr;
    bool is_spare; /* the chunk is empty, and so is another one */
    struct right *rights[RIGHT_SWEEP_BATCH];
    uint32_t names[RIGHT_SWEEP_BATCH];
    uint32_t flags[RIGHT_SWEEP_BATCH];
};

/* Which slots of a chunk are of interest.  Context: the pool is locked */
typedef uint64_t (*right_select_fn_t)(const struct right_chunk *chunk);

static uint64_t
right_select_open(const struct right_chunk *chunk)
{
    return chunk->open;
}

static uint64_t
right_select_cloexec(const struct right_chunk *chunk)
{
    return chunk->open & chunk->cloexec;
}

/*
 * Lock the first chunk from an index on.
 *
 * Context: inside a section of RCU
 * Returns: NULL, there is none, and nothing is locked
 */
static struct right_chunk *
right_sweep_lock(struct right_table *table, uint32_t index)
{
    struct right_chunk *chunk;

    chunk = right_dir_next(table, index);
    if (chunk != NULL) {
        (void)right_chunk_lock(chunk);
    }
    return chunk;
}

/* ------------------------------------------------------------------ closing */

/*
 * Take some entries away.
 *
 * Returns: false, there is no chunk from sweep->index on
 */
static bool
right_sweep_take(struct right_table *table, struct right_sweep *sweep,
                 right_select_fn_t select)
{
    struct right_chunk *chunk;
    uint64_t slots;
    uint32_t i;

    sweep->nr = 0;
    sweep->is_spare = false;
    rcu_read_lock();
    chunk = right_sweep_lock(table, sweep->index);
    if (chunk != NULL) {
        sweep->index = chunk->index;
        for (slots = select(chunk); slots != 0 && sweep->nr < RIGHT_SWEEP_BATCH;
             slots &= slots - 1) {
            i = (uint32_t)__builtin_ctzll(slots);
            sweep->rights[sweep->nr++] = chunk->rights[i];
            sweep->is_spare = right_chunk_close(table, chunk, chunk->names[i]);
        }
        spinlock_unlock(&chunk->pool->lock);
    }
    rcu_read_unlock();
    return chunk != NULL;
}

static void
right_sweep_close(struct right_table *table, right_select_fn_t select)
{
    struct right_sweep sweep;
    uint32_t i;

    sweep.index = 0;
    while (right_sweep_take(table, &sweep, select)) {
        for (i = 0; i < sweep.nr; i++) {
            right_close(sweep.rights[i]);
        }
        if (sweep.is_spare) {
            right_owner_tidy(table, sweep.index);
        }
        if (sweep.nr < RIGHT_SWEEP_BATCH) {
            sweep.index++;
        }
    }
}

void
right_table_close_all(struct right_table *table)
{
    /* Whoever takes a slot under a lock after the sweep has had it sees it. */
    spinlock_lock(&table->pool.lock);
    WRITE_ONCE(table->is_closing, true);
    WRITE_ONCE(table->limit, 0);
    spinlock_unlock(&table->pool.lock);
    right_sweep_close(table, right_select_open);
}

void
right_table_close_on_exec(struct right_table *table)
{
    right_sweep_close(table, right_select_cloexec);
}

/* ------------------------------------------------------------------ looking */

static void
right_info_fill(struct right_info *info, const struct right_chunk *chunk,
                uint32_t i)
{
    const struct right *right = chunk->rights[i];

    memset(info, 0, sizeof(*info));
    info->name = chunk->names[i];
    info->flags = right_chunk_flags(chunk, i);
    info->label = right->label;
    info->kind = right->object->kind;
    info->serial = right->object->serial;
    kobject_copy_name(right->object, info->object);
}

status_t
right_table_next(struct right_table *table, uint32_t name,
                 struct right_info *info)
{
    uint32_t slot = right_name_slot(name), index = slot / RIGHT_CHUNK_SLOTS;
    uint64_t from = UINT64_MAX << slot % RIGHT_CHUNK_SLOTS, slots;
    struct right_chunk *chunk;

    do {
        slots = 0;
        rcu_read_lock();
        chunk = right_sweep_lock(table, index);
        if (chunk != NULL) {
            slots = chunk->open & (chunk->index == index ? from : UINT64_MAX);
            index = chunk->index;
            if (slots != 0) {
                right_info_fill(info, chunk, (uint32_t)__builtin_ctzll(slots));
            }
            spinlock_unlock(&chunk->pool->lock);
        }
        rcu_read_unlock();
        index++;
        from = UINT64_MAX;
    } while (chunk != NULL && slots == 0);
    return chunk != NULL ? OK : ERR_NOT_FOUND;
}

uint32_t
right_table_count(struct right_table *table)
{
    struct right_chunk *chunk;
    uint32_t index, nr = 0;

    for (index = 0;; index++) {
        rcu_read_lock();
        chunk = right_sweep_lock(table, index);
        if (chunk != NULL) {
            index = chunk->index;
            nr += (uint32_t)bitmap_count_word(chunk->open);
            spinlock_unlock(&chunk->pool->lock);
        }
        rcu_read_unlock();
        if (chunk == NULL) {
            return nr;
        }
    }
}

/* ------------------------------------------------------------------ cloning */

/*
 * Copy some entries of a chunk, with references, and the generations.
 *
 * @from         slots below this were copied before
 * @generations  receives those of the chunk
 *
 * Returns: false, there is no chunk from sweep->index on
 */
static bool
right_clone_copy(struct right_table *table, struct right_sweep *sweep,
                 uint32_t from, uint16_t *generations)
{
    struct right_chunk *chunk;
    uint64_t slots;
    uint32_t i;

    sweep->nr = 0;
    rcu_read_lock();
    chunk = right_sweep_lock(table, sweep->index);
    if (chunk != NULL) {
        slots = chunk->open;
        slots &= chunk->index == sweep->index ? UINT64_MAX << from : UINT64_MAX;
        sweep->index = chunk->index;
        for (; slots != 0 && sweep->nr < RIGHT_SWEEP_BATCH;
             slots &= slots - 1) {
            i = (uint32_t)__builtin_ctzll(slots);
            right_get(chunk->rights[i]);
            sweep->rights[sweep->nr] = chunk->rights[i];
            sweep->names[sweep->nr] = chunk->names[i];
            sweep->flags[sweep->nr++] = right_chunk_flags(chunk, i);
        }
        memcpy(generations, chunk->generations, sizeof(chunk->generations));
        spinlock_unlock(&chunk->pool->lock);
    }
    rcu_read_unlock();
    return chunk != NULL;
}

/* Enter a right into a chunk that nobody else uses yet. */
static void
right_clone_enter(struct right_table *to, struct right_chunk *chunk,
                  const struct right_sweep *sweep, uint32_t nth)
{
    uint32_t name = sweep->names[nth];

    spinlock_lock(&to->pool.lock);
    right_chunk_use(to, chunk, name % RIGHT_CHUNK_SLOTS);
    right_chunk_open(chunk, name % RIGHT_CHUNK_SLOTS, name, sweep->rights[nth],
                     sweep->flags[nth]);
    spinlock_unlock(&to->pool.lock);
}

/* Enter what was copied; all references are used up. */
static status_t
right_clone_paste(struct right_table *to, const struct right_sweep *sweep,
                  const uint16_t *generations)
{
    struct right_chunk *chunk;
    status_t status;
    uint32_t i;

    status = right_dir_add(to, sweep->index);
    chunk = right_dir_find(to, sweep->index);
    if (status == OK) {
        memcpy(chunk->generations, generations, sizeof(chunk->generations));
    }
    for (i = 0; i < sweep->nr; i++) {
        if (status == OK) {
            right_clone_enter(to, chunk, sweep, i);
        } else {
            right_put(sweep->rights[i]);
        }
    }
    return status;
}

/* Have names not come again in the clone, either. */
static status_t
right_clone_generations(struct right_table *to, struct right_table *from)
{
    uint16_t generations[RIGHT_DIR_BATCH];
    status_t status = OK;
    uint32_t first, nr;

    if (!READ_ONCE(from->was_unique)) {
        return OK;
    }
    WRITE_ONCE(to->was_unique, true);
    for (first = 0; status == OK; first += nr) {
        nr = right_dir_generations(from, first, generations);
        if (nr == 0) {
            return OK;
        }
        status = right_dir_set_generations(to, first, nr, generations);
    }
    return status;
}

status_t
right_table_clone(struct right_table *to, struct right_table *from)
{
    uint16_t generations[RIGHT_CHUNK_SLOTS];
    struct right_sweep sweep;
    status_t status;
    uint32_t first = 0;

    assert(to->base == from->base);

    status = right_clone_generations(to, from);
    sweep.index = 0;
    while (status == OK && right_clone_copy(from, &sweep, first, generations)) {
        status = right_clone_paste(to, &sweep, generations);
        if (sweep.nr == RIGHT_SWEEP_BATCH) {
            first = sweep.names[sweep.nr - 1] % RIGHT_CHUNK_SLOTS + 1;
        }
        if (sweep.nr < RIGHT_SWEEP_BATCH || first == RIGHT_CHUNK_SLOTS) {
            sweep.index++;
            first = 0;
        }
    }
    return status;
}
