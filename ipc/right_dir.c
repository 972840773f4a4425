/* SPDX-License-Identifier: MIT */
/*
 * Growth and shrinking of tables of rights.  The mutex keeps the structure as
 * it is while it is copied; the spin lock is taken to publish what was made.
 */
#include <stddef.h>

#include <kern/container.h>
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

/* A directory has eight times the room of the next smaller one. */
#define RIGHT_DIR_SHIFT 3

/* But the largest. */
#define RIGHT_DIR_LARGE (RIGHT_DIR_FIRST << (3 * RIGHT_DIR_SHIFT))

/* It is made smaller when this part of the smaller one would do. */
#define RIGHT_DIR_SPARE 2

static struct slab_cache right_chunk_cache;

/* ----------------------------------------------------------------- memory */

static size_t
right_dir_size(uint32_t nr)
{
    return offsetof(struct right_dir, chunks) +
           nr * sizeof(struct right_chunk *);
}

/* Bytes of a map and all it points to. */
static size_t
right_map_size(uint32_t nr)
{
    return sizeof(struct right_map) +
           2 * sizeof(uint64_t) * right_bitmap_nr_words(nr) +
           nr * sizeof(uint16_t);
}

static uint32_t
right_dir_nr(const struct right_dir *dir)
{
    return (uint32_t)dir->mask + 1;
}

static void
right_dir_set(struct right_dir *dir, uint32_t index, struct right_chunk *chunk)
{
    /* Pairs with rcu_dereference() in the look-ups. */
    rcu_assign(dir->chunks[index], chunk);
}

static void
right_dir_fill(struct right_dir *dir, uint32_t nr, const struct right_dir *from)
{
    uint32_t i, nr_from;

    nr_from = from != NULL ? MIN(nr, right_dir_nr(from)) : 0;
    dir->mask = nr - 1;
    for (i = 0; i < nr_from; i++) {
        right_dir_set(dir, i, rcu_protected(from->chunks[i]));
    }
    for (; i < nr; i++) {
        right_dir_set(dir, i, &right_chunk_none);
    }
}

/* All absent. */
static void
right_map_init(struct right_map *map, uint32_t nr, uint64_t *words,
               uint16_t *generations)
{
    right_bitmap_init(&map->free, nr, words);
    right_bitmap_init(&map->present, nr, words + right_bitmap_nr_words(nr));
    right_bitmap_set_range(&map->free, 0, nr);
    map->generations = generations;
    memset(generations, 0, nr * sizeof(*generations));
}

static struct right_map *
right_map_create(uint32_t nr)
{
    struct right_map *map;
    uint64_t *words;

    map = kmalloc(right_map_size(nr));
    if (map != NULL) {
        words = (uint64_t *)(map + 1);
        right_map_init(map, nr, words,
                       (uint16_t *)(words + 2 * right_bitmap_nr_words(nr)));
    }
    return map;
}

/* ------------------------------------------------------------- directories */

/*
 * Have others use a directory and a map from now on.
 *
 * Context: the mutex is held
 */
static void
right_dir_publish(struct right_table *table, struct right_dir *dir,
                  struct right_map *map)
{
    struct right_dir *old_dir = table->dir;
    struct right_map *old_map = table->map;
    uint32_t nr = right_dir_nr(old_dir);

    right_bitmap_copy(&map->present, &old_map->present);
    spinlock_lock(&table->pool.lock);
    right_bitmap_copy(&map->free, &old_map->free);
    table->map = map;
    /* Pairs with rcu_dereference() in the look-ups. */
    rcu_assign(table->dir, dir);
    spinlock_unlock(&table->pool.lock);

    if (old_dir != &table->first_dir) {
        kfree(old_map);
        rcu_free(old_dir, head);
        container_refund(table->container, CONTAINER_OBJECTS,
                         right_dir_size(nr) + right_map_size(nr));
    }
}

/* Go back to what is part of the table. */
static void
right_dir_use_first(struct right_table *table)
{
    right_map_init(&table->first_map, RIGHT_DIR_FIRST, table->first_words,
                   table->first_generations);
    memcpy(table->first_generations, table->map->generations,
           sizeof(table->first_generations));
    right_dir_fill(&table->first_dir, RIGHT_DIR_FIRST, table->dir);
    right_dir_publish(table, &table->first_dir, &table->first_map);
}

/*
 * Have room for a number of chunks; those beyond are absent.
 *
 * Context: the mutex is held
 */
