/* SPDX-License-Identifier: MIT */
/*
 * Entries: how they come, change and go.
 *
 * Whoever looks for a chunk in order to change it is inside a section of RCU
 * until he has left its lock, so that neither the chunk nor the pool is freed
 * below him.  Nothing is allocated, charged, closed or asked under a spin lock:
 * what is needed is taken before, what is left over is given back behind.
 *
 * May run concurrently, by slots that both mean:
 *
 *              find  insert  set  remove  reserve  move of the chunk
 *     find     yes   yes     yes  yes     yes      yes
 *     insert         -       -    -       -        -
 *     set                    -    -       -        -
 *     remove                      -       -        -
 *     reserve                             -        -
 *
 * where - is one after the other, by the lock of the chunk's pool.
 */
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/option.h>
#include <kern/rcu.h>
#include <kern/rtmutex.h>
#include <kern/spinlock.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <ipc/kobject.h>
#include <ipc/right.h>
#include <ipc/right_bitmap.h>
#include <ipc/right_chunk.h>
#include <ipc/right_dir.h>
#include <ipc/right_now_i.h>
#include <ipc/right_owner.h>
#include <ipc/right_table.h>

#define RIGHT_POLICY_NAME(name, text) [RIGHT_##name] = (text),
static const char *const right_policy_names[] = { RIGHT_POLICIES(
    RIGHT_POLICY_NAME) };

static enum right_policy right_policy_usual; /* constant once booted */

/* --------------------------------------------------------- chunks of names */

/*
 * Lock the chunk in which a name is.
 *
 * Context: inside a section of RCU
 * Returns: NULL, there is no such name, and nothing is locked
 */
static __always_inline struct right_chunk *
right_table_lock_name(struct right_table *table, uint32_t name)
{
    struct right_chunk *chunk = right_table_peek(table, name);
    struct right_pool *pool;

    if (unlikely(chunk == &right_chunk_none)) {
        return NULL;
    }
    pool = right_chunk_lock(chunk);
    if (unlikely(!right_chunk_has(chunk, name))) {
        spinlock_unlock(&pool->lock);
        return NULL;
    }
    return chunk;
}

/* ------------------------------------------------------- taking a free slot */

static bool
right_table_is_unique(const struct right_table *table)
{
    return READ_ONCE(table->policy) == RIGHT_UNIQUE;
}

/*
 * Use a slot, for a right or, if there is none, for later.
 *
 * Context: the chunk's pool is locked
 * Returns: its name
 */
static __always_inline uint32_t
right_table_use(struct right_table *table, struct right_chunk *chunk,
                uint32_t i, struct right *right, uint32_t flags)
{
    uint32_t name;

    name = table->base + chunk->index * RIGHT_CHUNK_SLOTS + i;
    if (right_table_is_unique(table)) {
        name += (uint32_t)chunk->generations[i] << RIGHT_SLOT_BITS;
    }
    right_chunk_use(table, chunk, i);
    if (right != NULL) {
        right_chunk_open(chunk, i, name, right, flags);
    } else {
        chunk->reserved |= right_chunk_bit(i);
    }
    return name;
}

/*
 * Find the lowest free slot in the chunks of the table.
 *
 * @chunkp  receives its chunk; NULL, it has to be made
 * @slotp   receives the number of the slot
 *
 * Context: the table is locked
 * Returns: OK; ERR_RANGE, there is none; ERR_AGAIN, not looked at all
 */
static status_t
right_table_choose(struct right_table *table, uint32_t least,
                   struct right_chunk **chunkp, uint32_t *slotp)
{
    uint32_t index = least / RIGHT_CHUNK_SLOTS, first, i;
    uint32_t limit = READ_ONCE(table->limit);
    bool is_first = least == 0;

