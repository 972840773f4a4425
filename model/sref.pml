/* SPDX-License-Identifier: MIT */
/*
 * Scalable references: kern/sref.c, kern/sref_review.c.
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
 * do not use the cache.  With -DSTAY all CPUs take part all the
 * time, one of three never takes and one never gives up references.
 *
 * @run strong: -DCPUS=2 -DOPS=2 -DWEAK=0 -DNO_BYPASS=1
 * @run bypass: -DCPUS=2 -DOPS=1 -DWEAK=0
 * @run weak: -DCPUS=2 -DOPS=2 -DWEAK=1 -DNO_BYPASS=1
 * @run three: -DCPUS=3 -DOPS=1 -DWEAK=0 -DNO_BYPASS=1
 * @run members: -DCPUS=3 -DOPS=2 -DWEAK=0 -DNO_BYPASS=1 -DSTAY
 * @run live: -DCPUS=2 -DOPS=1 -DWEAK=0 -DNO_BYPASS=1 -DLIVE ltl=dies
 * @broken REVIEW_EARLY strong: an object is reviewed after one epoch
 * @broken NO_DIRTY strong: a review does not look at the changes
 * @broken ZERO_SILENT members: a delta of zero is told to nobody
 * @broken REPORT_FIRST strong: a CPU reports before it has flushed
 * @broken UNQUEUE_LATE strong: the count is read before the claim is let go
 * @broken LEAVE_FULL strong: a CPU takes part no more while it has deltas
 * @broken NO_CLAIM strong: a count that is zero again is queued twice
 * @broken WEAK_PLAIN weak: a weak get writes the word without comparing it
 * @broken KILL_BLIND weak: a death does not look whether it was revived
 * @broken NO_DYING weak: a weak get of a queued object leaves no sign
 * @broken PREEMPTED weak: a weak get may be preempted before it counts
 */

#ifndef NO_BYPASS
#define NO_BYPASS 0
#endif
#ifdef STAY
#define EPOCH_MASK 3
#define may_get(c) ((c) > 0)
#define may_put(c) ((c) < 2)
#else
#define EPOCH_MASK 7                    /* beyond the lists, which are four */
#define may_get(c) true
#define may_put(c) true
#endif

/* The object: struct sref, struct sref_weak */
short count = 1;                        /* low half of the word */
bool changed;                           /* high half of the word */
bool claimed;                           /* next != NULL */
bool weak_set = WEAK, dying;
byte refs = 1;                          /* how many there really are, */
byte copied;                            /* and of those being got */
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

byte now;                               /* epochs, by EPOCH_MASK */
byte members, pending;
byte budget = OPS;

#define bit(c) (1 << (c))
#define next_epoch(e) (((e) + 1) & EPOCH_MASK)
#define touch() assert(!dead)

inline disable(c) { atomic { !off[c] -> off[c] = true } }
inline enable(c) { off[c] = false }

/* ------------------------------------------------------------------ epochs */

inline advance()
{
    if
    :: members != 0 -> now = next_epoch(now); pending = members
    :: else
    fi
}

/* sref_join(), sref_epoch_join(), within a step */
inline join_step(c)
{
    if
    :: !member[c] ->
        member[c] = true;
        members = members | bit(c);
        epoch[c] = now;
        if
        :: pending == 0 -> advance()
        :: pending != 0
        :: pending != 0 -> epoch[c] = (now - 1) & EPOCH_MASK; pending = pending | bit(c)
        fi
    :: else
    fi
}

inline join(c) { atomic { join_step(c) } }

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
    changed = false;
    at = now;
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
    touch();
    if
#ifdef ZERO_SILENT
    :: delta[c] != 0 ->
#else
    :: delta[c] != 0 || claimed ->
#endif
        apply(c, delta[c])
    :: else
    fi;
    atomic { delta[c] = 0; touched[c] = false }
}

/*
 * sref_change(), sref_change_slow(), with the cache: seen by nobody else.
 * Within a step; preemption is disabled.
 */
inline change_cached(c, d)
{
    if
    :: !slot[c] ->
        join_step(c);
        slot[c] = true;
        occupied[c] = true;
        delta[c] = d
    :: else -> delta[c] = delta[c] + d
    fi;
    touched[c] = true
}

/* The same in an interrupt, when the object is not in the cache. */
inline change_bypassed(c, d)
{
    join(c);
    apply(c, d)
}

/* ------------------------------------------------------------------- users */

