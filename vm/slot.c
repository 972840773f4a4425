/* SPDX-License-Identifier: MIT */
/*
 * Waiting for slots: wait queues, found by the slot's address.
 *
 * SLOT_WAITED is set, and the waiter enters the queue, under the queue's
 * lock; who takes the bit away with the lock looks into the queue after that.
 * So either the waiter finds the slot unlocked, or it is woken.  Slots that
 * share a queue wake each other's waiters in vain, which look again.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <lib/hash.h>
#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/rcu.h>
#include <kern/waitq.h>
#include <vm/slot.h>

#define SLOT_NR_QUEUES 64

struct slot_queue {
    struct waitq waitq;
} __aligned(CACHE_LINE);

static struct slot_queue slot_queues[SLOT_NR_QUEUES];

static struct waitq *
slot_queue(const slot_t *slot)
{
    return &slot_queues[hash_pointer((const void *)slot) % SLOT_NR_QUEUES]
                .waitq;
}

void
slot_wake(slot_t *slot)
{
    waitq_wake_all(slot_queue(slot));
}

/* Set SLOT_WAITED.  Returns: false, the slot is not locked any more */
static bool
slot_announce(slot_t *slot)
{
    uint64_t word = slot_read(slot);

    do {
        if (!slot_is_terminal(word) || !(word & SLOT_LOCKED)) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(slot, &word,
                                                    word | SLOT_WAITED,
                                                    memory_order_acq_rel,
                                                    memory_order_acquire));
    return true;
}

void
slot_wait(slot_t *slot)
{
    struct waitq *queue = slot_queue(slot);
    struct waitq_entry entry;
    uint64_t flags;

    if (unlikely(!cpu_is_online(cpu_id()))) {
        /* It is being started and has no threads to switch to. */
        rcu_read_unlock();
        cpu_pause();
        return;
    }
    flags = waitq_lock(queue);
    if (!slot_announce(slot)) {
        waitq_unlock(queue, flags);
        rcu_read_unlock();
        return;
    }
    waitq_enter_locked(queue, &entry);
    waitq_unlock(queue, flags);
    /* The node may go now; only the queue is looked at. */
    rcu_read_unlock();
    verify(waitq_wait(queue, &entry, CLOCK_NEVER) == OK);
}

static status_t
slot_setup(void)
{
    for (size_t i = 0; i < SLOT_NR_QUEUES; i++) {
        waitq_init(&slot_queues[i].waitq);
    }
    return OK;
}

INIT_OP(slot_setup, INIT_BOOT_CPU);
