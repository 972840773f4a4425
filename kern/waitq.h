/* SPDX-License-Identifier: MIT */
/*
 * Wait queues: threads that wait for an event, by priority, then by arrival.
 *
 * The owner of a queue looks at its condition and enqueues under the queue's
 * lock, and changes the condition and wakes under it: so no wake-up is lost.
 * Who is woken is out of the queue; a waiter that gives up takes itself out.
 *
 * Who was woken may not free the queue at once: the waker still has to unlock
 * it.  It is safe when the woken one has locked and unlocked it in turn.
 */
#ifndef KERN_WAITQ_H
#define KERN_WAITQ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/spinlock.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <lib/status.h>

struct thread;

/*
 * Keys: [W] lock
 */
struct waitq {
    struct spinlock lock;  /* rank LOCK_WAITQ */
    struct rbtree waiters; /* [W] by priority at arrival, FIFO among equals */
    struct list arrivals;  /* [W] the same, oldest first */
    uint64_t nr_arrived;   /* [W] */
};

/*
 * One wait, on the stack of the thread that waits.
 *
 * Keys: [W] lock of the queue   [a] atomic, set under it
 */
struct waitq_entry {
    struct rbtree_node node; /* [W] */
    struct list link;        /* [W] */
    struct thread *thread;   /* constant */
    int priority;            /* constant */
    uint64_t arrival;        /* constant */
    atomic_bool woken;       /* [a] */
};

/* Make an empty queue. */
void waitq_init(struct waitq *queue);

/* Lock a queue.  Returns: the interrupt state, for waitq_unlock() */
uint64_t waitq_lock(struct waitq *queue);

/* Unlock a queue. */
void waitq_unlock(struct waitq *queue, uint64_t flags);

/*
 * Put the calling thread into the queue, unlock it, and wait.
 *
 * @flags     of waitq_lock()
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: thread; the queue locked, nothing else
 * Blocks:  until woken or the deadline
 * Returns: OK, somebody woke it; ERR_TIMEOUT, nobody did and nobody will
 */
status_t waitq_wait_locked(struct waitq *queue, uint64_t flags,
                           uint64_t deadline);

/*
 * The same in two steps, for those who have to let something else go in
 * between: enter, unlock, let go, wait.
 */
void waitq_enter_locked(struct waitq *queue, struct waitq_entry *entry);

/* The second step.  Context: thread, no spin lock held */
status_t waitq_wait(struct waitq *queue, struct waitq_entry *entry,
                    uint64_t deadline);

/*
 * The same for what programs wait for.
 *
 * Returns: as waitq_wait(); ERR_INTERRUPTED: the thread is to end
 */
status_t waitq_wait_or_end(struct waitq *queue, struct waitq_entry *entry,
                           uint64_t deadline);

/* Looks at what somebody waits for.  Context: the queue locked */
typedef bool (*waitq_condition_fn_t)(const void *arg);

/*
 * Wait until a condition is true, of which whoever changes it then wakes all.
 *
 * Context: as waitq_wait(), the queue not locked
 * Returns: OK, it was true; as waitq_wait_or_end()
 */
status_t waitq_wait_for_or_end(struct waitq *queue,
                               waitq_condition_fn_t is_true, const void *arg,
                               uint64_t deadline);

/*
 * Wake all who wait when it is called.  The queue is unlocked in between, so
 * that many waiters do not keep interrupts disabled.
 *
 * Context: any but NMI, the queue not locked
 */
void waitq_wake_all(struct waitq *queue);

/*
 * Wake the first waiter.
 *
 * Returns: its thread, which may be gone already; NULL when nobody waits
 */
struct thread *waitq_wake_one_locked(struct waitq *queue);

/* The thread to be woken next; NULL when nobody waits. */
struct thread *waitq_first_locked(const struct waitq *queue);

/* Whether somebody waits. */
bool waitq_has_waiters_locked(const struct waitq *queue);

/* Whether more than one waits. */
bool waitq_has_two_waiters_locked(const struct waitq *queue);

#endif /* KERN_WAITQ_H */