static status_t
right_dir_resize(struct right_table *table, uint32_t nr)
{
    size_t size = right_dir_size(nr) + right_map_size(nr);
    struct right_dir *dir;
    struct right_map *map;

    if (container_charge(table->container, CONTAINER_OBJECTS, size) != OK) {
        return ERR_NO_MEMORY;
    }
    dir = kmalloc(right_dir_size(nr));
    if (dir == NULL) {
        goto fail_dir;
    }
    map = right_map_create(nr);
    if (map == NULL) {
        goto fail_map;
    }

    right_dir_fill(dir, nr, table->dir);
    memcpy(map->generations, table->map->generations,
           MIN(nr, right_dir_nr(table->dir)) * sizeof(uint16_t));
    right_dir_publish(table, dir, map);
    return OK;

fail_map:
    kfree(dir);
fail_dir:
    container_refund(table->container, CONTAINER_OBJECTS, size);
    return ERR_NO_MEMORY;
}

static uint32_t
right_dir_smaller(uint32_t nr)
{
    return nr == RIGHT_DIR_MAX ? RIGHT_DIR_LARGE : nr >> RIGHT_DIR_SHIFT;
}

/* Take the smallest directory that is large enough; not at any price. */
static void
right_dir_shrink(struct right_table *table)
{
    uint32_t nr_now = right_dir_nr(table->dir), nr = nr_now, last;
    status_t status;

    if (READ_ONCE(table->was_unique)) {
        return;
    }
    last = right_bitmap_find_last(&table->map->present);
    while (nr > RIGHT_DIR_FIRST &&
           (last == nr_now || last < right_dir_smaller(nr) / RIGHT_DIR_SPARE)) {
        nr = right_dir_smaller(nr);
    }
    if (nr == RIGHT_DIR_FIRST && nr < nr_now) {
        right_dir_use_first(table);
    } else if (nr < nr_now) {
        /* Without memory for it, the large one stays. */
        status = right_dir_resize(table, nr);
        (void)status;
    }
}

/* ------------------------------------------------------------------ chunks */

static status_t
right_dir_cover(struct right_table *table, uint32_t index)
{
    uint32_t nr = right_dir_nr(table->dir);

    if (index < nr) {
        return OK;
    }
    while (nr <= index) {
        nr = MIN(nr << RIGHT_DIR_SHIFT, (uint32_t)RIGHT_DIR_MAX);
    }
    return right_dir_resize(table, nr);
}

/* Memory for a chunk, charged, and all rights that there will be in it. */
static struct right_chunk *
right_dir_alloc(struct right_table *table)
{
    struct container *container = table->container;
    struct right_chunk *chunk;

    if (container_charge(container, CONTAINER_RIGHTS, RIGHT_CHUNK_SLOTS) !=
        OK) {
        return NULL;
    }
    if (container_charge(container, CONTAINER_OBJECTS, sizeof(*chunk)) != OK) {
        goto fail_objects;
    }
    chunk = slab_alloc(&right_chunk_cache);
    if (chunk == NULL) {
        goto fail_alloc;
    }
    return chunk;

fail_alloc:
    container_refund(container, CONTAINER_OBJECTS, sizeof(*chunk));
fail_objects:
    container_refund(container, CONTAINER_RIGHTS, RIGHT_CHUNK_SLOTS);
    return NULL;
}

status_t
right_dir_add_locked(struct right_table *table, uint32_t index)
{
    struct right_chunk *chunk;

    assert(rtmutex_is_owned(&table->mutex));
    assert(index < RIGHT_DIR_MAX);

    if (READ_ONCE(table->is_closing)) {
        return ERR_CLOSED;
    }
    if (right_dir_find(table, index) != NULL) {
        return OK;
    }
    if (right_dir_cover(table, index) != OK) {
        return ERR_NO_MEMORY;
    }
    chunk = right_dir_alloc(table);
    if (chunk == NULL) {
        return ERR_NO_MEMORY;
    }

    right_chunk_init(chunk, table, index, table->map->generations[index]);
    spinlock_lock(&table->pool.lock);
    right_bitmap_set(&table->map->present, index);
    right_dir_set(table->dir, index, chunk);
    table->pool.nr_empty++;
    spinlock_unlock(&table->pool.lock);
    return OK;
}

