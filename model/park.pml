/* SPDX-License-Identifier: MIT */
/*
 * Park, unpark and wait queues: kern/thread.c, kern/waitq.c, kern/timer.c.
 *
 * Waiters take units of a semaphore that is built on a wait queue; givers
 * hand a unit to the first waiter or put it by.  Somebody unparks for no
 * reason, as a timer of the past may.  Claims: every unit is either taken or
 * left, so no wake-up is lost and none counts twice; nobody touches an entry
 * on the stack of a waiter that has returned; all ends.
 *
 * The order among waiters is left open: any may be the first.  The clock is
 * any clock: a deadline may have come whenever it is looked at, and has come
 * when the timer expires.
 *
 * @run forever: -DDEADLINE=0 -DROUNDS=2 -DGIVERS=1 -DSTRAY=1
 * @run deadline: -DDEADLINE=1 -DROUNDS=1 -DGIVERS=2 -DSTRAY=0
 * @run again: -DDEADLINE=1 -DROUNDS=2 -DGIVERS=1 -DSTRAY=0
 * @broken PERMIT_LOST forever: thread_unpark() drops the permit
 * @broken PERMIT_UNLOCKED forever: thread_park() looks without the lock
 * @broken ENQUEUE_UNLOCKED forever: a waiter enqueues after unlocking
 * @broken NO_LOOP forever: a waiter takes any wake-up for its own
 * @broken WOKEN_FIRST deadline: woken is set before the entry is removed
 * @broken THREAD_LATE deadline: entry->thread is read after woken is set
 * @broken GIVE_UP_BLIND deadline: a time-out does not look at woken again
 * @broken CANCEL_FORGETS deadline: the clock is not looked at after parking
 * @broken QUEUE_ON_STACK deadline: the queue is on the stack of its waiter
 */
#define WAITERS    2
#define NR_THREADS WAITERS

#include "thread.pml"

bool waitq_lock;                /* queue->lock */
bool in_queue[WAITERS];         /* entry.node is in queue->waiters */
bool woken[WAITERS];            /* entry.woken */
bool alive[WAITERS];            /* entry is on the stack */
byte units;                     /* what the queue's owner counts */
byte given, taken;
byte ended;

bool timer_queued[WAITERS];
bool timer_running[WAITERS];
bool expired[WAITERS];          /* the deadline has come */

#define touch(t) assert(alive[t])

/* thread_park() */
inline thread_park(self)
{
#if DEADLINE
    timer_queued[self] = true;          /* timer_start() */
    thread_park_forever(self);
    timer_queued[self] = false;         /* timer_cancel() */
    !timer_running[self]
#else
    thread_park_forever(self)
#endif
}

/* waitq_give_up() */
inline waitq_give_up(self, status)
{
    lock(waitq_lock);
    if
#ifndef GIVE_UP_BLIND
    :: woken[self] -> status = true
#endif
    :: else ->
        assert(in_queue[self]);         /* rbtree_remove() */
        in_queue[self] = false;
        status = false
    fi;
    unlock(waitq_lock)
}

/* waitq_wait_locked(); the queue is locked */
inline waitq_wait_locked(self, status)
{
    atomic { alive[self] = true; woken[self] = false; expired[self] = false }
#ifdef ENQUEUE_UNLOCKED
    unlock(waitq_lock);
    in_queue[self] = true;
#else
    in_queue[self] = true;
    unlock(waitq_lock);
#endif
    do
    :: woken[self] -> status = true; break
    :: !woken[self] ->
        if
#ifndef CANCEL_FORGETS
        :: DEADLINE ->                  /* clock_now() >= deadline */
            expired[self] = true;
            waitq_give_up(self, status);
            break
#endif
        :: !expired[self] ->
            thread_park(self)
#ifdef NO_LOOP
            ; status = true; break
#endif
        fi
    od;
    alive[self] = false
}

/* waitq_wake_one_locked(), somebody waits */
inline waitq_wake_one_locked(t)
{
    if
    :: in_queue[0] -> t = 0
    :: in_queue[1] -> t = 1
    fi;
    touch(t);
#ifdef WOKEN_FIRST
    woken[t] = true;
    touch(t);
    in_queue[t] = false;
#else
    in_queue[t] = false;
    touch(t);                           /* thread = entry->thread */
    woken[t] = true;
#endif
#ifdef THREAD_LATE
    touch(t);
#endif
    thread_unpark(t)
}

proctype waiter(byte self)
{
    byte round;
    bool status;

    do
    :: round < ROUNDS ->
        round++;
        lock(waitq_lock);
        if
        :: units > 0 -> atomic { units--; taken++ }; unlock(waitq_lock)
        :: else ->
            waitq_wait_locked(self, status);
            if
            :: status -> taken++
            :: else -> assert(DEADLINE)
            fi
        fi
    :: else -> break
    od;
    ended++
}

proctype giver()
{
    byte n, t;

    do
    :: n < ROUNDS * WAITERS / GIVERS ->
        n++;
        lock(waitq_lock);
        if
        :: in_queue[0] || in_queue[1] ->
            given++;
            waitq_wake_one_locked(t)
#ifdef QUEUE_ON_STACK
            ; touch(t)
#endif
        :: else -> atomic { given++; units++ }
        fi;
        unlock(waitq_lock)
    :: else -> break
    od;
    ended++
}

/* thread_timer_expired(), called by timer_expire_one() */
proctype timer(byte t)
{
end:
    do
    :: atomic { timer_queued[t] ->
            timer_queued[t] = false;
            timer_running[t] = true;
            expired[t] = true
        }
        thread_unpark(t);
        timer_running[t] = false
    od
}

/* An unpark for no reason. */
proctype stray()
{
    byte t;

    if
    :: t = 0
    :: t = 1
    fi;
    thread_unpark(t);
    ended++
}

init {
    byte i;

    atomic {
        for (i : 0 .. WAITERS - 1) {
            run waiter(i);
#if DEADLINE
            run timer(i)
#endif
        }
        for (i : 1 .. GIVERS) { run giver() }
#if STRAY
        run stray();
#endif
    }
    ended == WAITERS + GIVERS + STRAY;
    assert(given == taken + units);
    assert(!in_queue[0] && !in_queue[1])
}
