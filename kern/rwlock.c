/* SPDX-License-Identifier: MIT */
/*
 * Admission is O(1), however many readers wait: their list becomes @admitted
 * as a whole, and the number of the phase tells each that it is in.  They are
 * woken one by one, with the lock free in between.  A waiter's record is on its
 * stack: it leaves whatever list it is in before it returns.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <kern/clock.h>
#include <kern/lock_sleep.h>
#include <kern/rwlock.h>
#include <kern/thread.h>
#include <lib/assert.h>

/*
 * Keys: [L] lock   [c] constant
 */
struct rwlock_waiter {
    struct list node;      /* [L] */
    struct thread *thread; /* [c] */
    uint64_t phase;        /* [c] of readers, before which it waits */
};

void
rwlock_init(struct rwlock *lock, enum lock_rank rank, const char *name)
{
    lock_class_init(&lock->class, rank, name);
    spinlock_init(&lock->lock, LOCK_WAITQ, "read-write lock");
    lock->writer = NULL;
    lock->nr_readers = 0;
    lock->nr_waiting = 0;
    list_init(&lock->readers);
    list_init(&lock->writers);
    list_init(&lock->admitted);
    lock->phase = 0;
}

/* A phase of readers begins with all that wait. */
static void
rwlock_admit_readers_locked(struct rwlock *lock)
{
    lock->nr_readers += lock->nr_waiting;
    lock->nr_waiting = 0;
    lock->phase++;
    list_concat(&lock->admitted, &lock->readers);
}

/*
 * The first writer goes in.
 *
 * Returns: it, to be woken
 */
static struct thread *
rwlock_admit_writer_locked(struct rwlock *lock)
{
    struct rwlock_waiter *waiter;

    waiter = list_first_entry(&lock->writers, struct rwlock_waiter, node);
    list_remove(&waiter->node);
    lock->writer = waiter->thread;
    return waiter->thread;
}

/* Wake readers that are in; the lock is free in between. */
static void
rwlock_wake_admitted(struct rwlock *lock)
{
    struct rwlock_waiter *waiter;
    struct thread *thread;
    uint64_t flags;

    do {
        thread = NULL;
        flags = spinlock_lock_irqsave(&lock->lock);
        if (!list_is_empty(&lock->admitted)) {
            waiter =
                list_first_entry(&lock->admitted, struct rwlock_waiter, node);
            list_remove(&waiter->node);
            thread = waiter->thread;
        }
        spinlock_unlock_irqrestore(&lock->lock, flags);
        if (thread != NULL) {
            thread_unpark(thread);
        }
    } while (thread != NULL);
}

/* ---------------------------------------------------------------- readers */

/*
 * Whether a reader that waited is in; if so, or if it gives up, its record is
 * in no list any more.
 */
static bool
rwlock_reader_is_in(struct rwlock *lock, struct rwlock_waiter *waiter,
                    bool gives_up)
{
    uint64_t flags;
    bool is_in;

    flags = spinlock_lock_irqsave(&lock->lock);
    is_in = lock->phase != waiter->phase;
    if (is_in || gives_up) {
        lock->nr_waiting -= !is_in;
        if (list_node_is_linked(&waiter->node)) {
            list_remove(&waiter->node);
        }
    }
    spinlock_unlock_irqrestore(&lock->lock, flags);
    return is_in;
}

static status_t
rwlock_wait_reader(struct rwlock *lock, struct rwlock_waiter *waiter,
                   uint64_t deadline)
{
    bool is_late;

    do {
        thread_park(deadline);
        is_late = deadline != CLOCK_NEVER && clock_now() >= deadline;
        if (rwlock_reader_is_in(lock, waiter, is_late)) {
            return OK;
        }
    } while (!is_late);
    return ERR_TIMEOUT;
}

static status_t
rwlock_take_read(struct rwlock *lock, uint64_t deadline)
{
    struct rwlock_waiter waiter;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&lock->lock);
    assert(lock->writer != thread_self());
    if (lock->writer == NULL && list_is_empty(&lock->writers)) {
        lock->nr_readers++;
        spinlock_unlock_irqrestore(&lock->lock, flags);
        return OK;
    }

    waiter.thread = thread_self();
    waiter.phase = lock->phase;
    lock->nr_waiting++;
    list_insert_tail(&lock->readers, &waiter.node);
    spinlock_unlock_irqrestore(&lock->lock, flags);
    return rwlock_wait_reader(lock, &waiter, deadline);
}