    first = right_bitmap_find(&table->map->free, index);
    if (first != index && index < table->map->free.nr_bits) {
        least = first * RIGHT_CHUNK_SLOTS;
        index = first;
    }
    *slotp = least;
    if (least >= limit) {
        return ERR_RANGE;
    }
    *chunkp = right_dir_find(table, index);
    if (*chunkp == NULL) {
        return OK;
    }
    if (is_first) {
        table->lowest = *chunkp;
    }
    i = right_chunk_choose(table, *chunkp, least % RIGHT_CHUNK_SLOTS,
                           right_table_is_unique(table));
    *slotp = index * RIGHT_CHUNK_SLOTS + i;
    if (i == RIGHT_CHUNK_SLOTS) {
        return ERR_AGAIN;
    }
    return *slotp < limit ? OK : ERR_RANGE;
}

/*
 * Use the lowest free slot from *@leastp on; on ERR_AGAIN, *@leastp is where
 * to go on.
 */
static status_t
right_table_use_lowest(struct right_table *table, uint32_t *leastp,
                       struct right *right, uint32_t flags, uint32_t *namep)
{
    struct right_chunk *chunk = NULL;
    uint32_t slot = 0;
    status_t status;

    spinlock_lock(&table->pool.lock);
    status = READ_ONCE(table->is_closing)
                 ? ERR_CLOSED
                 : right_table_choose(table, *leastp, &chunk, &slot);
    if (status == OK && chunk != NULL) {
        *namep = right_table_use(table, chunk, slot % RIGHT_CHUNK_SLOTS, right,
                                 flags);
    }
    spinlock_unlock(&table->pool.lock);

    if (status == ERR_AGAIN) {
        *leastp = slot;
    } else if (status == ERR_RANGE && right_owner_reclaim(table, *leastp)) {
        return ERR_AGAIN;
    } else if (status == OK && chunk == NULL) {
        status = right_dir_add(table, slot / RIGHT_CHUNK_SLOTS);
        return status == OK ? ERR_AGAIN : status;
    }
    return status;
}

/*
 * Use a slot of an owner.
 *
 * Context: inside a section of RCU
 * Returns: false, it has none
 */
static __always_inline bool
right_table_use_of(struct right_table *table, struct right_owner *owner,
                   struct right *right, uint32_t flags, uint32_t *namep)
{
    struct right_chunk *chunk;
    uint32_t i;

    spinlock_lock(&owner->pool.lock);
    chunk = right_owner_choose(table, owner, &i);
    if (likely(chunk != NULL)) {
        *namep = right_table_use(table, chunk, i, right, flags);
    }
    spinlock_unlock(&owner->pool.lock);
    return chunk != NULL;
}

/* Use a slot of this CPU. */
static status_t
right_table_use_own(struct right_table *table, struct right *right,
                    uint32_t flags, uint32_t *namep)
{
    struct right_owner *owner;
    uint32_t cpu = cpu_id();
    bool is_done;
    status_t status;

    rcu_read_lock();
    owner = right_owner_find(table, cpu);
    is_done = owner != NULL &&
              right_table_use_of(table, owner, right, flags, namep);
    rcu_read_unlock();
    if (is_done) {
        return OK;
    }
    status = right_owner_refill(table, cpu);
    return status == OK ? ERR_AGAIN : status;
}

/* Why there was no slot: a table that is being closed has a limit of zero. */
static status_t
right_table_why(const struct right_table *table, status_t status)
{
    /* Pairs with right_table_close_all(), which writes the limit last. */
    return status == ERR_RANGE &&
                   __atomic_load_n(&table->is_closing, __ATOMIC_ACQUIRE)
               ? ERR_CLOSED
               : status;
}

/*
 * Use a slot that the policy chooses.
 *
 * @right  its reference becomes the entry's; NULL: the name is reserved
 */
