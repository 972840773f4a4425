/* SPDX-License-Identifier: MIT */
/*
 * Turnstiles: priority inheritance along chains of any length.
 *
 * A turnstile stands where threads wait for one owner: in a mutex, later in a
 * port.  An owner runs at least at the priority of the first of those that
 * wait at its turnstiles; and when it waits itself, it passes that on.
 *
 * Invariant, when nobody propagates or hands over: the inherited priority of
 * a thread is the largest effective priority of the waiters at the turnstiles
 * that it owns.  It is always computed from them, never added to or restored,
 * so that leaving early, by time-out or change of priority, is no special
 * case.
 *
 * One spin lock, of rank LOCK_TURNSTILE, protects the graph; it is held for
 * one step of a chain at a time.  A step computes one thread's priority from
 * what is there, so chains may be walked by several CPUs at once: each stops
 * where nothing changes.  A cycle (a deadlock) ends the same way.
 *
 * Source: Vahalia, "UNIX Internals", priority inheritance; Linux, rt-mutex
 * design.
 */
#ifndef KERN_TURNSTILE_H
#define KERN_TURNSTILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lib/rbtree.h>

struct thread;

/*
 * Keys: [T] turnstile lock
 */
struct turnstile {
    struct thread *owner;          /* [T] NULL: nobody inherits */
    struct rbtree waiters;         /* [T] by priority, FIFO among equals */
    struct rbtree_node owner_node; /* [T] in the owner's, if any waits */
};

/*
 * One wait, on the stack of the thread that waits.
 *
 * Keys: [T] turnstile lock   [a] atomic, set under it
 */
struct turnstile_waiter {
    struct rbtree_node node;     /* [T] */
    struct thread *thread;       /* constant */
    struct turnstile *turnstile; /* [T] */
    int priority;                /* [T] its place */
    atomic_bool released;        /* [a] it need not wait any more */
};

/* Make a turnstile without owner and waiters. */
void turnstile_init(struct turnstile *turnstile);

/*
 * Lock the graph.
 *
 * Returns: the interrupt state, for turnstile_unlock()
 */
uint64_t turnstile_lock(void);

/* Unlock the graph. */
void turnstile_unlock(uint64_t flags);

/*
 * Say who owns a turnstile from now on; NULL for nobody.  While threads wait
 * there, neither the former nor the new owner waits itself.
 */
void turnstile_set_owner_locked(struct turnstile *turnstile,
                                struct thread *owner);

/*
 * Begin to wait: the calling thread takes its place.
 *
 * After turnstile_unlock() call turnstile_propagate() for the thread, then
 * turnstile_wait().
 */
void turnstile_enter_locked(struct turnstile *turnstile,
                            struct turnstile_waiter *waiter);

/*
 * Wait until released.
 *
 * Context: thread
 * Returns: true; false when the deadline came first: then lock, look at
 *          waiter->released again, and leave
 */
bool turnstile_wait(struct turnstile_waiter *waiter, uint64_t deadline);

/* Give up the place of a waiter that was not released. */
void turnstile_leave_locked(struct turnstile_waiter *waiter);

/* Whether somebody waits. */
bool turnstile_has_waiters_locked(const struct turnstile *turnstile);

/*
 * The owner, which is the calling thread, leaves: take the first waiter out,
 * and make its thread the owner if others wait, else nobody.  The waiter goes
 * on waiting until turnstile_release().
 *
 * What the calling thread inherits is not computed anew yet, unless a walk
 * comes along: it unparks the next first, without being preempted, and then
 * calls turnstile_disinherit().
 *
 * Returns: NULL when nobody waits
 */
struct turnstile_waiter *
turnstile_hand_over_locked(struct turnstile *turnstile);

/*
 * End the wait of one that was taken out; unpark its thread when the graph is
 * unlocked.
 *
 * Ordering: release; stores before the call are visible to the waiter
 */
void turnstile_release(struct turnstile_waiter *waiter);

/*
 * After turnstile_hand_over_locked(): compute anew what the calling thread
 * inherits.
 *
 * Context: thread, graph unlocked
 */
void turnstile_disinherit(void);

/*
 * The waiting thread's priority or place has changed: tell those for whom it
 * waits.  Nothing happens when it does not wait.
 *
 * Context: graph unlocked
 */
void turnstile_propagate(struct thread *thread);

/* Where a thread waits, for the monitor; may change at once. */
struct thread *turnstile_owner_of(const struct thread *waiting);

#endif /* KERN_TURNSTILE_H */
