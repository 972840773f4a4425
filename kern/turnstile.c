/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/spinlock.h>
#include <kern/thread.h>
#include <kern/turnstile.h>
#include <lib/assert.h>

static struct spinlock turnstile_graph_lock =
    SPINLOCK_INITIALIZER(LOCK_TURNSTILE, "turnstiles");

/* Larger priorities first. */
static int
turnstile_compare_waiters(const struct rbtree_node *a,
                          const struct rbtree_node *b)
{
    int pa, pb;

    pa = rbtree_entry(a, struct turnstile_waiter, node)->priority;
    pb = rbtree_entry(b, struct turnstile_waiter, node)->priority;
    return (pa < pb) - (pa > pb);
}

static int
turnstile_top(const struct turnstile *turnstile)
{
    struct rbtree_node *node;

    node = rbtree_first(&turnstile->waiters);
    return node != NULL
               ? rbtree_entry(node, struct turnstile_waiter, node)->priority
               : THREAD_PRIORITY_IDLE;
}

static int
turnstile_compare_owned(const struct rbtree_node *a,
                        const struct rbtree_node *b)
{
    int pa, pb;

    pa = turnstile_top(rbtree_entry(a, struct turnstile, owner_node));
    pb = turnstile_top(rbtree_entry(b, struct turnstile, owner_node));
    return (pa < pb) - (pa > pb);
}

/* Out of the owner's tree, before the waiters change. */
static void
turnstile_detach(struct turnstile *turnstile)
{
    if (turnstile->owner != NULL && !rbtree_is_empty(&turnstile->waiters)) {
        rbtree_remove(&turnstile->owner->turnstiles, &turnstile->owner_node);
    }
}

/* Into the owner's tree, after the waiters have changed. */
static void
turnstile_attach(struct turnstile *turnstile)
{
    if (turnstile->owner != NULL && !rbtree_is_empty(&turnstile->waiters)) {
        rbtree_insert(&turnstile->owner->turnstiles, &turnstile->owner_node,
                      turnstile_compare_owned);
    }
}

/*
 * Compute what a thread inherits.
 *
 * Returns: whether its effective priority changed
 */
static bool
turnstile_update_owner(struct thread *owner)
{
    struct rbtree_node *node;
    int priority;

    if (owner == NULL) {
        return false;
    }

    node = rbtree_first(&owner->turnstiles);
    priority = THREAD_PRIORITY_IDLE;
    if (node != NULL) {
        priority =
            turnstile_top(rbtree_entry(node, struct turnstile, owner_node));
    }
    return thread_inherit(owner, priority);
}

void
turnstile_init(struct turnstile *turnstile)
{
    turnstile->owner = NULL;
    rbtree_init(&turnstile->waiters);
}

uint64_t
turnstile_lock(void)
{
    return spinlock_lock_irqsave(&turnstile_graph_lock);
}

void
turnstile_unlock(uint64_t flags)
{
    spinlock_unlock_irqrestore(&turnstile_graph_lock, flags);
}

void
turnstile_set_owner_locked(struct turnstile *turnstile, struct thread *owner)
{
    struct thread *old;

    assert(spinlock_is_locked(&turnstile_graph_lock));
    old = turnstile->owner;
    if (old == owner) {
        return;
    }

    turnstile_detach(turnstile);
    turnstile->owner = owner;
    turnstile_attach(turnstile);
    if (rbtree_is_empty(&turnstile->waiters)) {
        /*
         * Nobody inherits by this.  What else may have changed for a new owner
         * that waits is told along its chain by who changed it, if he finds it
         * not done already.
         */
        return;
    }

    assert(old == NULL || old->blocked_on == NULL);
    assert(owner == NULL || owner->blocked_on == NULL);
    turnstile_update_owner(old);
    turnstile_update_owner(owner);
}

void
turnstile_enter_locked(struct turnstile *turnstile,
                       struct turnstile_waiter *waiter)
{
    struct thread *self;

    assert(spinlock_is_locked(&turnstile_graph_lock));
    self = thread_self();
    waiter->thread = self;
    waiter->turnstile = turnstile;
    waiter->priority = thread_priority(self);
    atomic_init(&waiter->released, false);
    self->blocked_on = waiter;
    turnstile_detach(turnstile);
    rbtree_insert(&turnstile->waiters, &waiter->node,
                  turnstile_compare_waiters);
    turnstile_attach(turnstile);
}

bool
turnstile_wait(struct turnstile_waiter *waiter, uint64_t deadline)
{
    for (;;) {
        /* Pairs with the release in turnstile_release(). */
        if (atomic_load_explicit(&waiter->released, memory_order_acquire)) {
            return true;
        }
        if (deadline != CLOCK_NEVER && clock_now() >= deadline) {
            return false;
        }
        thread_park(deadline);
    }
}

