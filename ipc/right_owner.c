/* SPDX-License-Identifier: MIT */
/*
 * How chunks come to CPUs and leave them.  All of it is under the table's
 * mutex; the spin locks are for those who take and leave names meanwhile.
 */
#include <stddef.h>

#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <kern/rtmutex.h>
#include <kern/slab.h>
#include <kern/spinlock.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <ipc/right_bitmap.h>
#include <ipc/right_chunk.h>
#include <ipc/right_dir.h>
#include <ipc/right_owner.h>

static struct slab_cache right_owner_cache;

/* ----------------------------------------------------------------- memory */

static size_t
right_owners_size(void)
{
    return sizeof(struct right_owners) +
           cpu_nr_possible * sizeof(struct right_owner *);
}

/* Have room for the owners of all CPUs.  Context: the mutex is held */
static status_t
right_owners_create(struct right_table *table)
{
    struct right_owners *owners;
    size_t size = right_owners_size();

    if (table->owners != NULL) {
        return OK;
    }
    if (container_charge(table->container, CONTAINER_OBJECTS, size) != OK) {
        return ERR_NO_MEMORY;
    }
    owners = kzalloc(size);
    if (owners == NULL) {
        container_refund(table->container, CONTAINER_OBJECTS, size);
        return ERR_NO_MEMORY;
    }
    /* Pairs with rcu_dereference() in right_owner_find(). */
    rcu_assign(table->owners, owners);
    return OK;
}

/* The owner for a CPU, made if there is none.  Context: the mutex is held */
static status_t
right_owner_create(struct right_table *table, uint32_t cpu,
                   struct right_owner **ownerp)
{
    struct right_owner *owner = NULL;

    if (right_owners_create(table) != OK) {
        return ERR_NO_MEMORY;
    }
    *ownerp = table->owners->by_cpu[cpu];
    if (*ownerp != NULL) {
        return OK;
    }
    if (container_charge(table->container, CONTAINER_OBJECTS, sizeof(*owner)) !=
        OK) {
        return ERR_NO_MEMORY;
    }
    owner = slab_alloc(&right_owner_cache);
    if (owner == NULL) {
        container_refund(table->container, CONTAINER_OBJECTS, sizeof(*owner));
        return ERR_NO_MEMORY;
    }

    memset(owner, 0, sizeof(*owner));
    spinlock_init(&owner->pool.lock, LOCK_RIGHT_OWNER, "rights of a CPU");
    /* Pairs with rcu_dereference() in right_owner_find(). */
    rcu_assign(table->owners->by_cpu[cpu], owner);
    *ownerp = owner;
    return OK;
}

/* ----------------------------------------------- chunks that come and leave */

/*
 * Give a chunk of the table to an owner who has a place for it.
 *
 * Context: the mutex and both locks are held
 */
static void
right_owner_attach(struct right_table *table, struct right_owner *owner,
                   struct right_chunk *chunk)
{
    uint16_t place;

    assert(chunk->pool == &table->pool);
    assert(owner->nr_chunks < RIGHT_OWNER_CHUNKS);

    for (place = 0; owner->chunks[place] != NULL; place++) {
        assert(place + 1U < RIGHT_OWNER_CHUNKS);
    }
    table->lowest = NULL;
    right_bitmap_clear(&table->map->free, chunk->index);
    if (chunk->used == 0) {
        table->pool.nr_empty--;
        owner->pool.nr_empty++;
    }
    owner->chunks[place] = chunk;
    owner->nr_chunks++;
    chunk->place = place;
    /* Pairs with rcu_dereference() in right_chunk_lock(). */
    rcu_assign(chunk->pool, &owner->pool);
    right_chunk_mark(table, chunk, chunk->used != UINT64_MAX);
}

/*
 * Give a chunk of an owner to the table.
 *
 * Context: the mutex and both locks are held
 */
static void
right_owner_detach(struct right_table *table, struct right_owner *owner,
                   struct right_chunk *chunk)
{
    assert(chunk->pool == &owner->pool);

    right_chunk_mark(table, chunk, false);
    if (chunk->used == 0) {
        owner->pool.nr_empty--;
        table->pool.nr_empty++;
    }
    owner->chunks[chunk->place] = NULL;
    owner->nr_chunks--;
    /* Pairs with rcu_dereference() in right_chunk_lock(). */
    rcu_assign(chunk->pool, &table->pool);
    right_chunk_mark(table, chunk, chunk->used != UINT64_MAX);
}

static void
right_owner_lock_both(struct right_table *table, struct right_owner *owner)
{
    assert(rtmutex_is_owned(&table->mutex));

    spinlock_lock(&table->pool.lock);
    spinlock_lock(&owner->pool.lock);
}