static status_t
right_table_enter(struct right_table *table, struct right *right,
                  uint32_t least, uint32_t flags, uint32_t *namep)
{
    status_t status;

    least = least > table->base ? least - table->base : 0;
    do {
        if (least == 0 && READ_ONCE(table->policy) == RIGHT_ANY) {
            status = right_table_use_own(table, right, flags, namep);
        } else {
            status = right_table_use_lowest(table, &least, right, flags, namep);
        }
    } while (unlikely(status == ERR_AGAIN));
    return right_table_why(table, status);
}

/* -------------------------------------------- entries where nobody cares */

status_t
right_table_get(const struct right_table *table, uint32_t name,
                struct right **rightp)
{
    struct right *right;
    bool is_found;

    rcu_read_lock();
    right = right_table_find(table, name);
    is_found = right_try_get(right);
    rcu_read_unlock();
    *rightp = right;
    return is_found ? OK : ERR_NOT_FOUND;
}

/*
 * Insert a right, whose reference becomes the entry's; on error it is given up.
 */
static status_t
right_table_insert_own(struct right_table *table, struct right *right,
                       uint32_t least, uint32_t flags, uint32_t *namep)
{
    status_t status;

    status = right_table_enter(table, right, least, flags, namep);
    if (status != OK) {
        right_put(right);
    }
    return status;
}

status_t
right_table_insert(struct right_table *table, struct right *right,
                   uint32_t least, uint32_t flags, uint32_t *namep)
{
    right_get(right);
    return right_table_insert_own(table, right, least, flags, namep);
}

static __noinline status_t
right_table_dup_slow(struct right_table *table, uint32_t name, uint32_t least,
                     uint32_t flags, uint32_t *namep)
{
    struct right *right;
    status_t status;

    status = right_table_get(table, name, &right);
    if (status != OK) {
        return status;
    }
    return right_table_insert_own(table, right, least, flags, namep);
}

/*
 * Duplicate to a slot of this CPU, as far as that is possible at once.
 */
static __noinline bool
right_table_dup_own(struct right_table *table, uint32_t name, uint32_t flags,
                    uint32_t *namep)
{
    struct right_owner *owner;
    struct right *right;
    bool is_done = false;

    rcu_read_lock();
    owner = right_owner_find(table, cpu_id());
    right = right_table_find(table, name);
    if (likely(owner != NULL) && likely(right_try_get(right))) {
        is_done = right_table_use_of(table, owner, right, flags, namep);
        if (unlikely(!is_done)) {
            right_put(right);
        }
    }
    rcu_read_unlock();
    return is_done;
}

/* Duplicate to any free slot, if that is possible at once. */
static __always_inline bool
right_table_try_dup(struct right_table *table, uint32_t name, uint32_t flags,
                    uint32_t *namep)
{
    if (READ_ONCE(table->policy) == RIGHT_ANY) {
        return right_table_dup_own(table, name, flags, namep);
    }
    *namep = flags == 0 ? right_table_dup_now(table, name) : RIGHT_NAME_NONE;
    return *namep != RIGHT_NAME_NONE;
}

status_t
right_table_dup(struct right_table *table, uint32_t name, uint32_t least,
                uint32_t flags, uint32_t *namep)
{
    return likely(least <= table->base) &&
                   likely(right_table_try_dup(table, name, flags, namep))
               ? OK
               : right_table_dup_slow(table, name, least, flags, namep);
}

/* -------------------------------------------------------- numbers of choice */

/* An entry that is to be made, with a name that was given. */
struct right_wish {
    uint32_t name;
    uint32_t flags;
    struct right *right;
};

/*
 * Fulfil a wish, or say why not.
 *
 * @oldp  receives what was there
 *
 * Context: the chunk's pool is locked
 */
