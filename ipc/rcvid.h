/* SPDX-License-Identifier: MIT */
/*
 * Receive ids: the numbers by which servers mean messages that they received.
 *
 * A thread that sends has a slot, and each of its messages the slot's next
 * generation: rcvid = slot << 14 | generation, 31 bits, never 0.  When the
 * generations of a slot have been used the thread takes another slot, and the
 * old one goes to the end of the queue of free ones, from which slots are
 * taken only when it is long.  So a number comes again after some 2^26
 * messages at the earliest, or 2^31 when there are many threads, and until
 * then means nothing.
 *
 * LOOK-UP is under RCU: what is found may be used until the section ends.
 *
 * May run concurrently: everything with everything, for different threads.
 * Lock rank: LOCK_RCVID.
 */
#ifndef IPC_RCVID_H
#define IPC_RCVID_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/rcu.h>
#include <lib/macros.h>
#include <lib/status.h>

struct message;

#define RCVID_GENERATION_BITS 14
#define RCVID_GENERATION_MAX  ((UINT32_C(1) << RCVID_GENERATION_BITS) - 1)
#define RCVID_SLOTS_MAX       (UINT32_C(1) << 17)

/* A thread's slot, and the current message's number; 0: it has none yet. */
struct rcvid {
    uint32_t number; /* written by the thread, read by anybody */
};

/*
 * Have a number for the next message.
 *
 * @message  that of the thread, always the same
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NO_MEMORY: also if all slots are taken
 */
status_t rcvid_next(struct rcvid *rcvid, struct message *message) __must_check;

/* The number. */
static inline uint32_t
rcvid_number(const struct rcvid *rcvid)
{
    return READ_ONCE(rcvid->number);
}

/*
 * Give the slot back; @message is kept for a grace period.
 *
 * Context: thread
 */
void rcvid_release(struct rcvid *rcvid);

/*
 * The next number of the same slot.
 *
 * Context: the thread
 * Returns: whether there is one
 */
static inline bool
rcvid_next_here(struct rcvid *rcvid)
{
    uint32_t next = rcvid->number + 1;

    if (unlikely(next == 1 || (next & RCVID_GENERATION_MAX) == 0)) {
        return false;
    }
    WRITE_ONCE(rcvid->number, next);
    return true;
}

/* Slots that are made at once; never freed. */
#define RCVID_CHUNK  256
#define RCVID_CHUNKS (RCVID_SLOTS_MAX / RCVID_CHUNK)

/*
 * Keys: [L] lock   [R] the same, readers under RCU
 */
struct rcvid_slot {
    struct message *message; /* [R] NULL: free */
    uint32_t next;           /* [L] in the queue of free ones; 0 ends it */
    uint32_t generation;     /* [L] last one that was used, while it is free */
};

/* [R] NULL: not made yet */
extern struct rcvid_slot *rcvid_chunks[RCVID_CHUNKS];

/* A slot; NULL: there is none. */
static inline struct rcvid_slot *
rcvid_slot(uint32_t slot)
{
    struct rcvid_slot *chunk;

    /* Pairs with rcu_assign() in rcvid_add_chunk(). */
    chunk = rcu_dereference(rcvid_chunks[slot / RCVID_CHUNK]);
    return chunk != NULL ? &chunk[slot % RCVID_CHUNK] : NULL;
}

/*
 * Find the message of the thread that has a number, which may be that of an
 * earlier message, or a later one.
 *
 * Context: inside a section of RCU
 * Returns: NULL: there is none
 */
static inline struct message *
rcvid_find(uint32_t number)
{
    struct rcvid_slot *entry;

    if (unlikely(number > INT32_MAX)) {
        return NULL;
    }
    /* The mask is for speculation. */
    entry = rcvid_slot(number >> RCVID_GENERATION_BITS & (RCVID_SLOTS_MAX - 1));
    /* Pairs with rcu_assign() in rcvid_take(). */
    return likely(entry != NULL) ? rcu_dereference(entry->message) : NULL;
}

#endif /* IPC_RCVID_H */