static void
right_owner_unlock_both(struct right_table *table, struct right_owner *owner)
{
    spinlock_unlock(&owner->pool.lock);
    spinlock_unlock(&table->pool.lock);
}

/*
 * The lowest free slot of a chunk from a number on; RIGHT_SLOTS_MAX, none.
 *
 * Context: its pool is locked
 */
static uint32_t
right_owner_free_slot(const struct right_chunk *chunk, uint32_t least)
{
    uint32_t first = chunk->index * RIGHT_CHUNK_SLOTS;
    uint64_t free = ~chunk->used;

    if (least >= first + RIGHT_CHUNK_SLOTS) {
        return RIGHT_SLOTS_MAX;
    }
    if (least > first) {
        free &= UINT64_MAX << (least - first);
    }
    return free != 0 ? first + (uint32_t)__builtin_ctzll(free)
                     : RIGHT_SLOTS_MAX;
}

/*
 * Take a chunk with a free slot from its owner, of at least this number and
 * below the limit.
 *
 * Context: the mutex is held
 * Returns: false, it has none
 */
static bool
right_owner_take(struct right_table *table, struct right_owner *owner,
                 uint32_t least)
{
    struct right_chunk *chunk;
    bool is_found = false;
    uint32_t free;

    right_owner_lock_both(table, owner);
    for (free = owner->free; free != 0 && !is_found; free &= free - 1) {
        chunk = owner->chunks[__builtin_ctz(free)];
        is_found = right_owner_free_slot(chunk, least) <
                   READ_ONCE(table->limit);
        if (is_found) {
            right_owner_detach(table, owner, chunk);
        }
    }
    right_owner_unlock_both(table, owner);
    return is_found;
}

/* The same from any owner but one. */
static bool
right_owner_take_any(struct right_table *table, const struct right_owner * not,
                     uint32_t least)
{
    struct right_owner *owner;
    uint32_t cpu;

    if (table->owners == NULL) {
        return false;
    }
    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        owner = table->owners->by_cpu[cpu];
        if (owner != NULL &&
            owner != not&&right_owner_take(table, owner, least)) {
            return true;
        }
    }
    return false;
}

/* Whether the table has, or may have, such a slot in its own chunks. */
static bool
right_owner_table_has(struct right_table *table, uint32_t least)
{
    uint32_t index = least / RIGHT_CHUNK_SLOTS, slot;
    struct right_chunk *chunk;

    spinlock_lock(&table->pool.lock);
    do {
        index = right_bitmap_find(&table->map->free, index);
        chunk = right_dir_find(table, index);
        slot = chunk != NULL ? right_owner_free_slot(chunk, least)
                             : MAX(least, index * RIGHT_CHUNK_SLOTS);
        /* Only in the first one all free slots may be lower. */
    } while (chunk != NULL && slot == RIGHT_SLOTS_MAX &&
             index++ < RIGHT_DIR_MAX);
    spinlock_unlock(&table->pool.lock);
    return slot < READ_ONCE(table->limit);
}

bool
right_owner_reclaim(struct right_table *table, uint32_t least)
{
    bool is_found;

    /* What had an owner may have come to the table since it was looked at. */
    rtmutex_lock(&table->mutex);
    is_found = right_owner_table_has(table, least) ||
               right_owner_take_any(table, NULL, least);
    rtmutex_unlock(&table->mutex);
    return is_found;
}

/* ------------------------------------------------------------------ refill */

/*
 * The index of the lowest chunk of the table, or of one that can be made, with
 * a free slot below the limit.
 *
 * Returns: RIGHT_DIR_MAX, there is none
 */
static uint32_t
right_owner_lowest_locked(struct right_table *table)
{
    struct right_chunk *chunk;
    uint32_t index, slot;

    assert(spinlock_is_locked(&table->pool.lock));

    index = right_bitmap_find(&table->map->free, 0);
    chunk = right_dir_find(table, index);
    slot = index * RIGHT_CHUNK_SLOTS;
    if (chunk != NULL) {
        slot += (uint32_t)__builtin_ctzll(~chunk->used);
    }
    return slot < READ_ONCE(table->limit) ? index : (uint32_t)RIGHT_DIR_MAX;
}

/* Have an owner without free slots give up one of his chunks if it has most. */
static void
right_owner_make_room(struct right_table *table, struct right_owner *owner)
{
    struct right_chunk *chunk;

    if (owner->nr_chunks == RIGHT_OWNER_CHUNKS) {
        chunk = owner->chunks[owner->victim++ % RIGHT_OWNER_CHUNKS];
        right_owner_detach(table, owner, chunk);
    }
}

