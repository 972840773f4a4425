/* SPDX-License-Identifier: MIT */
/*
 * Where the chunks of a table are: growth and shrinking.
 *
 * The directory has room for 8, 64, 512, 4096 or 16384 chunks; those for 8 are
 * part of the table.  A larger one is made beside the one in use and filled
 * without any lock that keeps others from looking up, opening or closing: only
 * growth and shrinking wait for each other.  Then it is published, and the old
 * one freed after a grace period.
 *
 * Nothing here takes more than some hundred instructions under a spin lock.
 */
#ifndef IPC_RIGHT_DIR_H
#define IPC_RIGHT_DIR_H

#include <stdint.h>

#include <ipc/right_chunk.h>
#include <ipc/right_table_types.h>
#include <kern/rcu.h>
#include <lib/macros.h>
#include <lib/status.h>

/* Chunks whose generations are copied at once. */
#define RIGHT_DIR_BATCH 64

/* Make the directory of an empty table. */
void right_dir_init(struct right_table *table);

/*
 * Free all chunks and the directory.
 *
 * Context: thread, preemptible; nobody uses the table but for look-ups
 */
void right_dir_destroy(struct right_table *table);

/*
 * Make the chunk of an index, unless it is there.
 *
 * Context: thread, preemptible; the table's mutex is held
 * Returns: OK; ERR_NO_MEMORY; ERR_CLOSED
 */
status_t right_dir_add_locked(struct right_table *table, uint32_t index);

/* The same; takes and drops the mutex. */
status_t right_dir_add(struct right_table *table, uint32_t index) __must_check;

/*
 * Free the chunk of an index if it is empty, and not the only empty one; a
 * smaller directory may do then.
 *
 * Context: as right_dir_add_locked()
 */
void right_dir_trim_locked(struct right_table *table, uint32_t index);

/*
 * Find the first chunk from an index on.
 *
 * Context: inside a section of RCU
 * Returns: NULL, there is none
 */
struct right_chunk *right_dir_next(struct right_table *table, uint32_t index);

/*
 * Copy what is remembered of absent chunks: the generations they will have.
 *
 * @generations  room for RIGHT_DIR_BATCH of them
 *
 * Context: thread, preemptible, no lock held
 * Returns: how many; 0: there are none from @first on
 */
uint32_t right_dir_generations(struct right_table *table, uint32_t first,
                               uint16_t *generations);

/*
 * Remember generations for a table without chunks.
 *
 * Context: as right_dir_generations()
 * Returns: OK; ERR_NO_MEMORY
 */
status_t right_dir_set_generations(struct right_table *table, uint32_t first,
                                   uint32_t nr, const uint16_t *generations);

/*
 * The chunk of an index.
 *
 * Context: inside a section of RCU, or mutex or lock of the table are held
 * Returns: NULL, there is none
 */
static inline struct right_chunk *
right_dir_find(struct right_table *table, uint32_t index)
{
    struct right_chunk *chunk;
    struct right_dir *dir;

    /* Pairs with rcu_assign() in right_dir_publish(). */
    dir = rcu_dereference(table->dir);
    if (index > dir->mask) {
        return NULL;
    }
    /* Pairs with rcu_assign() in right_dir_set(). */
    chunk = rcu_dereference(*RIGHT_ELEMENT(dir, chunks, index));
    return chunk != &right_chunk_none ? chunk : NULL;
}

#endif /* IPC_RIGHT_DIR_H */
