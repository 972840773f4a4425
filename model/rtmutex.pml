/* SPDX-License-Identifier: MIT */
/*
 * Mutexes with priority inheritance: kern/rtmutex.c, kern/turnstile.c.
 *
 * Threads lock what their script says, inner mutexes within outer ones,
 * and may give up; somebody changes priorities.  Claims: a mutex has one
 * holder; when nobody is at work on the graph, what each thread inherits is
 * the largest effective priority of those that wait for its mutexes, and the
 * flag is set exactly while somebody waits; a chain is walked in few steps,
 * cycles included; all ends where the scripts contain no cycle or somebody
 * gives up; a thread that has been given a mutex is ready before the giver
 * can be preempted.
 *
 * What is under the graph's lock is one step, but for what is seen without
 * it: the owner words, the released flags, the priorities.  The trees are
 * sets; among equals any may be the first.  A park ends by a permit only
 * (see park.pml), or because the deadline has come, which may be any time.
 *
 * @run chain: -DTHREADS=3 -DMUTEXES=2 -DSCRIPT=1 -DGIVE_UP=6 -DCHANGES=1
 * @run cycle: -DTHREADS=3 -DMUTEXES=2 -DSCRIPT=2 -DGIVE_UP=7 -DCHANGES=0
 * @run ring: -DTHREADS=3 -DMUTEXES=3 -DSCRIPT=4 -DGIVE_UP=3 -DCHANGES=1
 * @run fork: -DTHREADS=4 -DMUTEXES=3 -DSCRIPT=3 -DGIVE_UP=0 -DCHANGES=0
 * @broken RELEASED_FIRST chain: released is set before the owner word
 * @broken NO_FLAG chain: a waiter does not flag the owner word
 * @broken FLAG_KEPT chain: the last that gives up leaves the flag
 * @broken GIVE_UP_BLIND chain: a time-out does not look at released again
 * @broken RESTORE chain: an unlock restores the own priority, computes nothing
 * @broken LEAVE_SILENT chain: a time-out does not tell along the chain
 * @broken CHANGE_SILENT chain: a change of priority is not told along the chain
 * @broken STOP_EARLY chain: a chain is walked for one step only
 * @broken NEVER_STOP cycle: a walk goes on where nothing changes
 * @broken NO_MARK ring: two walks round a cycle, one raising, one lowering
 * @broken MARK_STOPS ring: a walk just stops in a cycle, which a time-out ends
 * @broken SWALLOWED fork: a new owner's changed priority is told to nobody
 * @broken UNPARK_LATE chain: an unlock unparks when it may be preempted again
 */
#define NONE  255
#ifdef NO_MARK
#undef CHANGES
#define CHANGES 2
#undef GIVE_UP
#define GIVE_UP 0
#endif
#define IDLE  0                         /* THREAD_PRIORITY_IDLE */
#define STEPS (4 * THREADS)             /* more than any walk may take */

/* struct rtmutex, struct turnstile */
byte word[MUTEXES] = NONE;              /* owner, without the flag */
bool flag[MUTEXES];                     /* RTMUTEX_CONTENDED */
byte owner[MUTEXES] = NONE;             /* turnstile.owner */

/* struct thread, struct turnstile_waiter */
byte base[THREADS];
byte inherited[THREADS];
byte prio[THREADS];
byte blocked_on[THREADS] = NONE;
byte place[THREADS];                    /* waiter.priority */
bool released[THREADS];
bool permit[THREADS];
bool given[THREADS];                    /* to another that is not unparked yet */

bool graph;                             /* turnstile_graph_lock */
byte at_work;                           /* threads that change the graph */
byte holders[MUTEXES];

#define maximum(a, b) ((a) > (b) -> (a) : (b))

/* turnstile_top() over all that a thread owns */
inline top_of(o, best)
{
    best = IDLE;
    w = 0;
    do
    :: w < THREADS ->
        if
        :: blocked_on[w] != NONE && owner[blocked_on[w]] == o ->
            best = maximum(best, place[w])
        :: else
        fi;
        w++
    :: else -> break
    od;
    w = 0
}

/* turnstile_update_owner() and thread_inherit() */
inline update_owner(o, changed)
{
    changed = false;
    if
    :: o != NONE ->
        top_of(o, best);
        inherited[o] = best;
        changed = prio[o] != maximum(base[o], best);
        prio[o] = maximum(base[o], best);
        best = 0
    :: else
    fi
}

inline has_waiters(m, answer)
{
    answer = false;
    w = 0;
    do
    :: w < THREADS -> answer = answer || blocked_on[w] == m; w++
    :: else -> break
    od;
    w = 0
}

/* turnstile_set_owner_locked() */
inline set_owner(m, o)
{
    old = owner[m];
    owner[m] = o;
    has_waiters(m, answer);
    if
#ifdef SWALLOWED
    :: old != o ->
#else
    :: old != o && answer ->
        assert(old == NONE || blocked_on[old] == NONE);
        assert(o == NONE || blocked_on[o] == NONE);
#endif
        update_owner(old, changed);
        update_owner(o, changed)
    :: else
    fi;
    old = 0;
    answer = false;
    changed = false
}

