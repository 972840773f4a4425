/* SPDX-License-Identifier: MIT */
/*
 * Inlined part of right_table.h: the look-up, measured by rights.lookup of the
 * benchmarks.
 *
 * Whatever the name, the masks lead to a slot of the table, or to one of
 * right_chunk_none: there is no bound to be mispredicted, and nothing that may
 * be missing.  The name that the slot has at present tells whether it is the
 * one.
 *
 * The right is read before the name.  Were it the other way round, a right that
 * came to the slot under another name could be returned.
 */
#ifndef IPC_RIGHT_TABLE_I_H
#define IPC_RIGHT_TABLE_I_H

#include <stdint.h>

#include <ipc/right.h>
#include <ipc/right_table_types.h>
#include <kern/rcu.h>
#include <lib/macros.h>

static __always_inline struct right *
right_table_find(const struct right_table *table, uint32_t name)
{
    const struct right_chunk *chunk;
    const struct right_dir *dir;
    struct right *right;
    uint64_t i;

    /* Pairs with rcu_assign() in right_dir_publish(). */
    dir = rcu_dereference(table->dir);
    i = name >> RIGHT_CHUNK_SHIFT & dir->mask;
    /* Pairs with rcu_assign() in right_dir_set(). */
    chunk = rcu_dereference(*RIGHT_ELEMENT(dir, chunks, i));
    i = name % RIGHT_CHUNK_SLOTS;
    /* Acquire: the name is read after it. */
    right = __atomic_load_n(RIGHT_ELEMENT(chunk, rights, i), __ATOMIC_ACQUIRE);
    /* What it leads to was seen above: pairs with right_chunk_open(). */
    if (unlikely(__atomic_load_n(RIGHT_ELEMENT(chunk, names, i),
                                 __ATOMIC_RELAXED) != name)) {
        barrier(); /* a jump, not a conditional move of two instructions */
        return &right_none;
    }
    return right;
}

#endif /* IPC_RIGHT_TABLE_I_H */
