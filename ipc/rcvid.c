/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/layout.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <kern/spinlock.h>
#include <lib/macros.h>
#include <ipc/rcvid.h>

/* As long as less are free, others are made. */
#define RCVID_FREE_MIN 4096

/*
 * Slot 0 is never used.
 *
 * Keys: [L] lock
 */
static struct {
    struct spinlock lock; /* rank LOCK_RCVID */
    uint32_t first, last; /* [L] free slots, the oldest first; 0: none */
    uint32_t nr_free;     /* [L] */
    uint32_t nr_slots;    /* [L] that there are */
} rcvids = {
    .lock = SPINLOCK_INITIALIZER(LOCK_RCVID, "receive ids"),
};

struct rcvid_slot *rcvid_chunks[RCVID_CHUNKS];

/* Enqueue slots that lead from one to the next. */
static void
rcvid_enqueue_locked(uint32_t first, uint32_t last, uint32_t nr)
{
    if (rcvids.first == 0) {
        rcvids.first = first;
    } else {
        rcvid_slot(rcvids.last)->next = first;
    }
    rcvids.last = last;
    rcvids.nr_free += nr;
}

static uint32_t
rcvid_dequeue_locked(void)
{
    uint32_t slot = rcvids.first;

    rcvids.first = rcvid_slot(slot)->next;
    rcvids.nr_free--;
    return slot;
}

/* Make slots from a number on, each of which leads to the next. */
static struct rcvid_slot *
rcvid_make_chunk(uint32_t base)
{
    struct rcvid_slot *chunk = kzalloc(RCVID_CHUNK * sizeof(*chunk));

    for (uint32_t i = 0; chunk != NULL && i < RCVID_CHUNK - 1; i++) {
        chunk[i].next = base + i + 1;
    }
    return chunk;
}

/* Have more slots, unless somebody else made some meanwhile. */
static void
rcvid_add_chunk(void)
{
    uint32_t base = READ_ONCE(rcvids.nr_slots);
    uint32_t first = MAX(base, 1U);
    struct rcvid_slot *chunk = rcvid_make_chunk(base);
    uint64_t flags;

    if (chunk == NULL) {
        return;
    }
    flags = spinlock_lock_irqsave(&rcvids.lock);
    if (rcvids.nr_slots == base && base < RCVID_SLOTS_MAX) {
        /* Pairs with rcu_dereference() in rcvid_slot(). */
        rcu_assign(rcvid_chunks[base / RCVID_CHUNK], chunk);
        rcvids.nr_slots += RCVID_CHUNK;
        rcvid_enqueue_locked(first, base + RCVID_CHUNK - 1,
                             rcvids.nr_slots - first);
        chunk = NULL;
    }
    spinlock_unlock_irqrestore(&rcvids.lock, flags);
    kfree(chunk);
}

/* Take the slot that has been free for the longest time. */
static status_t
rcvid_take(struct rcvid *rcvid, struct message *message)
{
    status_t status = ERR_NO_MEMORY;
    uint64_t flags;

    if (READ_ONCE(rcvids.nr_free) < RCVID_FREE_MIN &&
        READ_ONCE(rcvids.nr_slots) < RCVID_SLOTS_MAX) {
        rcvid_add_chunk();
    }
    flags = spinlock_lock_irqsave(&rcvids.lock);
    if (rcvids.nr_free != 0) {
        uint32_t slot = rcvid_dequeue_locked();

        rcvid->number = slot << RCVID_GENERATION_BITS |
                        rcvid_slot(slot)->generation;
        /* Pairs with rcu_dereference() in rcvid_find(). */
        rcu_assign(rcvid_slot(slot)->message, message);
        status = OK;
    }
    spinlock_unlock_irqrestore(&rcvids.lock, flags);
    return status;
}

void
rcvid_release(struct rcvid *rcvid)
{
    uint32_t number = rcvid->number >> RCVID_GENERATION_BITS;
    uint32_t generation = rcvid->number & RCVID_GENERATION_MAX;
    struct rcvid_slot *slot;
    uint64_t flags;

    if (rcvid->number == 0) {
        return;
    }
    slot = rcvid_slot(number);
    flags = spinlock_lock_irqsave(&rcvids.lock);
    WRITE_ONCE(slot->message, NULL);
    slot->generation = generation % RCVID_GENERATION_MAX;
    slot->next = 0;
    rcvid_enqueue_locked(number, number, 1);
    spinlock_unlock_irqrestore(&rcvids.lock, flags);
    WRITE_ONCE(rcvid->number, 0);
}

status_t
rcvid_next(struct rcvid *rcvid, struct message *message)
{
    status_t status = OK;

    while (status == OK && !rcvid_next_here(rcvid)) {
        rcvid_release(rcvid);
        status = rcvid_take(rcvid, message);
    }
    return status;
}
