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

#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>

struct message;

#define RCVID_GENERATION_BITS 14
#define RCVID_GENERATION_MAX  ((UINT32_C(1) << RCVID_GENERATION_BITS) - 1)
#define RCVID_SLOTS_MAX       (UINT32_C(1) << 17)

/* A thread's slot; all zeros: it has none yet. */
struct rcvid {
    uint32_t slot;
    uint32_t generation; /* of the current message */
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
    return rcvid->slot << RCVID_GENERATION_BITS | rcvid->generation;
}

/*
 * Give the slot back; @message is kept for a grace period.
 *
 * Context: thread
 */
void rcvid_release(struct rcvid *rcvid);

/*
 * Find the message of the thread that has a number, which may be that of an
 * earlier message, or a later one.
 *
 * Context: inside a section of RCU
 * Returns: NULL: there is none
 */
struct message *rcvid_find(uint32_t number);

#endif /* IPC_RCVID_H */