/* sref_weak_get(), sref_weak_revive() */
inline weak_get(c)
{
    join(c);
#ifdef WEAK_PLAIN
    got = weak_set;
    if
    :: got -> atomic { weak_set = true; dying = false; copied++ }
    :: else
    fi;
#else
    atomic {
        got = weak_set;
        if
        :: got ->
            copied++;
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
    :: got && (slot[c] || NO_BYPASS) ->
        atomic { change_cached(c, 1); got = false; copied--; refs++ }
    :: got && !slot[c] && !NO_BYPASS ->
        change_bypassed(c, 1);
        atomic { got = false; copied--; refs++ }
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
    :: atomic { budget > 0 && refs > 0 && !off[c] && may_get(c) ->
            budget--;
            change_cached(c, 1);
            refs++ }
    /* sref_put(); what is put is counted out before */
    :: atomic { refs > 0 && !off[c] && may_put(c) ->
            refs--;
            change_cached(c, -1) }
#if !NO_BYPASS
    :: atomic { budget > 0 && refs > 0 && !off[c] && !slot[c] ->
            off[c] = true; budget--; refs--; copied++ }
        change_bypassed(c, 1);
        atomic { copied--; refs = refs + 2; off[c] = false }
    :: atomic { refs > 0 && !off[c] && !slot[c] -> off[c] = true; refs-- }
        change_bypassed(c, -1);
        enable(c)
#endif
#if WEAK
    :: atomic { budget > 0 && !off[c] -> off[c] = true; budget-- }
        weak_get(c);
        enable(c)
#endif
#ifndef STAY
    /* Another object takes the slot: sref_slot_take(). */
    :: atomic { budget > 0 && slot[c] && !off[c] -> off[c] = true; budget-- }
        if
        :: touched[c] -> slot_flush(c)
        :: else
        fi;
        atomic { slot[c] = false; off[c] = false }
#endif
    od
}

/* ------------------------------------------------------------- the threads */

/* sref_flush_set(); one step if the count does not become zero */
inline flush(c)
{
    atomic {
        !off[c] ->
        if
        :: slot[c] && touched[c] ->
            touch();
            if
#ifdef ZERO_SILENT
            :: delta[c] != 0 ->
#else
            :: delta[c] != 0 || claimed ->
#endif
                count = count + delta[c];
                changed = true;
                zero = count == 0
            :: else
            fi;
            off[c] = zero;
            delta[c] = 0;
            touched[c] = false
        :: else -> slot[c] = false; occupied[c] = false
        fi
    }
    if
    :: zero -> zero = false; queue_if_free(c); enable(c)
    :: else
    fi
}

#ifdef REVIEW_EARLY
#define AGE 1
#else
#define AGE 2
#endif

/* sref_round() */
inline round(c)
{
    atomic { due = now; assert(due == next_epoch(epoch[c])) }
#ifdef REPORT_FIRST
    report(c);
    flush(c);
#else
    flush(c);
#endif
    atomic {
        /* sref_take_ready(): the lists are known by the epoch modulo 4 */
        if
        :: queued && queue_cpu == c && ((due - AGE - queue_epoch) & 3) == 0 ->
            assert(queue_epoch == ((due - AGE) & EPOCH_MASK));
            queue_epoch = 0;
            queued = false;
            is_ready = true
        :: else
        fi;
        epoch[c] = due;
#ifndef REPORT_FIRST
        report(c);
#endif
        due = 0
    }
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
                assert(!dead && refs == 0 && copied == 0);
                dead = true
            }
        :: else -> disable(c); queue(c); enable(c)
        fi
    fi;
    atomic { is_in_use = false; is_dirty = false; is_killed = false }
}

#define must_review(c) (is_ready && queue_cpu == c)

#ifdef STAY
#define has_nothing(c) false
#elif defined(LEAVE_FULL)
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
    :: member[c] && (epoch[c] != now || must_review(c) || has_nothing(c)) ->
        if
        :: epoch[c] != now -> round(c)
        :: else
        fi;
        if
        :: must_review(c) -> review(c)
        :: else
        fi;
        if                                      /* sref_leave_if_empty() */
        :: atomic {
                member[c] && has_nothing(c) && !off[c] ->
                member[c] = false;
                members = members & ~bit(c);
                epoch[c] = 0;
                if
                :: pending == bit(c) -> pending = 0; advance()
                :: else -> pending = pending & ~bit(c)
                fi
            }
        :: else
        fi
    od
}

#ifdef LIVE
ltl dies { [] ((refs + copied == 0 && budget == 0) -> <> dead) }
#endif

init {
    byte i;

    atomic {
#ifdef STAY
        members = bit(CPUS) - 1;
        pending = members;
        now = 1;
#endif
        for (i : 0 .. CPUS - 1) {
#ifdef STAY
            member[i] = true;
#endif
            run user(i);
            run thread(i)
        }
    }
    /* Nothing more can be done. */
    timeout;
    assert(refs > 0 || dead);
    assert(refs > 0 || (budget == 0 || !weak_set))
}
