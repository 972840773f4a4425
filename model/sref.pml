/* SPDX-License-Identifier: MIT */
/*
 * Scalable references: kern/sref.c.
 *
 * One object with a weak reference; CPUs whose users take and give up
 * references, real ones on any CPU, and whose threads flush, review, join and
 * leave.  Claims: the object does not die while somebody has a reference, and
 * nobody touches it when it is dead; it dies once; when all is quiet and there
 * is no reference, it is dead.
 *
 * Epochs are those of sref_epoch.pml, in one step each: a CPU that joins
 * counts as having reported in the present epoch or in the one before.  The
 * cache has at most one slot for the object; other objects put it out at any
 * time.  The changes that a word counts are a flag.  Interrupts are users that
 * do not use the cache.
 *
 * @run strong: -DCPUS=2 -DOPS=4 -DWEAK=0
 * @run weak: -DCPUS=2 -DOPS=3 -DWEAK=1
 * @run three: -DCPUS=3 -DOPS=2 -DWEAK=1 -DNO_BYPASS
 * @broken REVIEW_EARLY strong: an object is reviewed after one epoch
 * @broken NO_DIRTY strong: a review does not look at the changes
 * @broken ZERO_SILENT strong: a delta of zero is told to nobody
 * @broken REPORT_FIRST strong: a CPU reports before it has flushed
 * @broken EPOCH_FIRST strong: the epoch is read before the changes are cleared
 * @broken UNQUEUE_LATE strong: the count is read before the claim is let go
 * @broken LEAVE_FULL strong: a CPU takes part no more while it has deltas
 * @broken NO_CLAIM strong: a count that is zero again is queued twice
 * @broken WEAK_PLAIN weak: a weak get writes the word without comparing it
 * @broken KILL_BLIND weak: a death does not look whether it was revived
 * @broken NO_DYING weak: a weak get of a queued object leaves no sign
 * @broken PREEMPTED weak: a weak get may be preempted before it counts
 */

/* The object: struct sref, struct sref_weak */
int count = 1;                          /* low half of the word */
bool changed;                           /* high half of the word */
bool claimed;                           /* next != NULL */
bool weak_set = WEAK, dying;
byte refs = 1;                          /* how many there really are */
bool dead;

/* Where it is queued. */
byte queue_cpu, queue_epoch;
bool queued, is_ready;

/* struct sref_cpu */
bool member[CPUS];
byte epoch[CPUS];
bool occupied[CPUS];
bool slot[CPUS];                        /* the object is in the cache */
bool touched[CPUS];
short delta[CPUS];
bool off[CPUS];                         /* preemption or interrupts disabled */

byte now = 10;                          /* epochs */
byte members, pending;
byte budget = OPS;

#define bit(c) (1 << (c))
#define touch() assert(!dead)

inline disable(c) { atomic { !off[c] -> off[c] = true } }
inline enable(c) { off[c] = false }

/* ------------------------------------------------------------------ epochs */

inline advance()
{
    if
    :: members != 0 -> now++; pending = members
    :: else
    fi
}

/* sref_join(), sref_epoch_join() */
inline join(c)
{
    atomic {
        if
        :: !member[c] ->
            member[c] = true;
            members = members | bit(c);
            epoch[c] = now;
            if
            :: pending == 0 -> advance()
            :: pending != 0
            :: pending != 0 -> epoch[c] = now - 1; pending = pending | bit(c)
            fi
        :: else
        fi
    }
}

/* sref_epoch_report() */
inline report(c)
{
    atomic {
        assert(pending & bit(c));
        pending = pending & ~bit(c);
        if
        :: pending == 0 -> advance()
        :: else
        fi
    }
}

/* ---------------------------------------------------------------- the word */

/* sref_queue() */
inline queue(c)
{
    dying = WEAK;
#ifdef EPOCH_FIRST
    at = now;
    changed = false;
#else
    changed = false;
    at = now;
#endif
    atomic {
#ifndef NO_CLAIM
        assert(!queued && !is_ready);
#endif
        queued = true;
        queue_cpu = c;
        queue_epoch = at;
        at = 0
    }
}

/* sref_queue_if_free() */
inline queue_if_free(c)
{
    atomic {
        free = !claimed;
        claimed = true;
#ifdef NO_CLAIM
        free = true
#endif
    }
    if
    :: free -> free = false; queue(c)
    :: else
    fi
}

/* sref_apply() */
inline apply(c, d)
{
    atomic {
        touch();
        assert(member[c]);
        count = count + d;
        changed = true;
        zero = count == 0
    }
    if
    :: zero -> zero = false; queue_if_free(c)
    :: else
    fi
}

/* sref_slot_flush() */
inline slot_flush(c)
{
    if
#ifdef ZERO_SILENT
    :: delta[c] != 0 ->
#else
    :: atomic { touch(); delta[c] != 0 || claimed -> skip }
#endif
        apply(c, delta[c])
    :: else
    fi;
    atomic { delta[c] = 0; touched[c] = false }
}

/* sref_change(), sref_change_slow(); preemption is disabled */
inline change(c, d)
{
    if
    :: slot[c] -> atomic { touched[c] = true; delta[c] = delta[c] + d }
    :: else ->
        join(c);
        if
        :: atomic {
                slot[c] = true;
                touched[c] = true;
                delta[c] = d;
                occupied[c] = true
            }
#ifndef NO_BYPASS
        :: apply(c, d)
#endif
        fi
    fi
}

