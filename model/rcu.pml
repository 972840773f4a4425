/* SPDX-License-Identifier: MIT */
/*
 * Grace periods: kern/rcu.c, kern/rcu_i.h, kern/rcu_hooks.h, kern/rcu_call.c.
 *
 * Two leaves, with CPUs 0 and 1, and 2; threads that read what a pointer
 * refers to, in nested sections, and are preempted, moved and interrupted in
 * them; an updater that replaces the object and has the old one freed, by
 * waiting or by callback; the thread of RCU, on a CPU of its own that is
 * always quiet.  Claims: no reader has an object that was freed; each grace
 * period ends, if CPUs in sections are interrupted once, and each callback is
 * called; nodes report once.
 *
 * A node's critical section is one step, and so is what follows without
 * anything that others look at.  Each preemption is counted, so that
 * there are no endless runs, and progress is the absence of a deadlock.
 * With -DHOG a thread that never reads keeps CPUs from being idle.  Memory is
 * sequentially consistent; a missing fence is a swapped order.  Priorities and
 * times are left out.
 *
 * @run wait: -DREADERS=1 -DCPUS=2 -DUPDATES=2 -DPREEMPTIONS=2 -DLEAF_CPUS=1
 * @run other: -DREADERS=1 -DCPUS=2 -DUPDATES=1 -DPREEMPTIONS=1 -DOTHER -DLEAF_CPUS=1
 * @run two: -DREADERS=2 -DCPUS=2 -DUPDATES=1 -DPREEMPTIONS=1 -DLEAF_CPUS=1
 * @run hog: -DREADERS=1 -DCPUS=2 -DUPDATES=2 -DPREEMPTIONS=1 -DHOG -DLEAF_CPUS=1
 * @run nested: -DREADERS=1 -DCPUS=2 -DUPDATES=1 -DPREEMPTIONS=2 -DNESTED -DLEAF_CPUS=1
 * @run leaves: -DREADERS=1 -DCPUS=3 -DUPDATES=1 -DPREEMPTIONS=1 -DLEAF_CPUS=2
 * @run call: -DREADERS=1 -DCPUS=1 -DUPDATES=2 -DPREEMPTIONS=0 -DCALLBACKS -DOTHER -DLEAF_CPUS=1
 * @broken NO_SNAPSHOT wait: no snapshot of the idle counters is taken
 * @broken EXIT_LATE wait: an idle CPU reads before it is seen active
 * @broken REPORT_FIRST wait: a switch reports before it lists the reader
 * @broken ALL_NEXT wait: a blocked reader goes on the list of the next period
 * @broken ALL_BLOCKED two: a late reader goes on a list that is not awaited
 * @broken INSIDE_QUIET wait: an interrupt inside a section is a report
 * @broken COOKIE_SHORT other: a grace period under way is taken for a full one
 * @broken END_SILENT wait: the last blocked reader does not report its end
 * @broken REPORTED_AHEAD hog: a CPU notes a report before its leaf has begun
 * @broken WAIT_UNLOCKED other: who waits looks before it locks the leaf
 * @broken OUTERMOST nested: the end of an inner section ends the outer one
 * @broken LEAF_EAGER leaves: a leaf reports when its first CPU has
 * @broken DUE_SILENT call: callbacks fall due and their thread is not woken
 * @broken COOKIE_FIRST call: the cookie is taken before the list is moved
 */
#define NONE   255
#define LEAVES 2
#define OBJECTS (UPDATES + 1)

#define leaf_of(c) ((c) / LEAF_CPUS)
#define bit(n)     (1 << (n))

/* What the updater and readers share. */
byte pointer;                           /* the object that is published */
bool freed[OBJECTS];

/* struct rcu_state, struct rcu_node */
byte sequence;
bool root_finished;
byte root_pending, wanted;
byte pending[LEAVES];
bool has_begun[LEAVES] = true;          /* leaf->begun == rcu_begun */
byte waiters[2];                        /* of the updater's leaf, by parity */
bool done;                              /* waiter.done */

/*
 * rcu_own.active against its snapshot: active and equal to it, idle, active
 * but not equal to it.
 */
#define BUSY   1
#define IDLE   2
#define BUSIER 3
byte activity[CPUS] = BUSY;

/* struct rcu_own and what a CPU does */
bool owes[CPUS];                        /* reported != rcu_begun */
byte current[CPUS] = NONE;
byte irq_off[CPUS];                     /* 1: interrupt or switch, 2: thread */
bool irq[CPUS];                         /* smp_send_wake() */
bool sent[CPUS];