static status_t
right_table_set_locked(struct right_table *table, struct right_chunk *chunk,
                       const struct right_wish *wish, struct right **oldp)
{
    uint32_t i = wish->name % RIGHT_CHUNK_SLOTS;
    uint64_t bit = right_chunk_bit(i);

    if (READ_ONCE(table->is_closing)) {
        return ERR_CLOSED;
    }
    if (right_chunk_has(chunk, wish->name)) {
        *oldp = chunk->rights[i];
        rcu_assign(chunk->rights[i], wish->right);
        chunk->cloexec &= ~bit;
        right_chunk_add_flags(chunk, i, wish->flags);
        return OK;
    }
    if (right_name_generation(wish->name) != 0) {
        return ERR_NOT_FOUND;
    }
    if ((chunk->open | chunk->reserved) & bit) {
        return ERR_BUSY;
    }
    /* It may be retired: who wants the very number gets it. */
    if (!(chunk->used & bit)) {
        right_chunk_use(table, chunk, i);
    }
    right_chunk_open(chunk, i, wish->name, wish->right, wish->flags);
    return OK;
}

/* The same where there may be no chunk yet; then ERR_AGAIN. */
static status_t
right_table_try_set(struct right_table *table, const struct right_wish *wish,
                    struct right **oldp)
{
    uint32_t index = right_name_slot(wish->name) / RIGHT_CHUNK_SLOTS;
    status_t status = ERR_AGAIN;
    struct right_chunk *chunk;
    struct right_pool *pool;

    rcu_read_lock();
    chunk = right_dir_find(table, index);
    if (chunk != NULL) {
        pool = right_chunk_lock(chunk);
        if (!chunk->is_dead) {
            status = right_table_set_locked(table, chunk, wish, oldp);
        }
        spinlock_unlock(&pool->lock);
    }
    rcu_read_unlock();
    if (chunk != NULL) {
        return status;
    }
    if (right_name_generation(wish->name) != 0) {
        return ERR_NOT_FOUND;
    }
    status = right_dir_add(table, index);
    return status == OK ? ERR_AGAIN : status;
}

/* Whether a number can be a name of the table at all. */
static bool
right_table_has_number(const struct right_table *table, uint32_t name)
{
    uint32_t numbers = UINT32_C(1) << (RIGHT_SLOT_BITS + RIGHT_GENERATION_BITS);

    return name - table->base < numbers &&
           right_name_slot(name) < READ_ONCE(table->limit);
}

/* right_table_set() with a reference that becomes the entry's. */
static status_t
right_table_set_own(struct right_table *table, uint32_t name,
                    struct right *right, uint32_t flags, struct right **oldp)
{
    struct right_wish wish = { .name = name, .flags = flags, .right = right };
    status_t status;

    *oldp = NULL;
    do {
        status = right_table_has_number(table, name)
                     ? right_table_try_set(table, &wish, oldp)
                     : ERR_RANGE;
    } while (status == ERR_AGAIN);
    if (status != OK) {
        right_put(right);
    }
    return right_table_why(table, status);
}

status_t
right_table_set(struct right_table *table, uint32_t name, struct right *right,
                uint32_t flags, struct right **oldp)
{
    right_get(right);
    return right_table_set_own(table, name, right, flags, oldp);
}

status_t
right_table_dup_to(struct right_table *table, uint32_t name, uint32_t to,
                   uint32_t flags)
{
    struct right *right, *old;
    status_t status;

    status = right_table_get(table, name, &right);
    if (status != OK) {
        return status;
    }
    if (name == to) {
        right_put(right);
        return OK;
    }
    status = right_table_set_own(table, to, right, flags, &old);
    if (status == OK && old != NULL) {
        right_close(old);
    }
    return status;
}

/* ------------------------------------------------- entries that are there */

/*
 * Take an entry away.  Returns: its right; NULL, there is none
 */
static __always_inline struct right *
right_table_take(struct right_table *table, uint32_t name)
{
    uint64_t i = name % RIGHT_CHUNK_SLOTS;
    struct right_chunk *chunk;
    struct right *right;
    bool is_spare;

    rcu_read_lock();
    chunk = right_table_lock_name(table, name);
    if (unlikely(chunk == NULL)) {
        rcu_read_unlock();
        return NULL;
    }
    right = rcu_protected(*RIGHT_ELEMENT(chunk, rights, i));
    is_spare = right_chunk_close(table, chunk, name);
    spinlock_unlock(&chunk->pool->lock);
    rcu_read_unlock();
    if (unlikely(is_spare)) {
        right_owner_tidy(table, right_name_slot(name) / RIGHT_CHUNK_SLOTS);
    }
    return right;
}

