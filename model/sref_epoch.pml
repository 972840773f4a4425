/* SPDX-License-Identifier: MIT */
/*
 * Epochs of scalable references: kern/sref_epoch.c.
 *
 * A tree of a root and two leaves, with CPUs 0 and 1, and 2, which join,
 * report in some epochs, and leave.  Claims: while a CPU has not reported in
 * an epoch it stays; so each member has reported in each epoch that ended;
 * what a CPU learns when it joins is the present epoch or the one before; all
 * ends when all have left; the invariants of kern/sref_epoch.h.
 *
 * A change of one node is one step; the locks of a node and of those above it
 * are held together, as in the code, by the lock of the leaf and the root's.
 *
 * @run tree: -DCPUS=3 -DROUNDS=2 -DJOINS=1
 * @run again: -DCPUS=2 -DROUNDS=1 -DJOINS=2 -DLEAF_CPUS=1
 * @broken REPORT_TWICE tree: a leaf reports again when a CPU leaves
 * @broken LEAVE_SILENT tree: a CPU leaves without the report that is due
 * @broken JOIN_AHEAD again: a leaf that joins does not learn the epoch
 * @broken ENTER_FIRST tree: a leaf enters an epoch with all it ever had
 */
#ifndef LEAF_CPUS
#define LEAF_CPUS 2
#endif
#define LEAVES 2
#define ROOT   2

#define leaf_of(c) ((c) / LEAF_CPUS)
#define bit(n)     (1 << (n))

bool locked[LEAVES + 1];
byte members[LEAVES + 1];
byte pending[LEAVES + 1];
byte epoch[LEAVES + 1] = 1;
byte now = 1;                           /* sref_epoch.now */

byte reported[CPUS];                    /* last epoch of a member */
bool is_member[CPUS];

inline lock(n) { atomic { !locked[n] -> locked[n] = true } }
inline unlock(n) { locked[n] = false }

/* sref_epoch_advance_locked(): every member has reported. */
inline advance_locked()
{
    d_step {
        assert(pending[ROOT] == 0 && locked[ROOT]);
        if
        :: members[ROOT] != 0 ->
            i = 0;
            do
            :: i < CPUS -> assert(!is_member[i] || reported[i] == now); i++
            :: else -> break
            od;
            i = 0;
            epoch[ROOT]++;
            pending[ROOT] = members[ROOT];
            now = epoch[ROOT]
        :: else
        fi
    }
}

/* sref_epoch_join() */
inline join(c)
{
    lock(leaf_of(c));
    if
    :: members[leaf_of(c)] == 0 ->
        lock(ROOT);
#ifndef JOIN_AHEAD
        epoch[leaf_of(c)] = epoch[ROOT];
#endif
        d_step {
            members[ROOT] = members[ROOT] | bit(leaf_of(c));
            members[leaf_of(c)] = members[leaf_of(c)] | bit(c);
            reported[c] = epoch[leaf_of(c)];
            is_member[c] = true
        }
        if
        :: pending[ROOT] == 0 -> advance_locked()
        :: else
        fi;
        unlock(ROOT)
    :: else ->
        d_step {
            members[leaf_of(c)] = members[leaf_of(c)] | bit(c);
            reported[c] = epoch[leaf_of(c)];
            is_member[c] = true
        }
    fi;
    assert(reported[c] == now || reported[c] + 1 == now);
    unlock(leaf_of(c))
}

/* sref_node_enter() of the leaf; the root knows */
inline enter(c, e)
{
    if
    :: epoch[leaf_of(c)] != e ->
        lock(leaf_of(c));
        if
        :: epoch[leaf_of(c)] != e -> d_step {
                assert(epoch[leaf_of(c)] == e - 1);
                assert(pending[leaf_of(c)] == 0);
#ifdef ENTER_FIRST
                pending[leaf_of(c)] = bit(c);
#else
                pending[leaf_of(c)] = members[leaf_of(c)];
#endif
                epoch[leaf_of(c)] = e
            }
        :: else
        fi;
        unlock(leaf_of(c))
    :: else
    fi
}

/* sref_node_done() of the root */
inline root_done(l, leaves)
{
    lock(ROOT);
    d_step {
        assert(members[ROOT] & bit(l));
        reports = pending[ROOT] == bit(l);
        pending[ROOT] = pending[ROOT] & ~bit(l);
        if
        :: leaves -> members[ROOT] = members[ROOT] & ~bit(l)
        :: else
        fi
    }
    if
    :: reports -> advance_locked()
    :: else
    fi;
    unlock(ROOT)
}

/* sref_node_done() of a leaf, from sref_epoch_report() or _leave() */
inline done(c, leaves)
{
    lock(leaf_of(c));
    d_step {
        assert(members[leaf_of(c)] & bit(c));
        reports = pending[leaf_of(c)] == bit(c);
#ifdef REPORT_TWICE
        reports = (pending[leaf_of(c)] & ~bit(c)) == 0;
#endif
#ifdef LEAVE_SILENT
        reports = reports && !leaves;
#endif
        pending[leaf_of(c)] = pending[leaf_of(c)] & ~bit(c);
        if
        :: leaves ->
            members[leaf_of(c)] = members[leaf_of(c)] & ~bit(c);
            is_member[c] = false;
            is_last = members[leaf_of(c)] == 0
        :: else -> reported[c]++
        fi
    }
    if
    :: reports || is_last -> root_done(leaf_of(c), is_last)
    :: else
    fi;
    d_step { is_last = false; reports = false; unlock(leaf_of(c)) }
}

proctype cpu(byte c)
{
    byte joins, rounds, e, i;
    bool reports, is_last;

    do
    :: joins < JOINS ->
        joins++;
        join(c);
        rounds = 0;
        do
        :: rounds < ROUNDS ->
            atomic { now != reported[c] -> e = now }    /* sref_round() */
            rounds++;
            assert(e == reported[c] + 1);
            enter(c, e);
            assert(now == e);
            done(c, false)
        :: break                                /* nothing to tell */
        od;
        e = 0;
        done(c, true)
    :: else -> break
    od
}

init {
    byte n;

    atomic {
        for (n : 0 .. CPUS - 1) { run cpu(n) }
    }
    _nr_pr == 1;
    for (n : 0 .. LEAVES) { assert(members[n] == 0 && pending[n] == 0) }
}