/* struct thread */
byte depth[READERS];                    /* rcu_depth without RCU_REPORT */
bool report[READERS];                   /* RCU_REPORT */
bool listed[READERS];                   /* rcu_blocked */
bool awaited[READERS];                  /* on blocked, else on blocked_next */
byte home[READERS];
byte where[READERS] = NONE;             /* CPU */
byte preemptions[READERS] = PREEMPTIONS;
bool ended[READERS];
byte nr_ended;


/* !list_is_empty(&leaf->blocked) */
#if READERS == 1
#define has_blocked(l) (listed[0] && awaited[0] && home[0] == (l))
#else
#define has_blocked(l) ((listed[0] && awaited[0] && home[0] == (l)) || \
                        (listed[1] && awaited[1] && home[1] == (l)))
#endif

/*
 * rcu_node_finished() of a leaf, within a step: nothing but the order among
 * leaves is seen of what is between.
 */
inline node_finished(l)
{
    assert(has_begun[l]);
    assert(root_pending & bit(l));
    root_pending = root_pending & ~bit(l);
    if
    :: root_pending == 0 -> root_finished = true
    :: else
    fi
}

/* rcu_report_cpu(), if it is due, within a step */
inline report_if_due(c)
{
    if
    :: owes[c] ->
#ifdef REPORTED_AHEAD
        owes[c] = false;
#else
        owes[c] = !has_begun[leaf_of(c)];
#endif
        if
        :: pending[leaf_of(c)] & bit(c) ->
            pending[leaf_of(c)] = pending[leaf_of(c)] & ~bit(c);
            if
#ifdef LEAF_EAGER
            :: root_pending & bit(leaf_of(c)) -> node_finished(leaf_of(c))
#else
            :: pending[leaf_of(c)] == 0 && !has_blocked(leaf_of(c)) ->
                node_finished(leaf_of(c))
#endif
            :: else
            fi
        :: else
        fi
    :: else
    fi
}

/* rcu_reader_end(), within a step */
inline reader_end(t)
{
    report[t] = false;
    depth[t] = 0;
    if
    :: listed[t] ->
        fin = has_blocked(home[t]);
        listed[t] = false;
        awaited[t] = false;
        if
#ifndef END_SILENT
        :: fin && !has_blocked(home[t]) && pending[home[t]] == 0 ->
            node_finished(home[t])
#endif
        :: else
        fi;
        fin = false;
        home[t] = 0
    :: else
    fi
}

/* rcu_reader_block(), within a step */
inline reader_block(t, c)
{
    report[t] = true;
    listed[t] = true;
    home[t] = leaf_of(c);
#if defined(ALL_NEXT)
    awaited[t] = false
#elif defined(ALL_BLOCKED)
    awaited[t] = true
#else
    awaited[t] = (pending[leaf_of(c)] & bit(c)) != 0
#endif
}

/* rcu_switch_slow(): what becomes of the thread */
inline list_reader(t, c)
{
    if
    :: report[t] && depth[t] == 0 -> reader_end(t)
    :: depth[t] != 0 && !listed[t] -> reader_block(t, c)
    :: else
    fi
}

/* rcu_quiet_exit() */
inline quiet_exit(c)
{
    if
    :: activity[c] == IDLE -> activity[c] = BUSIER
    :: else
    fi
}

#define is_ready(t) (where[t] == NONE && !ended[t])

/* Interrupts, switches and idleness of a CPU. */
proctype cpu(byte c)
{
    byte t;
    bool fin;

end:
    do
    /* rcu_hook_interrupt_enter(), rcu_interrupt_slow() */
    :: d_step {
            irq[c] && irq_off[c] == 0 ->
            irq[c] = false;
            quiet_exit(c);
            t = current[c];
            if
#ifndef INSIDE_QUIET
            :: owes[c] && t != NONE && depth[t] != 0 && !listed[t] ->
                report[t] = true
#endif
            :: else -> report_if_due(c)
            fi;
            t = 0
        }

    /* A thread is preempted, blocks or ends: sched_switch_to_locked(). */
    :: d_step {
            irq_off[c] == 0 && current[c] != NONE &&
            (ended[current[c]] ||
             (preemptions[current[c]] > 0 &&
              (depth[current[c]] != 0 || report[current[c]]))) ->
            irq_off[c] = 1;
            t = current[c];
            if
            :: !ended[t] -> preemptions[t]--
            :: else
            fi;
            /* rcu_hook_switch() */
#ifdef REPORT_FIRST
            report_if_due(c)
#else
            list_reader(t, c)
#endif
        }
        d_step {
#ifdef REPORT_FIRST
            list_reader(t, c);
#else
            report_if_due(c);
#endif
            where[t] = NONE;
            current[c] = NONE;
            t = 0;
            irq_off[c] = 0
        }

    /* The idle thread is left for another. */
    :: atomic {
            irq_off[c] == 0 && current[c] == NONE &&
            (is_ready(0) || is_ready(READERS - 1)) ->
            if
            :: is_ready(0) -> t = 0
            :: is_ready(READERS - 1) -> t = READERS - 1
            fi;
            where[t] = c;
            irq_off[c] = 1
#ifndef EXIT_LATE
            ; quiet_exit(c)
#endif
        }
        d_step {
            report_if_due(c);           /* rcu_hook_switch() */
            current[c] = t;
            t = 0;
            irq_off[c] = 0
        }
#ifdef EXIT_LATE
        d_step { quiet_exit(c) }
#endif

#ifndef HOG
    /* rcu_hook_idle_enter(): rcu_quiet_enter() */
    :: d_step {
            irq_off[c] == 0 && current[c] == NONE && activity[c] != IDLE ->
            report_if_due(c);
            activity[c] = IDLE
        }
#endif
    od
}

