/* SPDX-License-Identifier: MIT */
/*
 * Slots of trees of address spaces: vm/slot.h, vm/slot.c, vm/tree.c.
 *
 * One slot of an upper node, which is folded or leads to a node of two slots.
 * Threads lock the slot that stands for their page, expanding the folded one,
 * and change it; one takes the node out when its slots say the same; one looks
 * without a lock.  Claims: no change is lost; nobody has a slot that another
 * has; nobody looks at a node that was freed; who looks finds what was said
 * last, or before; all come to an end.
 *
 * A section of RCU is a flag; a grace period waits for those that are set.
 * Waiting for a slot is a guard: that a wake-up is not lost the explorer shows
 * (slot.lock), and model park, whose queue it is.
 *
 * @run expand: -DLOCKERS=2 -DPAGES=1 -DCHANGES=2 -DNODES=1 -DLOOKS=1
 * @run collapse: -DLOCKERS=2 -DPAGES=2 -DCHANGES=1 -DNODES=3 -DLOOKS=1 -DCOLLAPSES=2 -DEXPANDED
 * @broken PUBLISH_UNLOCKED expand: a new node is reached before its maker has locked its slot
 * @broken PUBLISH_EMPTY expand: a new node is reached before its slots are filled
 * @broken EXPAND_UNLOCKED expand: a folded slot is expanded without its lock
 * @broken SEIZE_UNCHECKED collapse: whether a node is uniform is not looked at again under its locks
 * @broken STAYS_ALIVE collapse: the slots of a node that was taken out are unlocked as they were
 * @broken FREED_EARLY collapse: a node is freed without a grace period
 * @broken LOCK_OUTSIDE collapse: a section ends before the slot that was found is locked
 */
#ifndef COLLAPSES
#define COLLAPSES 0
#endif
#define FOLDED  255
#define DEAD    255
#define THREADS (LOCKERS + 2)
#define COLLAPSER LOCKERS
#define LOOKER    (LOCKERS + 1)

#define page_of(t) ((t) % PAGES)
#define at(n, i)   ((n) * 2 + (i))

byte child = FOLDED;                    /* the upper slot: a node, or ... */
byte folded = 1;                        /* ... what it says */
bool upper_locked;

byte nr_nodes;
byte word[NODES * 2];
bool locked[NODES * 2];
bool freed[NODES];

bool inside[THREADS];                   /* a section of RCU */
byte said[2] = 1;                       /* last about each page */
bool works[2];                          /* somebody has the slot of a page */

/* slot_read() of a slot of a node */
inline look(n, i, v)
{
    assert(!freed[n]);
    v = word[at(n, i)]
}

/* tree_expand(): the thread has the upper slot. */
inline expand(t)
{
    atomic {
        n = nr_nodes;
        nr_nodes++;
#ifndef PUBLISH_EMPTY
        word[at(n, 0)] = folded;
        word[at(n, 1)] = folded;
#endif
#ifndef PUBLISH_UNLOCKED
        locked[at(n, page_of(t))] = true
#endif
    }
    atomic { child = n; upper_locked = false }
#ifdef PUBLISH_EMPTY
    atomic { word[at(n, 0)] = folded; word[at(n, 1)] = folded }
#endif
#ifdef PUBLISH_UNLOCKED
    locked[at(n, page_of(t))] = true
#endif
}

/* tree_lock() of one page, with the expansion: n is its node then. */
inline lock_page(t)
{
    has = false;
    do
    :: has -> break
    :: !has ->
        inside[t] = true;
        n = child;                              /* tree_find() */
        if
        :: n == FOLDED ->
            /* slot_try_lock(), or wait and look again */
            inside[t] = false;
            if
#ifdef EXPAND_UNLOCKED
            :: nr_nodes < NODES -> expand(t); has = true
#else
            :: atomic { child == FOLDED && !upper_locked ->
                        upper_locked = true };
                expand(t);
                has = true
#endif
            :: child != FOLDED
            fi
        :: else ->
#ifdef LOCK_OUTSIDE
            inside[t] = false;
#endif
            look(n, page_of(t), v);
            if
            :: v == DEAD -> inside[t] = false
            :: else ->
                if
                :: atomic { !freed[n] && !locked[at(n, page_of(t))] &&
                            word[at(n, page_of(t))] != DEAD ->
                            locked[at(n, page_of(t))] = true };
                    has = true;
                    inside[t] = false
                :: atomic { locked[at(n, page_of(t))] -> inside[t] = false };
                    /* slot_wait(): the node may be gone by then. */
                    !locked[at(n, page_of(t))]
                :: atomic { word[at(n, page_of(t))] == DEAD ->
                            inside[t] = false }
#ifdef LOCK_OUTSIDE
                :: freed[n] -> assert(false)
#endif
                fi
            fi
        fi
    od
}

