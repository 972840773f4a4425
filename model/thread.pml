/* SPDX-License-Identifier: MIT */
/*
 * Park and unpark, for the models that include this: kern/thread.c.
 *
 * A critical section of a run queue is one atomic step: all that is in it is
 * only touched under that lock.  The includer defines NR_THREADS.
 */

mtype = { RUNNING, READY, PARKED };

mtype state[NR_THREADS] = RUNNING;
bool permit[NR_THREADS];
bool queued[NR_THREADS];        /* in the lists of a run queue */

inline lock(l) { atomic { !l -> l = true } }
inline unlock(l) { assert(l); l = false }

/* thread_unpark() */
inline thread_unpark(t)
{
    atomic {
        if
        :: state[t] == PARKED ->
            state[t] = READY
        :: else ->
#ifndef PERMIT_LOST
            permit[t] = true;
#endif
            goto unparked
        fi
    }
    /* sched_enqueue() */
    atomic { assert(state[t] == READY && !queued[t]); queued[t] = true }
unparked:
    skip
}

/* thread_park_forever(), and the switch back to the thread */
inline thread_park_forever(self)
{
#ifdef PERMIT_UNLOCKED
    if
    :: permit[self] -> permit[self] = false; goto parked
    :: else
    fi;
    state[self] = PARKED;
#else
    atomic {
        if
        :: permit[self] -> permit[self] = false; goto parked
        :: else -> state[self] = PARKED
        fi
    }
#endif
    /* Some CPU picks it: sched_pick(), sched_switch_to_locked(). */
    atomic { queued[self] -> queued[self] = false; state[self] = RUNNING }
parked:
    skip
}