/* The thread has a CPU that is not in an interrupt. */
#define runs(t) (where[t] != NONE && current[where[t]] == t && \
                 irq_off[where[t]] != 1)

/* The rest of rcu_read_unlock_slow() */
inline unlock_slow(t)
{
    if
    :: is_slow ->
        d_step {
            runs(t) ->
            irq_off[where[t]] = 2;
            if
#ifdef OUTERMOST
            :: report[t] -> reader_end(t); is_slow = true
#else
            :: report[t] && depth[t] == 0 -> reader_end(t); is_slow = true
#endif
            :: else -> is_slow = false
            fi
        }
        d_step {
            if
            :: is_slow -> report_if_due(where[t])
            :: else
            fi;
            is_slow = false;
            irq_off[where[t]] = 0
        }
    :: else
    fi
}

proctype reader(byte t)
{
    byte object;
    bool is_slow, fin;

    /* rcu_read_lock(), rcu_dereference() */
    d_step { runs(t) -> depth[t]++; object = pointer }
#ifdef NESTED
    d_step { runs(t) -> depth[t]++ }
    d_step { runs(t) -> depth[t]--; is_slow = report[t] }
    unlock_slow(t);
#endif
    /* The last use; rcu_read_unlock() */
    d_step {
        runs(t) ->
        assert(!freed[object]);
        depth[t]--;
        is_slow = report[t]
    }
    unlock_slow(t);
    d_step { runs(t) -> ended[t] = true; nr_ended++ }
}

/* rcu_cpu_is_quiet() */
#define is_quiet(c) (activity[c] != BUSY)

/* rcu_leaf_find_quiet() */
inline find_quiet(l)
{
    for (c : 0 .. CPUS - 1) {
        if
        :: (pending[l] & bit(c)) && is_quiet(c) ->
            pending[l] = pending[l] & ~bit(c)
        :: else
        fi
    }
    c = 0
}

/* rcu_node_begin() of a leaf */
inline leaf_begin(l)
{
    d_step {
        assert(pending[l] == 0 && !has_blocked(l));
        has_begun[l] = true;
        for (c : 0 .. CPUS - 1) {
            if
            :: leaf_of(c) == l ->
                pending[l] = pending[l] | bit(c);
                sent[c] = false;
                /* rcu_leaf_take_snapshots() */
                if
#ifndef NO_SNAPSHOT
                :: activity[c] == BUSIER -> activity[c] = BUSY
#endif
                :: else
                fi
            :: else
            fi
        }
        for (c : 0 .. READERS - 1) {
            if
            :: listed[c] && home[c] == l -> awaited[c] = true
            :: else
            fi
        }
        find_quiet(l);
        if
        :: pending[l] == 0 && !has_blocked(l) -> node_finished(l)
        :: else
        fi
    }
}

/* rcu_urge(), of a CPU that has not reported */
#define may_urge(c) ((pending[leaf_of(c)] & bit(c)) && !sent[c] && \
                     !(current[c] != NONE && report[current[c]]))

/* rcu_leaf_scan() */
inline leaf_scan(l)
{
    d_step {
        fin = pending[l] != 0;
        find_quiet(l);
        if
        :: fin && pending[l] == 0 && !has_blocked(l) -> node_finished(l)
        :: else
        fi;
        fin = false
    }
}