proctype locker(byte t)
{
    byte n, v, i;
    bool has;

    do
    :: i < CHANGES ->
        i++;
        lock_page(t);
        atomic {
            assert(!works[page_of(t)] && !freed[n]);
            works[page_of(t)] = true
        }
        v = word[at(n, page_of(t))];
        assert(v == said[page_of(t)]);
        atomic {
            works[page_of(t)] = false;
            said[page_of(t)]++;
            assert(locked[at(n, page_of(t))]);
            word[at(n, page_of(t))] = v + 1;
            locked[at(n, page_of(t))] = false
        }
    :: else -> break
    od
}

#if COLLAPSES > 0
/* tree_try_seize() and tree_collapse() */
proctype collapser()
{
    byte n, v, w, i, t;

    do
    :: i < COLLAPSES ->
        i++;
        inside[COLLAPSER] = true;
        n = child;
        if
        :: n == FOLDED -> inside[COLLAPSER] = false
        :: else ->
            look(n, 0, v);
            look(n, 1, w);
            if
            :: v == w && v != DEAD && !locked[at(n, 0)] && !locked[at(n, 1)] ->
                /* tree_try_lock_node() */
                if
                :: atomic { !locked[at(n, 0)] -> locked[at(n, 0)] = true }
                :: locked[at(n, 0)] -> goto no
                fi;
#ifndef SEIZE_UNCHECKED
                if
                :: word[at(n, 0)] != v -> locked[at(n, 0)] = false; goto no
                :: else
                fi;
#endif
                if
                :: atomic { !locked[at(n, 1)] -> locked[at(n, 1)] = true }
                :: locked[at(n, 1)] -> locked[at(n, 0)] = false; goto no
                fi;
#ifndef SEIZE_UNCHECKED
                if
                :: word[at(n, 1)] != v ->
                    locked[at(n, 1)] = false;
                    locked[at(n, 0)] = false;
                    goto no
                :: else
                fi;
#endif
                inside[COLLAPSER] = false;
                /* tree_collapse() */
                atomic { folded = v; child = FOLDED }
#ifdef STAYS_ALIVE
                locked[at(n, 0)] = false;
                locked[at(n, 1)] = false;
#else
                atomic { word[at(n, 0)] = DEAD; locked[at(n, 0)] = false }
                atomic { word[at(n, 1)] = DEAD; locked[at(n, 1)] = false }
#endif
                t = 0;
#ifndef FREED_EARLY
                do
                :: t < THREADS -> !inside[t]; t++
                :: else -> break
                od;
#endif
                freed[n] = true;
                v = 0;
                w = 0
            :: else ->
no:             inside[COLLAPSER] = false
            fi
        fi
    :: else -> break
    od
}
#endif

proctype looker()
{
    byte n, v, i, least;

    do
    :: i < LOOKS ->
        i++;
        least = said[0];
        inside[LOOKER] = true;
        v = DEAD;
        do
        :: v == DEAD ->
            atomic { n = child; v = folded }
            if
            :: n != FOLDED -> look(n, 0, v)
            :: else
            fi
        :: else -> break
        od;
        assert(v >= least);
        inside[LOOKER] = false
    :: else -> break
    od
}

init {
    byte t;

    atomic {
#ifdef EXPANDED
        child = 0;
        nr_nodes = 1;
        word[0] = folded;
        word[1] = folded;
#endif
        for (t : 0 .. LOCKERS - 1) { run locker(t) }
#if COLLAPSES > 0
        run collapser();
#endif
        run looker()
    }
    _nr_pr == 1;
    for (t : 0 .. 1) {
        assert(said[t] == (child == FOLDED -> folded : word[at(child, t)]))
    }
}