/* ------------------------------------------------------------------- users */

/* sref_weak_get(), sref_weak_revive() */
inline weak_get(c)
{
    join(c);
#ifdef WEAK_PLAIN
    got = weak_set;
    if
    :: got -> atomic { weak_set = true; dying = false; refs++ }
    :: else
    fi;
#else
    atomic {
        got = weak_set;
        if
        :: got ->
            refs++;
#ifndef NO_DYING
            dying = false
#endif
        :: else
        fi
    }
#endif
#ifdef PREEMPTED
    enable(c);
    disable(c);
#endif
    if
    :: got -> got = false; change(c, 1)
    :: else
    fi
}

proctype user(byte c)
{
    byte at;
    bool zero, free, got;

end:
    do
    /* sref_get() by who has a reference */
    :: atomic { budget > 0 && refs > 0 && !off[c] ->
            off[c] = true; budget--; refs++ }
        change(c, 1);
        enable(c)
    /* sref_put(); what is put is counted out before */
    :: atomic { refs > 0 && !off[c] -> off[c] = true; refs-- }
        change(c, -1);
        enable(c)
#if WEAK
    :: atomic { budget > 0 && !off[c] -> off[c] = true; budget-- }
        weak_get(c);
        enable(c)
#endif
    /* Another object takes the slot: sref_slot_take(). */
    :: atomic { budget > 0 && slot[c] && !off[c] -> off[c] = true; budget-- }
        if
        :: touched[c] -> slot_flush(c)
        :: else
        fi;
        atomic { slot[c] = false; off[c] = false }
    od
}

/* ------------------------------------------------------------- the threads */

/* sref_flush_set() */
inline flush(c)
{
    disable(c);
    if
    :: slot[c] && touched[c] -> slot_flush(c)
    :: else -> atomic { slot[c] = false; occupied[c] = false }
    fi;
    enable(c)
}

#ifdef REVIEW_EARLY
#define AGE 1
#else
#define AGE 2
#endif

/* sref_round() */
inline round(c)
{
    due = now;
    assert(due == epoch[c] + 1);
#ifdef REPORT_FIRST
    report(c);
    flush(c);
#else
    flush(c);
#endif
    /* sref_take_ready(): the lists are known by the epoch modulo 4 */
    atomic {
        if
        :: queued && queue_cpu == c && ((due - AGE - queue_epoch) & 3) == 0 ->
            assert(queue_epoch == due - AGE);
            queued = false;
            is_ready = true
        :: else
        fi
    }
    epoch[c] = due;
#ifndef REPORT_FIRST
    report(c);
#endif
    due = 0
}

/* sref_unqueue() */
inline unqueue(c)
{
#ifdef UNQUEUE_LATE
    zero = count == 0;
    claimed = false;
#else
    claimed = false;
    zero = count == 0;
#endif
    if
    :: zero ->
        zero = false;
        disable(c);
        queue_if_free(c);
        enable(c)
    :: else
    fi
}

/* sref_review() */
inline review(c)
{
    atomic { is_ready = false; is_in_use = count != 0; is_dirty = changed }
    if
    :: is_in_use -> unqueue(c)
#ifndef NO_DIRTY
    :: !is_in_use && is_dirty -> disable(c); queue(c); enable(c)
#endif
    :: else ->
        atomic {                                /* sref_weak_kill() */
#ifdef KILL_BLIND
            is_killed = true;
#else
            is_killed = !WEAK || dying;
#endif
            if
            :: is_killed -> weak_set = false
            :: else
            fi
        }
        if
        :: is_killed ->
            atomic {                            /* noref() */
                assert(!dead && refs == 0);
                dead = true
            }
        :: else -> disable(c); queue(c); enable(c)
        fi
    fi;
    atomic { is_in_use = false; is_dirty = false; is_killed = false }
}

#ifdef LEAVE_FULL
#define has_nothing(c) (!(queued && queue_cpu == c) && \
                        !(is_ready && queue_cpu == c))
#else
#define has_nothing(c) (!(queued && queue_cpu == c) && \
                        !(is_ready && queue_cpu == c) && !occupied[c])
#endif

/* sref_main(), sref_pass() */
proctype thread(byte c)
{
    byte due, at;
    bool zero, free, is_in_use, is_dirty, is_killed;

end:
    do
    :: member[c] && epoch[c] != now -> round(c)
    :: is_ready && queue_cpu == c -> review(c)
    /* sref_leave_if_empty() */
    :: atomic {
            member[c] && has_nothing(c) && !off[c] ->
            member[c] = false;
            members = members & ~bit(c);
            if
            :: pending == bit(c) -> pending = 0; advance()
            :: else -> pending = pending & ~bit(c)
            fi
        }
    od
}

init {
    byte i;

    atomic {
        for (i : 0 .. CPUS - 1) {
            run user(i);
            run thread(i)
        }
    }
    /* Nothing more can be done. */
    timeout;
    assert(refs > 0 || dead);
    assert(refs > 0 || (budget == 0 || !weak_set))
}