status_t
right_table_remove(struct right_table *table, uint32_t name,
                   struct right **rightp)
{
    *rightp = right_table_take(table, name);
    return *rightp != NULL ? OK : ERR_NOT_FOUND;
}

status_t
right_table_close(struct right_table *table, uint32_t name)
{
    struct right *right;

    if (likely(right_table_close_now(table, name))) {
        return OK;
    }
    right = right_table_take(table, name);
    if (unlikely(right == NULL)) {
        return ERR_NOT_FOUND;
    }
    right_close(right);
    return OK;
}

status_t
right_table_flags(struct right_table *table, uint32_t name, uint32_t *flagsp)
{
    struct right_chunk *chunk;

    rcu_read_lock();
    chunk = right_table_lock_name(table, name);
    if (chunk != NULL) {
        *flagsp = right_chunk_flags(chunk, name % RIGHT_CHUNK_SLOTS);
        spinlock_unlock(&chunk->pool->lock);
    }
    rcu_read_unlock();
    return chunk != NULL ? OK : ERR_NOT_FOUND;
}

status_t
right_table_set_flags(struct right_table *table, uint32_t name, uint32_t mask,
                      uint32_t flags, uint32_t *before)
{
    struct right_chunk *chunk;
    uint32_t i = name % RIGHT_CHUNK_SLOTS;

    rcu_read_lock();
    chunk = right_table_lock_name(table, name);
    if (chunk != NULL) {
        *before = right_chunk_flags(chunk, i);
        flags = (*before & ~mask) | (flags & mask);
        chunk->cloexec &= ~right_chunk_bit(i);
        right_chunk_add_flags(chunk, i, flags);
        spinlock_unlock(&chunk->pool->lock);
    }
    rcu_read_unlock();
    return chunk != NULL ? OK : ERR_NOT_FOUND;
}

/* ------------------------------------------------------------- reservations */

status_t
right_table_reserve(struct right_table *table, uint32_t nr, uint32_t least,
                    uint32_t *names)
{
    status_t status = OK;
    uint32_t i;

    assert(nr >= 1 && nr <= RIGHT_RESERVE_MAX);

    for (i = 0; i < nr && status == OK; i++) {
        status = right_table_enter(table, NULL, least, 0, &names[i]);
        if (status != OK) {
            right_table_cancel(table, i, names);
        }
    }
    return status;
}

/*
 * Lock the chunk of a name that is reserved, which so cannot be freed.
 *
 * Context: inside a section of RCU
 */
static struct right_chunk *
right_table_lock_reserved(struct right_table *table, uint32_t name)
{
    struct right_chunk *chunk;

    chunk = right_dir_find(table, right_name_slot(name) / RIGHT_CHUNK_SLOTS);
    assert(chunk != NULL);
    (void)right_chunk_lock(chunk);
    assert(chunk->reserved & right_chunk_bit(name % RIGHT_CHUNK_SLOTS));
    return chunk;
}

status_t
right_table_commit(struct right_table *table, uint32_t name,
                   struct right *right, uint32_t flags)
{
    struct right_chunk *chunk;
    bool is_closing;
    uint32_t i;

    rcu_read_lock();
    chunk = right_table_lock_reserved(table, name);
    is_closing = READ_ONCE(table->is_closing);
    if (!is_closing) {
        i = name % RIGHT_CHUNK_SLOTS;
        chunk->reserved &= ~right_chunk_bit(i);
        right_chunk_open(chunk, i, name, right, flags);
    }
    spinlock_unlock(&chunk->pool->lock);
    rcu_read_unlock();
    if (is_closing) {
        right_table_cancel(table, 1, &name);
        return ERR_CLOSED;
    }
    return OK;
}