/* rcu_run() */
active proctype rcu()
{
    byte c;
    bool fin;

end:
    do
    :: wanted > sequence ->                     /* rcu_is_wanted() */
        /* rcu_begin() */
        d_step {
            root_finished = false;
            sequence++;
            for (c : 0 .. CPUS - 1) { owes[c] = true }  /* rcu_begun */
            for (c : 0 .. LEAVES - 1) { has_begun[c] = false }
            c = 0;
            root_pending = bit(0) | bit(1)      /* rcu_node_begin() */
        }
        leaf_begin(0);
        leaf_begin(1);
        /* rcu_await_reports() */
        do
        :: root_finished -> break
        :: !root_finished && (pending[0] & bit(0)) && is_quiet(0) ->
            leaf_scan(0)
        :: !root_finished && (pending[leaf_of(1)] & bit(1)) && is_quiet(1) ->
            leaf_scan(leaf_of(1))
        :: atomic { may_urge(0) -> sent[0] = true; irq[0] = true }
        :: atomic { may_urge(1) -> sent[1] = true; irq[1] = true }
#if CPUS > 2
        :: !root_finished && (pending[1] & bit(2)) && is_quiet(2) ->
            leaf_scan(1)
        :: atomic { may_urge(2) -> sent[2] = true; irq[2] = true }
#endif
        od;
        /* rcu_end(), rcu_leaf_wake() */
        sequence++;
        atomic {
            if
            :: waiters[(sequence / 2) & 1] ->
                waiters[(sequence / 2) & 1] = 0;
                done = true
            :: else
            fi
        }
    od
}

/* rcu_cookie() */
#ifdef COOKIE_SHORT
#define cookie_now ((sequence + 2) & 254)
#else
#define cookie_now ((sequence + 3) & 254)
#endif

/* rcu_want() */
inline want(end)
{
    atomic { wanted = (wanted > end -> wanted : end) }
}

/* rcu_wait() */
inline wait_for(end)
{
#ifdef WAIT_UNLOCKED
    if
    :: sequence >= end -> goto past
    :: else
    fi;
    atomic {
#else
    atomic {
        if
        :: sequence >= end -> goto past
        :: else
        fi;
#endif
        done = false;
        waiters[(end / 2) & 1] = 1
    }
    want(end);
    done;
past:
    skip
}

#ifndef CALLBACKS
active proctype updater()
{
    byte cookie;

    do
    :: pointer < UPDATES ->
        pointer++;
        cookie = cookie_now;                    /* rcu_synchronize() */
        wait_for(cookie);
        freed[pointer - 1] = true
    :: else -> break
    od
}
#else
/* struct rcu_calls; lists are sets of objects */
byte next, waiting;
bool is_due, permit;
bool timer;                             /* rcu_calls.timer is started */
byte nr_called;

active proctype updater()
{
    do
    :: pointer < UPDATES ->
        pointer++;
        /* rcu_call(), interrupts disabled */
        atomic {
            timer = timer || next == 0;
            next = next | bit(pointer - 1)
        }
    :: else -> break
    od
}

/*
 * rcu_calls_timer_expired(), at any time; or rcu_calls_hurry(), and
 * rcu_call_wake() later.
 */
active proctype linger()
{
    bool was_due;

end:
    do
    :: atomic { timer -> timer = false; was_due = is_due; is_due = true }
#ifndef DUE_SILENT
        permit = permit || !was_due;
#endif
        was_due = false
    od
}

/* rcu_calls_run() */
active proctype caller()
{
    byte cookie, list, i, early;

end:
    do
    :: /* rcu_calls_advance() */
#ifdef COOKIE_FIRST
        early = cookie_now;
#endif
        atomic {
            if
            :: waiting && sequence >= cookie -> list = waiting; waiting = 0
            :: else
            fi;
            is_due = is_due && next;
            if
            :: !waiting && is_due ->
                is_due = false;
                waiting = next;
                next = 0;
#ifdef COOKIE_FIRST
                cookie = early;
#else
                cookie = cookie_now;
#endif
                early = 1
            :: else -> early = 0
            fi
        }
        if
        :: early -> want(cookie)
        :: else
        fi;
        early = 0;
        if
        :: list ->                              /* rcu_calls_call() */
            d_step {
                for (i : 0 .. UPDATES - 1) {
                    if
                    :: list & bit(i) ->
                        assert(!freed[i]);
                        freed[i] = true;
                        nr_called++
                    :: else
                    fi
                }
                i = 0;
                list = 0
            }
        :: else ->                              /* rcu_calls_sleep() */
            if
            :: waiting -> wait_for(cookie)
            :: !waiting && !is_due ->
end_parked:
                atomic { permit -> permit = false }
            :: else
            fi
        fi
    od
}
#endif

#ifdef OTHER
/* Somebody else wants a grace period, and does not wait. */
active proctype other()
{
    byte cookie = cookie_now;

    want(cookie)
}
#endif

init {
    byte i;

    atomic {
        for (i : 0 .. READERS - 1) { run reader(i) }
        for (i : 0 .. CPUS - 1) { run cpu(i) }
    }
    nr_ended == READERS;
    freed[UPDATES - 1];
#ifdef CALLBACKS
    nr_called == UPDATES
#endif
}