/*
 * Give an owner a chunk that the table has.
 *
 * @indexp  receives where to make one if it does not
 *
 * Context: the mutex is held
 * Returns: OK, it has free slots; ERR_NOT_FOUND, there shall be one at *indexp;
 *          ERR_RANGE, there is none
 */
static status_t
right_owner_give(struct right_table *table, struct right_owner *owner,
                 uint32_t *indexp)
{
    struct right_chunk *chunk = NULL;
    status_t status = OK;
    uint32_t i;

    right_owner_lock_both(table, owner);
    if (right_owner_choose(table, owner, &i) == NULL) {
        *indexp = right_owner_lowest_locked(table);
        if (*indexp < RIGHT_DIR_MAX) {
            chunk = right_dir_find(table, *indexp);
            status = chunk != NULL ? OK : ERR_NOT_FOUND;
        } else {
            status = ERR_RANGE;
        }
    }
    if (chunk != NULL) {
        right_owner_make_room(table, owner);
        right_owner_attach(table, owner, chunk);
    }
    right_owner_unlock_both(table, owner);
    return status;
}

static status_t
right_owner_refill_locked(struct right_table *table, uint32_t cpu)
{
    struct right_owner *owner;
    status_t status;
    uint32_t index;

    if (READ_ONCE(table->is_closing)) {
        return ERR_CLOSED;
    }
    if (READ_ONCE(table->policy) != RIGHT_ANY) {
        return OK;
    }
    status = right_owner_create(table, cpu, &owner);
    if (status != OK) {
        return status;
    }
    status = right_owner_give(table, owner, &index);
    if (status == ERR_NOT_FOUND) {
        /* Given the next time, to who comes first. */
        return right_dir_add_locked(table, index);
    }
    if (status == ERR_RANGE && right_owner_take_any(table, owner, 0)) {
        return OK;
    }
    return status;
}

status_t
right_owner_refill(struct right_table *table, uint32_t cpu)
{
    status_t status;

    rtmutex_lock(&table->mutex);
    status = right_owner_refill_locked(table, cpu);
    rtmutex_unlock(&table->mutex);
    return status;
}

/* --------------------------------------------------------------- giving up */

void
right_owner_tidy(struct right_table *table, uint32_t index)
{
    struct right_chunk *chunk;
    struct right_owner *owner;
    struct right_pool *pool;

    rtmutex_lock(&table->mutex);
    chunk = right_dir_find(table, index);
    /* Nobody but who has the mutex changes it. */
    pool = chunk != NULL ? rcu_protected(chunk->pool) : NULL;
    if (pool != NULL && pool != &table->pool) {
        owner = container_of(pool, struct right_owner, pool);
        right_owner_lock_both(table, owner);
        if (chunk->used == 0 && owner->pool.nr_empty > 1) {
            right_owner_detach(table, owner, chunk);
        }
        right_owner_unlock_both(table, owner);
    }
    right_dir_trim_locked(table, index);
    rtmutex_unlock(&table->mutex);
}

static void
right_owner_leave(struct right_table *table, struct right_owner *owner)
{
    struct right_chunk *chunk;
    uint32_t place;

    for (place = 0; place < RIGHT_OWNER_CHUNKS; place++) {
        right_owner_lock_both(table, owner);
        chunk = owner->chunks[place];
        if (chunk != NULL) {
            right_owner_detach(table, owner, chunk);
        }
        right_owner_unlock_both(table, owner);
    }
}

void
right_owner_dissolve_locked(struct right_table *table)
{
    uint32_t cpu;

    assert(rtmutex_is_owned(&table->mutex));

    for (cpu = 0; table->owners != NULL && cpu < cpu_nr_possible; cpu++) {
        if (table->owners->by_cpu[cpu] != NULL) {
            right_owner_leave(table, table->owners->by_cpu[cpu]);
        }
    }
}

void
right_owner_destroy(struct right_table *table)
{
    struct right_owners *owners = table->owners;
    struct right_owner *owner;
    uint32_t cpu;

    if (owners == NULL) {
        return;
    }
    rtmutex_lock(&table->mutex);
    right_owner_dissolve_locked(table);
    rcu_assign(table->owners, NULL);
    rtmutex_unlock(&table->mutex);
    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        owner = owners->by_cpu[cpu];
        if (owner != NULL) {
            container_refund(table->container, CONTAINER_OBJECTS,
                             sizeof(*owner));
            rcu_free(owner, head);
        }
    }
    container_refund(table->container, CONTAINER_OBJECTS, right_owners_size());
    rcu_free(owners, head);
}

static status_t
right_owner_setup(void)
{
    slab_cache_init(&right_owner_cache, "right owner",
                    sizeof(struct right_owner), CACHE_LINE, 0);
    return OK;
}

INIT_OP(right_owner_setup, INIT_BOOT_CPU, AFTER(slab_setup));
