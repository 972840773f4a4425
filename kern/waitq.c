/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/thread.h>
#include <kern/waitq.h>
#include <lib/assert.h>

static int
waitq_compare(const struct rbtree_node *a, const struct rbtree_node *b)
{
    int pa, pb;

    pa = rbtree_entry(a, struct waitq_entry, node)->priority;
    pb = rbtree_entry(b, struct waitq_entry, node)->priority;
    return (pa < pb) - (pa > pb);
}

void
waitq_init(struct waitq *queue)
{
    spinlock_init(&queue->lock, LOCK_WAITQ, "wait queue");
    rbtree_init(&queue->waiters);
    list_init(&queue->arrivals);
    queue->nr_arrived = 0;
}

uint64_t
waitq_lock(struct waitq *queue)
{
    return spinlock_lock_irqsave(&queue->lock);
}

void
waitq_unlock(struct waitq *queue, uint64_t flags)
{
    spinlock_unlock_irqrestore(&queue->lock, flags);
}

bool
waitq_has_waiters_locked(const struct waitq *queue)
{
    return !rbtree_is_empty(&queue->waiters);
}

struct thread *
waitq_first_locked(const struct waitq *queue)
{
    struct rbtree_node *node;

    node = rbtree_first(&queue->waiters);
    return node != NULL ? rbtree_entry(node, struct waitq_entry, node)->thread
                        : NULL;
}

bool
waitq_has_two_waiters_locked(const struct waitq *queue)
{
    struct rbtree_node *node;

    node = rbtree_first(&queue->waiters);
    return node != NULL && rbtree_next(node) != NULL;
}

static void
waitq_remove_locked(struct waitq *queue, struct waitq_entry *entry)
{
    rbtree_remove(&queue->waiters, &entry->node);
    list_remove(&entry->link);
}

/*
 * Leave, unless woken at the last moment.
 *
 * @status  why
 */
static status_t
waitq_give_up(struct waitq *queue, struct waitq_entry *entry, status_t status)
{
    uint64_t flags;
    bool woken;

    flags = waitq_lock(queue);
    woken = atomic_load_explicit(&entry->woken, memory_order_acquire);
    if (!woken) {
        waitq_remove_locked(queue, entry);
    }
    waitq_unlock(queue, flags);
    return woken ? OK : status;
}

void
waitq_enter_locked(struct waitq *queue, struct waitq_entry *entry)
{
    assert(spinlock_is_locked(&queue->lock));
    entry->thread = thread_self();
    entry->priority = thread_priority(entry->thread);
    entry->arrival = queue->nr_arrived++;
    atomic_init(&entry->woken, false);
    rbtree_insert(&queue->waiters, &entry->node, waitq_compare);
    list_insert_tail(&queue->arrivals, &entry->link);
}

/* @can_end  whether the wait ends when the thread is to end */
static inline status_t
waitq_wait_for(struct waitq *queue, struct waitq_entry *entry,
               uint64_t deadline, bool can_end)
{
    /* Pairs with the release in waitq_wake_locked(). */
    while (!atomic_load_explicit(&entry->woken, memory_order_acquire)) {
        if (deadline != CLOCK_NEVER && clock_now() >= deadline) {
            return waitq_give_up(queue, entry, ERR_TIMEOUT);
        }
        if (can_end && thread_is_ending()) {
            return waitq_give_up(queue, entry, ERR_INTERRUPTED);
        }
        thread_park(deadline);
    }
    return OK;
}

status_t
waitq_wait(struct waitq *queue, struct waitq_entry *entry, uint64_t deadline)
{
    return waitq_wait_for(queue, entry, deadline, false);
}

status_t
waitq_wait_or_end(struct waitq *queue, struct waitq_entry *entry,
                  uint64_t deadline)
{
    return waitq_wait_for(queue, entry, deadline, true);
}

status_t
waitq_wait_for_or_end(struct waitq *queue, waitq_condition_fn_t is_true,
                      const void *arg, uint64_t deadline)
{
    status_t status = OK;

    while (status == OK) {
        struct waitq_entry entry;
        uint64_t flags = waitq_lock(queue);

        if (is_true(arg)) {
            waitq_unlock(queue, flags);
            break;
        }
        waitq_enter_locked(queue, &entry);
        waitq_unlock(queue, flags);
        status = waitq_wait_or_end(queue, &entry, deadline);
    }
    return status;
}

status_t
waitq_wait_locked(struct waitq *queue, uint64_t flags, uint64_t deadline)
{
    struct waitq_entry entry;

    waitq_enter_locked(queue, &entry);
    waitq_unlock(queue, flags);
    return waitq_wait(queue, &entry, deadline);
}

static struct thread *
waitq_wake_locked(struct waitq *queue, struct waitq_entry *entry)
{
    struct thread *thread;

    waitq_remove_locked(queue, entry);
    thread = entry->thread;
    /*
     * Pairs with the acquire in waitq_wait(): from here on the waiter's stack
     * may be gone.
     */
    atomic_store_explicit(&entry->woken, true, memory_order_release);
    thread_unpark(thread);
    return thread;
}

struct thread *
waitq_wake_one_locked(struct waitq *queue)
{
    struct rbtree_node *node;

    assert(spinlock_is_locked(&queue->lock));
    node = rbtree_first(&queue->waiters);
    if (node == NULL) {
        return NULL;
    }
    return waitq_wake_locked(queue,
                             rbtree_entry(node, struct waitq_entry, node));
}

/*
 * Wake one of those who came before the arrival number @end: the first, or the
 * oldest when somebody has come since who is before them.
 */
static bool
waitq_wake_older_locked(struct waitq *queue, uint64_t end)
{
    struct waitq_entry *entry;

    if (rbtree_is_empty(&queue->waiters)) {
        return false;
    }
    entry =
        rbtree_entry(rbtree_first(&queue->waiters), struct waitq_entry, node);
    if (entry->arrival >= end) {
        entry = list_first_entry(&queue->arrivals, struct waitq_entry, link);
    }
    if (entry->arrival >= end) {
        return false;
    }
    waitq_wake_locked(queue, entry);
    return true;
}

void
waitq_wake_all(struct waitq *queue)
{
    uint64_t flags, end;
    bool woke_one;

    flags = waitq_lock(queue);
    end = queue->nr_arrived;
    do {
        woke_one = waitq_wake_older_locked(queue, end);
        waitq_unlock(queue, flags);
        flags = waitq_lock(queue);
    } while (woke_one);
    waitq_unlock(queue, flags);
}
