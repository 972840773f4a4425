/* SPDX-License-Identifier: MIT */
/*
 * The structs of tables of rights, for those who embed them.
 */
#ifndef IPC_RIGHT_TABLE_TYPES_H
#define IPC_RIGHT_TABLE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/rcu_types.h>
#include <kern/rtmutex.h>
#include <kern/spinlock.h>
#include <ipc/right_bitmap.h>
#include <lib/macros.h>

/* A name: slot in the low bits, generation above; see right_table.h. */
#define RIGHT_SLOT_BITS       20
#define RIGHT_SLOTS_MAX       (UINT32_C(1) << RIGHT_SLOT_BITS)
#define RIGHT_GENERATION_BITS 10
#define RIGHT_GENERATION_MAX  ((UINT32_C(1) << RIGHT_GENERATION_BITS) - 1)

/* Base of the names of side channels. */
#define RIGHT_BASE_SIDE UINT32_C(0x40000000)

/* No name of any table. */
#define RIGHT_NAME_NONE UINT32_MAX

/* Flags of an entry. */
#define RIGHT_CLOEXEC 0x1U /* closed by right_table_close_on_exec() */
#define RIGHT_FLAGS   0x1U /* all there are */

/* Names that are reserved at once, at most. */
#define RIGHT_RESERVE_MAX 16

/* value of rights=, what it means */
#define RIGHT_POLICIES(X)                                                      \
    X(LOWEST, "lowest")                                                        \
    X(ANY, "any")                                                              \
    X(UNIQUE, "unique")

#define RIGHT_POLICY_ENUM(name, text) RIGHT_##name,
enum right_policy {
    RIGHT_POLICIES(RIGHT_POLICY_ENUM) RIGHT_NR_POLICIES
};

/* Slots of a chunk. */
#define RIGHT_CHUNK_SHIFT 6
#define RIGHT_CHUNK_SLOTS (1U << RIGHT_CHUNK_SHIFT)

/* Chunks of a table: those it has room for itself, and at most. */
#define RIGHT_DIR_FIRST 8
#define RIGHT_DIR_MAX   (RIGHT_SLOTS_MAX / RIGHT_CHUNK_SLOTS)

/* Chunks of an owner, at most. */
#define RIGHT_OWNER_CHUNKS 24

struct container;
struct right;

/*
 * Slots of a CPU: the chunks from which it takes names under RIGHT_ANY.
 *
 * Keys: [O] lock
 */
struct right_owner {
    struct spinlock lock; /* rank LOCK_RIGHT_OWNER */
    uint32_t free;        /* [O] chunks with a free slot */
    uint32_t nr_empty;    /* [O] chunks without entries */
    uint32_t nr_entries;  /* [O] */
    uint32_t nr_chunks;   /* [O] */
    struct rcu_head head;
    struct right_chunk *chunks[RIGHT_OWNER_CHUNKS]; /* [O] */
} __aligned(CACHE_LINE);

/*
 * 64 slots.  A slot is free; reserved (used, reserved); open (used, its name is
 * in names); or retired (used, but neither).
 *
 * Keys: [C] the lock of the owner, or of the table if there is none
 *       [R] the same, readers under RCU   [X] owner's and table's lock
 *       [c] constant   [M] mutex and lock of the table
 */
struct right_chunk {
    struct right_owner *owner; /* [X] NULL: the table */
    uint64_t used;             /* [C] slots that are not free */
    uint64_t reserved;         /* [C] */
    uint64_t cloexec;          /* [C] */
    uint32_t index;            /* [c] slots begin at 64 times this */
    uint16_t place;            /* [X] in the owner's chunks */
    bool is_dead;              /* [M] not in the directory any more */
    struct rcu_head head;
    uint32_t names[RIGHT_CHUNK_SLOTS];       /* [R] RIGHT_NAME_NONE: not open */
    struct right *rights[RIGHT_CHUNK_SLOTS]; /* [R] right_none: not open */
    uint16_t generations[RIGHT_CHUNK_SLOTS]; /* [C] next one of each slot */
} __aligned(CACHE_LINE);

/*
 * Where the chunks are; slots without memory lead to right_chunk_none.  Written
 * when the table grows or shrinks, only.
 *
 * Keys: [R] written under mutex and lock of the table, readers under RCU
 *       [c] constant
 */
struct right_dir {
    uint64_t mask; /* [c] chunks less one, a power of two less one */
    struct rcu_head head;
    struct right_chunk *chunks[RIGHT_DIR_FIRST]; /* [R] and more behind */
};

/*
 * What is known of all chunks, by index; all under the lock of the table.
 */
struct right_map {
    struct right_bitmap free;    /* have a free slot, and no owner; or absent */
    struct right_bitmap present; /* have memory */
    uint16_t *generations;       /* next one of the slots of absent chunks */
};

/*
 * Keys: [c] constant   [a] atomic   [T] lock
 *       [R] written under mutex and lock, readers under RCU
 *       [M] written under mutex and lock, read under one of them
 */
struct right_table {
    struct right_dir *dir;       /* [R] */
    struct right_owner **owners; /* [R] by CPU; NULL: none yet */
    struct container *container; /* [c] kept alive by who owns the table */
    uint32_t base;               /* [c] */
    uint32_t policy;             /* [a] enum right_policy */
    uint32_t limit;              /* [a] new names have lower slots */
    bool is_closing;             /* [a] */

    __aligned(CACHE_LINE) struct spinlock lock; /* rank LOCK_RIGHT_TABLE */
    uint32_t nr_entries;   /* [T] in chunks without owner */
    uint32_t nr_empty;     /* [T] chunks without owner that have no entries */
    struct right_map *map; /* [M] what is in there, by the lock alone */
    struct rtmutex mutex;  /* rank LOCK_RIGHT_GROW; who changes the structure */

    /* A small table has its own; constant but for what they are. */
    __aligned(CACHE_LINE) struct right_dir first_dir;
    struct right_map first_map;
    uint64_t first_words[4];
    uint16_t first_generations[RIGHT_DIR_FIRST];
};

#endif /* IPC_RIGHT_TABLE_TYPES_H */
