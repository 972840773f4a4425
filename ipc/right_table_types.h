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

/* What slot @i of a chunk has for a name if it has none: that of another. */
#define RIGHT_NAME_FREE(i) (~(uint32_t)(i))

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

/*
 * An element of an array in a struct, by one instruction: compilers would
 * rather add the offset of the array to the index.
 */
#define RIGHT_ELEMENT(object, member, i)                                       \
    ((const __typeof__((object)->member[0]) *)((uintptr_t)(object) +           \
                                               offsetof(__typeof__(*(object)), \
                                                        member)) +             \
     (i))

struct container;
struct right;

/*
 * Chunks under one lock: those of a CPU, or those of the table itself.
 *
 * Keys: [P] lock
 */
struct right_pool {
    struct spinlock lock; /* rank LOCK_RIGHT_OWNER, or LOCK_RIGHT_TABLE */
    uint32_t nr_empty;    /* [P] chunks all of whose slots are free */
};

/*
 * The chunks of a CPU: it takes names from them under RIGHT_ANY.
 *
 * Keys: [P] lock of the pool
 */
struct right_owner {
    struct right_pool pool;
    uint32_t free;      /* [P] chunks with a free slot */
    uint32_t nr_chunks; /* [P] */
    uint32_t victim;    /* [P] place of the one to be given up next */
    struct rcu_head head;
    struct right_chunk *chunks[RIGHT_OWNER_CHUNKS]; /* [P] */
} __aligned(CACHE_LINE);

/* The owners of a table. */
struct right_owners {
    struct rcu_head head;
    struct right_owner *by_cpu[]; /* written under the mutex, once each */
};

/*
 * 64 slots.  A slot is free; reserved (used, reserved); open (used, open); or
 * retired (used, but neither).
 *
 * Keys: [P] lock of the pool   [R] the same, readers under RCU
 *       [X] locks of both pools, and mutex   [c] constant
 *       [M] mutex and lock of the table
 */
struct right_chunk {
    struct right_pool *pool; /* [X] read by who wants to lock it */
    uint64_t used;           /* [P] slots that are not free */
    uint64_t open;           /* [P] have an entry */
    uint64_t reserved;       /* [P] */
    uint64_t cloexec;        /* [P] of those that are open */
    uint32_t index;          /* [c] slots begin at 64 times this */
    uint16_t place;          /* [X] in the owner's chunks */
    bool is_dead;            /* [M] no more in the directory; then shared */
    struct rcu_head head;
    uint32_t names[RIGHT_CHUNK_SLOTS];       /* [R] RIGHT_NAME_FREE: not open */
    struct right *rights[RIGHT_CHUNK_SLOTS]; /* [R] right_none: not open */
    uint16_t generations[RIGHT_CHUNK_SLOTS]; /* [P] next one of each slot */
} __aligned(CACHE_LINE);

static_assert(offsetof(struct right_chunk, names) == CACHE_LINE,
              "look-ups do not read what is written for others");

/*
 * Where the chunks are; slots without memory lead to right_chunk_none.  Written
 * when the table grows or shrinks, only.
 *
 * Keys: [R] written under mutex and lock of the table, readers under RCU
 *       [c] constant
 */
struct right_dir {
    uint64_t mask; /* [c] chunks less one; they are a power of two */
    struct rcu_head head;
    struct right_chunk *chunks[RIGHT_DIR_FIRST]; /* [R] and more behind */
};

/*
 * What is known of all chunks, by index.
 *
 * Keys: [T] lock of the table   [M] written under mutex and lock of the table
 */
struct right_map {
    struct right_bitmap free;    /* [T] of the table with a free slot; absent */
    struct right_bitmap present; /* [M] have memory */
    uint16_t *generations;       /* [M] next one of the slots of absent ones */
};

/*
 * Keys: [c] constant   [a] atomic
 *       [R] written under mutex and lock, readers under RCU
 *       [M] written under mutex and lock, read under one of them   [T] lock
 */
struct right_table {
    struct right_dir *dir;       /* [R] */
    struct right_owners *owners; /* [R] NULL: none yet */
    struct container *container; /* [c] kept alive by who owns the table */
    uint32_t base;               /* [c] */
    uint32_t policy;             /* [a] enum right_policy */
    uint32_t limit;  /* [a] new names have lower slots; 0: closing */
    bool is_closing; /* [a] */
    bool was_unique; /* [a] generations must not be forgotten */

    __aligned(CACHE_LINE) struct right_pool pool; /* chunks of no CPU */
    struct right_chunk *lowest; /* [T] with a free slot; NULL: to be found */
    struct right_map *map;      /* [M] what is in there has keys of its own */
    struct rtmutex mutex; /* rank LOCK_RIGHT_GROW; who changes the structure */

    /* What a small table needs, so that it takes no other memory. */
    __aligned(CACHE_LINE) struct right_dir first_dir;
    struct right_map first_map;
    uint64_t first_words[4];
    uint16_t first_generations[RIGHT_DIR_FIRST];
};

#endif /* IPC_RIGHT_TABLE_TYPES_H */