/* turnstile_step_locked(), within a step */
inline step_locked()
{
    steps++;
    assert(steps < STEPS);
    if
    :: blocked_on[at] != NONE ->
        place[at] = prio[at];
        at = owner[blocked_on[at]];
        update_owner(at, changed);
#ifdef STOP_EARLY
        changed = false;
#endif
#ifndef NEVER_STOP
        if
        :: !changed -> at = NONE
        :: else
        fi;
#endif
        changed = false
    :: else -> at = NONE
    fi
}

/* turnstile_propagate(); one round is turnstile_step(). */
inline propagate(t)
{
    at = t;
    steps = 0;
    mark = NONE;
    do
    :: at != NONE && at != mark ->
        d_step {
            !graph ->
            if
#ifndef NO_MARK
            :: ((steps + 1) & steps) == 0 -> mark = at
#endif
            :: else
            fi;
            step_locked()
        }
    :: else -> break
    od;
#ifndef MARK_STOPS
    if
    :: at != NONE ->                            /* turnstile_settle() */
        d_step {
            !graph ->
            do
            :: at != NONE -> step_locked()
            :: else -> break
            od
        }
    :: else
    fi;
#endif
    at = 0;
    mark = 0;
    steps = 0
}

/* Whether threads wait for each other in a ring. */
inline find_cycle(answer)
{
    answer = false;
    w2 = 0;
    do
    :: w2 < THREADS ->
        old = w2;
        w = 0;
        do
        :: w <= THREADS && old != NONE && blocked_on[old] != NONE ->
            old = owner[blocked_on[old]];
            w++
        :: else -> break
        od;
        answer = answer || w > THREADS;
        w2++
    :: else -> break
    od;
    old = 0;
    w = 0
}

/* The invariants of kern/turnstile.h and kern/rtmutex.h. */
inline check_if_quiet()
{
    find_cycle(changed);
    if
    :: at_work == 0 && !changed ->
        w2 = 0;
        do
        :: w2 < THREADS ->
            top_of(w2, best);
            assert(inherited[w2] == best);
            assert(prio[w2] == maximum(base[w2], best));
            assert(blocked_on[w2] == NONE || place[w2] == prio[w2]);
            w2++
        :: else -> break
        od;
        w2 = 0;
        do
        :: w2 < MUTEXES ->
            has_waiters(w2, answer);
            assert(flag[w2] == answer);
            assert(owner[w2] == (answer -> word[w2] : NONE));
            w2++
        :: else -> break
        od;
        w2 = 0;
        best = 0;
        answer = false
    :: else
    fi;
    changed = false;
    w2 = 0
}

inline begin_work() { at_work++ }
inline end_work() { d_step { at_work--; check_if_quiet() } }

/* rtmutex_try_lock() */
inline try_lock(m, got)
{
    atomic {
        got = word[m] == NONE && !flag[m];
        if
        :: got -> word[m] = self
        :: else
        fi
    }
}

/* rtmutex_give_up() */
inline give_up(m, got)
{
    begin_work();
    atomic { !graph -> graph = true }
    if
#ifndef GIVE_UP_BLIND
    :: released[self] -> graph = false; got = true; end_work()
#endif
    :: else ->
        d_step {
            assert(blocked_on[self] == m);
            next = owner[m];
            blocked_on[self] = NONE;            /* turnstile_leave_locked() */
            update_owner(next, changed);
            has_waiters(m, answer);             /* rtmutex_unflag_locked() */
            w2 = answer;
            if
            :: !answer -> set_owner(m, NONE)
            :: else
            fi
        }
        if
#ifndef FLAG_KEPT
        :: !w2 -> flag[m] = false
#endif
        :: else
        fi;
        atomic { w2 = 0; changed = false; answer = false; graph = false }
#ifndef LEAVE_SILENT
        propagate(next);
#endif
        next = 0;
        got = false;
        end_work()
    fi
}

/* rtmutex_lock_slow(), after rtmutex_try_lock() */
inline lock_slow(m, got)
{
    begin_work();
    atomic { !graph -> graph = true }
    /* rtmutex_take_or_flag_locked() */
    atomic {
        if
        :: word[m] == NONE -> word[m] = self; got = true
        :: else ->
#ifndef NO_FLAG
            flag[m] = true;
#endif
            next = word[m]
        fi
    }
    if
    :: got -> graph = false; end_work()
    :: else ->
        d_step {
            set_owner(m, next);
            next = 0;
            place[self] = prio[self];           /* turnstile_enter_locked() */
            released[self] = false;
            blocked_on[self] = m;
            graph = false
        }
        propagate(self);
        end_work();
        /* turnstile_wait() */
        do
        :: released[self] -> got = true; break
        :: !released[self] && (GIVE_UP >> self) & 1 -> give_up(m, got); break
        :: !released[self] ->
#if SCRIPT == 4
end_deadlock:
#endif
            if
            :: atomic { permit[self] -> permit[self] = false }
            :: (GIVE_UP >> self) & 1 -> skip    /* the timer */
            fi
        od
    fi
}

