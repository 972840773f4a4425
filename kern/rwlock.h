/* SPDX-License-Identifier: MIT */
/*
 * Read-write locks that sleep, phase-fair.
 *
 * Phases of readers and single writers alternate while both wait: a reader
 * that comes while a writer waits lets that one first, and when a writer
 * leaves, all readers that wait then go together.  So a reader waits for one
 * writer at most, and a writer for one phase of readers and for the writers
 * before it.
 *
 * Invariants, while the lock is free: there is a writer or there are readers,
 * not both; readers wait only if a writer is in or waits; writers wait only if
 * somebody is in.
 *
 * Source: Brandenburg, Anderson, "Spin-Based Reader-Writer Synchronization for
 * Multiprocessor Real-Time Systems", 2010, for the order.
 */
#ifndef KERN_RWLOCK_H
#define KERN_RWLOCK_H

#include <stdint.h>

#include <kern/spinlock.h>
#include <lib/list.h>
#include <lib/status.h>

struct thread;

/*
 * Keys: [L] lock
 */
struct rwlock {
    struct spinlock lock;    /* rank LOCK_WAITQ */
    struct thread *writer;   /* [L] is in, or NULL */
    uint32_t nr_readers;     /* [L] are in */
    uint32_t nr_waiting;     /* [L] in @readers */
    struct list readers;     /* [L] wait, in order */
    struct list writers;     /* [L] wait, in order */
    struct list admitted;    /* [L] readers that are in and not woken yet */
    uint64_t phase;          /* [L] phases of readers that have begun */
    struct lock_class class; /* rank and name, empty in release */
};

/*
 * Make a lock, free.
 *
 * @name  constant string, for reports
 */
void rwlock_init(struct rwlock *lock, enum lock_rank rank, const char *name);

/*
 * Go in as a reader.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context:  thread, preemptible; not in already, and in none of the same or a
 *           greater rank
 * Blocks:   until in or the deadline
 * Ordering: acquire
 * Returns:  OK or ERR_TIMEOUT
 */
status_t rwlock_read_lock_until(struct rwlock *lock,
                                uint64_t deadline) __must_check;

/* The same, however long it takes. */
void rwlock_read_lock(struct rwlock *lock);

/* Leave as a reader.  Ordering: release */
void rwlock_read_unlock(struct rwlock *lock);

/* Go in as the writer; as rwlock_read_lock_until() otherwise. */
status_t rwlock_write_lock_until(struct rwlock *lock,
                                 uint64_t deadline) __must_check;

/* The same, however long it takes. */
void rwlock_write_lock(struct rwlock *lock);

/* Leave as the writer.  Ordering: release */
void rwlock_write_unlock(struct rwlock *lock);

#endif /* KERN_RWLOCK_H */