static void
right_table_cancel_one(struct right_table *table, uint32_t name)
{
    uint32_t i = name % RIGHT_CHUNK_SLOTS;
    struct right_chunk *chunk;
    bool is_spare;

    rcu_read_lock();
    chunk = right_table_lock_reserved(table, name);
    chunk->reserved &= ~right_chunk_bit(i);
    is_spare = right_chunk_unuse(table, chunk, i);
    spinlock_unlock(&chunk->pool->lock);
    rcu_read_unlock();
    if (is_spare) {
        right_owner_tidy(table, right_name_slot(name) / RIGHT_CHUNK_SLOTS);
    }
}

void
right_table_cancel(struct right_table *table, uint32_t nr,
                   const uint32_t *names)
{
    uint32_t i;

    for (i = 0; i < nr; i++) {
        right_table_cancel_one(table, names[i]);
    }
}

/* ------------------------------------------------------------------- tables */

void
right_table_init(struct right_table *table, struct container *container,
                 uint32_t base, enum right_policy policy)
{
    memset(table, 0, sizeof(*table));
    table->container = container;
    table->base = base;
    table->policy = policy;
    table->limit = RIGHT_SLOTS_MAX;
    table->was_unique = policy == RIGHT_UNIQUE;
    spinlock_init(&table->pool.lock, LOCK_RIGHT_TABLE, "rights");
    rtmutex_init(&table->mutex, LOCK_RIGHT_GROW, "structure of rights");
    right_dir_init(table);
}

void
right_table_destroy(struct right_table *table)
{
    assert(READ_ONCE(table->is_closing));

    right_owner_destroy(table);
    right_dir_destroy(table);
}

/* Leave retired slots of all chunks to be used again. */
static void
right_table_revive(struct right_table *table)
{
    struct right_chunk *chunk;
    struct right_pool *pool;
    uint32_t index;

    for (index = 0;; index++) {
        rcu_read_lock();
        chunk = right_dir_next(table, index);
        if (chunk != NULL) {
            pool = right_chunk_lock(chunk);
            index = chunk->index;
            right_chunk_revive(table, chunk);
            spinlock_unlock(&pool->lock);
        }
        rcu_read_unlock();
        if (chunk == NULL) {
            return;
        }
    }
}

void
right_table_set_policy(struct right_table *table, enum right_policy policy)
{
    assert(policy < RIGHT_NR_POLICIES);

    rtmutex_lock(&table->mutex);
    if (policy == RIGHT_UNIQUE) {
        WRITE_ONCE(table->was_unique, true);
    }
    WRITE_ONCE(table->policy, policy);
    if (policy != RIGHT_ANY) {
        right_owner_dissolve_locked(table);
    }
    if (policy != RIGHT_UNIQUE) {
        right_table_revive(table);
    }
    rtmutex_unlock(&table->mutex);
}

void
right_table_set_limit(struct right_table *table, uint32_t nr)
{
    spinlock_lock(&table->pool.lock);
    if (!table->is_closing) {
        WRITE_ONCE(table->limit, MIN(nr, RIGHT_SLOTS_MAX));
    }
    spinlock_unlock(&table->pool.lock);
}

enum right_policy
right_policy_default(void)
{
    return right_policy_usual;
}

const char *
right_policy_name(enum right_policy policy)
{
    assert(policy < RIGHT_NR_POLICIES);

    return right_policy_names[policy];
}

static status_t
right_policy_option(const char *value)
{
    unsigned int policy;

    for (policy = 0; policy < RIGHT_NR_POLICIES; policy++) {
        if (strcmp(value, right_policy_names[policy]) == 0) {
            right_policy_usual = policy;
            return OK;
        }
    }
    return ERR_INVALID;
}

OPTION(rights, "lowest|any|unique", "how names of rights are chosen",
       right_policy_option);