/* rtmutex_lock_until() */
inline take(m, got)
{
    try_lock(m, got);
    if
    :: !got -> lock_slow(m, got)
    :: else
    fi;
    if
    :: got -> d_step {
            holders[m]++;
            assert(holders[m] == 1);
            assert(word[m] == self)
        }
    :: else
    fi
}

/* turnstile_hand_over_locked() */
inline hand_over(m)
{
    best = IDLE;
    next = NONE;
    w = 0;
    do
    :: w < THREADS ->
        if
        :: blocked_on[w] == m && place[w] > best -> best = place[w]; next = w
        :: else
        fi;
        w++
    :: else -> break
    od;
    w = 0;
    best = 0;
    if
    :: next != NONE -> blocked_on[next] = NONE
    :: else
    fi;
    has_waiters(m, answer);
    w2 = answer;
    answer = false;
    owner[m] = (w2 -> next : NONE);
    update_owner(owner[m], changed);
    changed = false
}

/* turnstile_disinherit(); the giver may be preempted from here on. */
inline disinherit()
{
    d_step {
        !graph ->
        assert(!given[self]);
#ifdef RESTORE
        prio[self] = base[self];
        inherited[self] = IDLE
#else
        update_owner(self, changed);
        changed = false
#endif
    }
}

inline thread_unpark(t)
{
    d_step { permit[t] = true; given[self] = false }
}

/* rtmutex_unlock_slow() */
inline unlock_slow(m)
{
    begin_work();
    atomic { !graph -> graph = true }
    d_step { hand_over(m) }
#ifdef RELEASED_FIRST
    if
    :: next != NONE -> d_step { released[next] = true; given[self] = true }
    :: else
    fi;
    d_step { word[m] = next; flag[m] = w2 }
#else
    d_step { word[m] = next; flag[m] = w2 }
    if
    :: next != NONE -> d_step { released[next] = true; given[self] = true }
    :: else
    fi;
#endif
    d_step { w2 = 0; graph = false }
    if
    :: next != NONE ->
#ifndef UNPARK_LATE
        thread_unpark(next);
        disinherit()
#else
        disinherit();
        thread_unpark(next)
#endif
    :: else
    fi;
    next = 0;
    end_work()
}

/* rtmutex_unlock() */
inline give(m)
{
    atomic {
        assert(word[m] == self);
        holders[m]--;
        if
        :: !flag[m] -> word[m] = NONE; got = true
        :: else -> got = false
        fi
    }
    if
    :: !got -> unlock_slow(m)
    :: else
    fi
}

/* Lock up to three mutexes, each within the former, then unlock them. */
proctype thread(byte self; byte m0; byte m1; byte m2)
{
    byte mutex[3], depth, n;
    byte w, w2, best, old, next, at, mark, steps;
    bool answer, changed, got;

    d_step {
        mutex[0] = m0;
        mutex[1] = m1;
        mutex[2] = m2;
        /* A ring begins with one mutex each. */
        depth = (SCRIPT == 4 -> 1 : 0)
    }
    do
    :: depth < 3 && mutex[depth] != NONE ->
        take(mutex[depth], got);
        if
        :: got -> depth++; got = false
        :: else -> break
        fi
    :: else -> break
    od;
    do
    :: depth > 0 -> depth--; give(mutex[depth])
    :: else -> break
    od
}

#define PRIORITY_MAX (THREADS + 1)

/* thread_set_policy(), by somebody */
proctype changer()
{
    byte t, p;
    byte w, w2, best, old, at, mark, steps;
    bool answer, changed;

    do
    :: t < THREADS - 1 -> t++
    :: break
    od;
    if
    :: p = 1
    :: p = PRIORITY_MAX
    fi;
    begin_work();
    d_step { base[t] = p; prio[t] = maximum(p, inherited[t]) }
#ifndef CHANGE_SILENT
    propagate(t);
#endif
    end_work()
}

init {
    byte i;

    d_step {
        for (i : 0 .. THREADS - 1) { base[i] = i + 1; prio[i] = i + 1 }
    }
    atomic {
#if SCRIPT == 1
        run thread(0, 0, NONE, NONE);
        run thread(1, 1, 0, NONE);
        run thread(2, 1, NONE, NONE);
#elif SCRIPT == 2
        run thread(0, 0, 1, NONE);
        run thread(1, 1, 0, NONE);
        run thread(2, 1, NONE, NONE);
#elif SCRIPT == 4
        for (i : 0 .. 2) { word[i] = i; holders[i] = 1 }
        run thread(0, 0, 1, NONE);
        run thread(1, 1, 2, NONE);
        run thread(2, 2, 0, NONE);
#else
        run thread(0, 2, NONE, NONE);
        run thread(1, 0, 1, 2);
        run thread(2, 1, NONE, NONE);
        run thread(3, 0, NONE, NONE);
#endif
#if CHANGES
        run changer();
#endif
#if CHANGES > 1
        run changer()
#endif
    }
}