status_t
rwlock_read_lock_until(struct rwlock *lock, uint64_t deadline)
{
    status_t status;

    lock_sleep_acquire(&lock->class, lock);
    status = rwlock_take_read(lock, deadline);
    if (status == OK) {
        lock_sleep_acquired(&lock->class, lock);
    }
    return status;
}

void
rwlock_read_lock(struct rwlock *lock)
{
    status_t status;

    status = rwlock_read_lock_until(lock, CLOCK_NEVER);
    verify(status == OK);
}

void
rwlock_read_unlock(struct rwlock *lock)
{
    struct thread *next;
    uint64_t flags;

    lock_sleep_release(&lock->class, lock);
    next = NULL;
    flags = spinlock_lock_irqsave(&lock->lock);
    assert(lock->nr_readers != 0 && lock->writer == NULL);
    lock->nr_readers--;
    if (lock->nr_readers == 0 && !list_is_empty(&lock->writers)) {
        next = rwlock_admit_writer_locked(lock);
    }
    spinlock_unlock_irqrestore(&lock->lock, flags);
    if (next != NULL) {
        thread_unpark(next);
    }
}

/* ---------------------------------------------------------------- writers */

/* The deadline has come; readers may have waited for this writer alone. */
static status_t
rwlock_writer_give_up(struct rwlock *lock, struct rwlock_waiter *waiter)
{
    uint64_t flags;
    bool is_in;

    flags = spinlock_lock_irqsave(&lock->lock);
    is_in = lock->writer == waiter->thread;
    if (!is_in) {
        list_remove(&waiter->node);
        if (lock->writer == NULL && list_is_empty(&lock->writers)) {
            rwlock_admit_readers_locked(lock);
        }
    }
    spinlock_unlock_irqrestore(&lock->lock, flags);
    rwlock_wake_admitted(lock);
    return is_in ? OK : ERR_TIMEOUT;
}

static status_t
rwlock_wait_writer(struct rwlock *lock, struct rwlock_waiter *waiter,
                   uint64_t deadline)
{
    struct thread *writer;
    uint64_t flags;

    for (;;) {
        thread_park(deadline);
        flags = spinlock_lock_irqsave(&lock->lock);
        writer = lock->writer;
        spinlock_unlock_irqrestore(&lock->lock, flags);
        if (writer == waiter->thread) {
            return OK;
        }
        if (deadline != CLOCK_NEVER && clock_now() >= deadline) {
            return rwlock_writer_give_up(lock, waiter);
        }
    }
}

static status_t
rwlock_take_write(struct rwlock *lock, uint64_t deadline)
{
    struct rwlock_waiter waiter;
    uint64_t flags;

    waiter.thread = thread_self();
    flags = spinlock_lock_irqsave(&lock->lock);
    assert(lock->writer != waiter.thread);
    if (lock->writer == NULL && lock->nr_readers == 0) {
        lock->writer = waiter.thread;
        spinlock_unlock_irqrestore(&lock->lock, flags);
        return OK;
    }

    list_insert_tail(&lock->writers, &waiter.node);
    spinlock_unlock_irqrestore(&lock->lock, flags);
    return rwlock_wait_writer(lock, &waiter, deadline);
}

status_t
rwlock_write_lock_until(struct rwlock *lock, uint64_t deadline)
{
    status_t status;

    lock_sleep_acquire(&lock->class, lock);
    status = rwlock_take_write(lock, deadline);
    if (status == OK) {
        lock_sleep_acquired(&lock->class, lock);
    }
    return status;
}

void
rwlock_write_lock(struct rwlock *lock)
{
    status_t status;

    status = rwlock_write_lock_until(lock, CLOCK_NEVER);
    verify(status == OK);
}

void
rwlock_write_unlock(struct rwlock *lock)
{
    struct thread *next;
    uint64_t flags;

    lock_sleep_release(&lock->class, lock);
    next = NULL;
    flags = spinlock_lock_irqsave(&lock->lock);
    assert(lock->writer == thread_self());
    lock->writer = NULL;
    if (lock->nr_waiting != 0) {
        rwlock_admit_readers_locked(lock);
    } else if (!list_is_empty(&lock->writers)) {
        next = rwlock_admit_writer_locked(lock);
    }
    spinlock_unlock_irqrestore(&lock->lock, flags);
    if (next != NULL) {
        thread_unpark(next);
    }
    rwlock_wake_admitted(lock);
}