status_t
right_dir_add(struct right_table *table, uint32_t index)
{
    status_t status;

    rtmutex_lock(&table->mutex);
    status = right_dir_add_locked(table, index);
    rtmutex_unlock(&table->mutex);
    return status;
}

/* Take a chunk that is the table's out of the directory. */
static void
right_dir_unlink_locked(struct right_table *table, struct right_chunk *chunk)
{
    uint32_t index = chunk->index;

    assert(spinlock_is_locked(&table->pool.lock));
    assert(chunk->pool == &table->pool && chunk->used == 0);

    table->lowest = NULL;
    right_dir_set(table->dir, index, &right_chunk_none);
    right_bitmap_clear(&table->map->present, index);
    table->map->generations[index] = right_chunk_generation(chunk);
    table->pool.nr_empty--;
    chunk->is_dead = true;
}

static void
right_dir_free(struct right_table *table, struct right_chunk *chunk)
{
    container_refund(table->container, CONTAINER_OBJECTS, sizeof(*chunk));
    container_refund(table->container, CONTAINER_RIGHTS, RIGHT_CHUNK_SLOTS);
    rcu_free(chunk, head);
}

void
right_dir_trim_locked(struct right_table *table, uint32_t index)
{
    struct right_chunk *chunk;
    bool is_spare;

    assert(rtmutex_is_owned(&table->mutex));

    chunk = right_dir_find(table, index);
    if (chunk == NULL) {
        return;
    }
    spinlock_lock(&table->pool.lock);
    is_spare = chunk->pool == &table->pool && chunk->used == 0 &&
               table->pool.nr_empty > 1;
    if (is_spare) {
        right_dir_unlink_locked(table, chunk);
    }
    spinlock_unlock(&table->pool.lock);
    if (is_spare) {
        right_dir_free(table, chunk);
        right_dir_shrink(table);
    }
}

struct right_chunk *
right_dir_next(struct right_table *table, uint32_t index)
{
    struct right_chunk *chunk;

    assert(rcu_read_is_held());

    spinlock_lock(&table->pool.lock);
    index = right_bitmap_find(&table->map->present, index);
    chunk = right_dir_find(table, index);
    spinlock_unlock(&table->pool.lock);
    return chunk;
}

void
right_dir_init(struct right_table *table)
{
    right_map_init(&table->first_map, RIGHT_DIR_FIRST, table->first_words,
                   table->first_generations);
    right_dir_fill(&table->first_dir, RIGHT_DIR_FIRST, NULL);
    table->map = &table->first_map;
    table->dir = &table->first_dir;
}

uint32_t
right_dir_generations(struct right_table *table, uint32_t first,
                      uint16_t *generations)
{
    uint32_t i, nr;

    rtmutex_lock(&table->mutex);
    nr = right_dir_nr(table->dir);
    for (i = 0; i < RIGHT_DIR_BATCH && first + i < nr; i++) {
        generations[i] = table->map->generations[first + i];
    }
    rtmutex_unlock(&table->mutex);
    return i;
}

status_t
right_dir_set_generations(struct right_table *table, uint32_t first,
                          uint32_t nr, const uint16_t *generations)
{
    status_t status;

    rtmutex_lock(&table->mutex);
    status = right_dir_cover(table, first + nr - 1);
    if (status == OK) {
        memcpy(&table->map->generations[first], generations,
               nr * sizeof(*generations));
    }
    rtmutex_unlock(&table->mutex);
    return status;
}

void
right_dir_destroy(struct right_table *table)
{
    struct right_chunk *chunk;
    uint32_t i, nr;

    rtmutex_lock(&table->mutex);
    nr = right_dir_nr(table->dir);
    for (i = right_bitmap_find(&table->map->present, 0); i < nr;
         i = right_bitmap_find(&table->map->present, i)) {
        chunk = right_dir_find(table, i);
        spinlock_lock(&table->pool.lock);
        right_chunk_revive(table, chunk);
        right_dir_unlink_locked(table, chunk);
        spinlock_unlock(&table->pool.lock);
        right_dir_free(table, chunk);
    }
    if (table->dir != &table->first_dir) {
        right_dir_use_first(table);
    }
    rtmutex_unlock(&table->mutex);
}

static status_t
right_dir_setup(void)
{
    slab_cache_init(&right_chunk_cache, "right chunk",
                    sizeof(struct right_chunk), CACHE_LINE, 0);
    return OK;
}

INIT_OP(right_dir_setup, INIT_BOOT_CPU, AFTER(slab_setup));