void
turnstile_leave_locked(struct turnstile_waiter *waiter)
{
    struct turnstile *turnstile;

    assert(spinlock_is_locked(&turnstile_graph_lock));
    turnstile = waiter->turnstile;
    turnstile_detach(turnstile);
    rbtree_remove(&turnstile->waiters, &waiter->node);
    turnstile_attach(turnstile);
    waiter->thread->blocked_on = NULL;
    turnstile_update_owner(turnstile->owner);
}

bool
turnstile_has_waiters_locked(const struct turnstile *turnstile)
{
    return !rbtree_is_empty(&turnstile->waiters);
}

struct turnstile_waiter *
turnstile_hand_over_locked(struct turnstile *turnstile)
{
    struct turnstile_waiter *waiter;
    struct rbtree_node *node;

    assert(spinlock_is_locked(&turnstile_graph_lock));
    assert(turnstile->owner == NULL || turnstile->owner == thread_self());
    node = rbtree_first(&turnstile->waiters);
    if (node == NULL) {
        turnstile->owner = NULL;
        return NULL;
    }

    turnstile_detach(turnstile);
    waiter = rbtree_entry(node, struct turnstile_waiter, node);
    rbtree_remove(&turnstile->waiters, node);
    waiter->thread->blocked_on = NULL;
    turnstile->owner = rbtree_is_empty(&turnstile->waiters) ? NULL
                                                            : waiter->thread;
    turnstile_attach(turnstile);
    turnstile_update_owner(turnstile->owner);
    return waiter;
}

void
turnstile_release(struct turnstile_waiter *waiter)
{
    /*
     * Pairs with the acquire in turnstile_wait(): from here on the waiter's
     * stack may be gone.
     */
    atomic_store_explicit(&waiter->released, true, memory_order_release);
}

void
turnstile_disinherit(void)
{
    uint64_t flags;

    flags = turnstile_lock();
    turnstile_update_owner(thread_self());
    turnstile_unlock(flags);
}

/* Whoever keeps its priority keeps its place among its equals. */
static void
turnstile_reposition(struct turnstile_waiter *waiter, int priority)
{
    struct turnstile *turnstile;

    if (waiter->priority == priority) {
        return;
    }

    turnstile = waiter->turnstile;
    turnstile_detach(turnstile);
    rbtree_remove(&turnstile->waiters, &waiter->node);
    waiter->priority = priority;
    rbtree_insert(&turnstile->waiters, &waiter->node,
                  turnstile_compare_waiters);
    turnstile_attach(turnstile);
}

/*
 * One link of a chain: give a waiting thread its right place.
 *
 * Returns: the thread that it waits for, if its priority changed; else NULL
 */
static struct thread *
turnstile_step_locked(struct thread *thread)
{
    struct turnstile_waiter *waiter;
    struct thread *owner;

    assert(spinlock_is_locked(&turnstile_graph_lock));
    waiter = thread->blocked_on;
    if (waiter == NULL) {
        return NULL;
    }

    turnstile_reposition(waiter, thread_priority(thread));
    owner = waiter->turnstile->owner;
    return turnstile_update_owner(owner) ? owner : NULL;
}

static struct thread *
turnstile_step(struct thread *thread)
{
    struct thread *next;
    uint64_t flags;

    flags = turnstile_lock();
    next = turnstile_step_locked(thread);
    turnstile_unlock(flags);
    return next;
}

/* Walk to the end with nobody else on the way. */
static void
turnstile_settle(struct thread *thread)
{
    uint64_t flags;

    flags = turnstile_lock();
    while (thread != NULL) {
        thread = turnstile_step_locked(thread);
    }
    turnstile_unlock(flags);
}

/*
 * A walker alone stops even in a cycle, where nothing changes any more after
 * it has been round twice; two of them, one that raises and one that lowers,
 * may run round it behind each other for ever.  So a walker that comes back to
 * a mark, which it sets after 1, 2, 4, ... steps (Brent), goes on alone.  It
 * must not just stop: the cycle may end by a time-out, and what was not told
 * then would never be.
 */
void
turnstile_propagate(struct thread *thread)
{
    const struct thread *mark;
    unsigned n;

    mark = NULL;
    for (n = 1; thread != NULL && thread != mark; n++) {
        if (IS_POWER_OF_2(n)) {
            mark = thread;
        }
        thread = turnstile_step(thread);
    }
    if (unlikely(thread != NULL)) {
        turnstile_settle(thread);
    }
}

struct thread *
turnstile_owner_of(const struct thread *waiting)
{
    struct thread *owner;
    uint64_t flags;

    flags = turnstile_lock();
    owner = waiting->blocked_on != NULL ? waiting->blocked_on->turnstile->owner
                                        : NULL;
    turnstile_unlock(flags);
    return owner;
}
