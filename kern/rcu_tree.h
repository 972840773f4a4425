/* SPDX-License-Identifier: MIT */
/*
 * What the parts of RCU (rcu.c, rcu_call.c, rcu_stall.c) share.
 */
#ifndef KERN_RCU_TREE_H
#define KERN_RCU_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/rcu.h>
#include <kern/rcu_hooks.h>
#include <kern/spinlock.h>
#include <lib/list.h>
#include <lib/status.h>

/* Priorities of the thread of RCU, and of those that call callbacks. */
#define RCU_PRIORITY      200
#define RCU_CALL_PRIORITY 8

/* In rcu_own.wakes. */
#define RCU_WAKE_THREAD 0x1U /* the thread of RCU */
#define RCU_WAKE_CALLER 0x2U /* the CPU's own that calls callbacks */

/* CPUs of a leaf, children of an inner node. */
#define RCU_FANOUT 16

/*
 * A node of the tree; leaves have CPUs, others have nodes as children.
 *
 * Keys: [N] lock   [c] constant
 */
struct rcu_node {
    struct spinlock lock;     /* rank LOCK_RCU_NODE */
    uint32_t pending;         /* [N] children whose report is awaited */
    uint32_t present;         /* [N] children that there are */
    uint32_t bit;             /* [c] that this is in its parent */
    uint64_t begun;           /* [N] grace period that @pending is for */
    uint64_t wanted;          /* [N] end of a grace period that is wanted */
    uint64_t urgent;          /* [N] the same, expedited */
    struct rcu_node *parent;  /* [c] NULL: this is the root */
    struct list blocked;      /* [N] readers that are awaited */
    struct list blocked_next; /* [N] readers that the next one will await */
    struct list waiters[2];   /* [N] for the end of a grace period */
} __aligned(CACHE_LINE);

/*
 * One wait for a grace period, on the stack of who waits.
 *
 * Keys: [N] lock of the node   [c] constant   [a] atomic
 */
struct rcu_waiter {
    struct list list_node; /* [N] */
    struct thread *thread; /* [c] */
    atomic_bool done;      /* [a] */
};

/*
 * The state that everybody reads and the thread of RCU alone writes.
 *
 * Keys: [a] atomic   [c] constant   [G] the thread of RCU
 */
struct rcu_state {
    _Atomic uint64_t sequence; /* [a] odd: a grace period is under way */
    struct rcu_node *nodes;    /* [c] level by level, the root first */
    struct rcu_node *leaves;   /* [c] the last level */
    uint32_t nr_nodes;         /* [c] */
    uint32_t nr_leaves;        /* [c] */
    struct thread *thread;     /* [c] */
    uint64_t begin_time;       /* [G] of the grace period, nanoseconds */
    uint64_t nr_urgent;        /* [G] see struct rcu_stats */
    uint64_t nr_inside;        /* [G] */
    uint64_t nr_silent;        /* [G] */
    uint64_t nr_stalls;        /* [G] */
    uint64_t *snapshots; /* [G] by CPU: rcu_own.active as it was at the start */
} __aligned(CACHE_LINE);

extern struct rcu_state rcu_state;

/* The leaf of this CPU; it stays there. */
static inline struct rcu_node *
rcu_leaf_of(uint32_t cpu)
{
    return &rcu_state.leaves[cpu / RCU_FANOUT];
}

/* The first CPU of a leaf. */
static inline uint32_t
rcu_leaf_first(const struct rcu_node *leaf)
{
    return (uint32_t)(leaf - rcu_state.leaves) * RCU_FANOUT;
}

/*
 * The end of the first grace period that begins from now on: all sections
 * that there are now have ended when the sequence has come so far.
 *
 * Ordering: full barrier
 */
uint64_t rcu_cookie(void);

/*
 * Have grace periods until the sequence has come to @cookie.
 *
 * @urgent  @cookie, to have them expedited; else 0
 *
 * Context: any but NMI, no node locked
 */
void rcu_want(uint64_t cookie, uint64_t urgent);

/*
 * Wait until the sequence has come to @cookie.
 *
 * Context: thread, preemptible
 */
void rcu_wait(uint64_t cookie, uint64_t urgent);

/*
 * Have a thread woken by an interrupt of this CPU, since the caller may hold
 * any lock.
 *
 * @which  RCU_WAKE_...
 *
 * Context: any but NMI
 */
void rcu_wake_later(uint8_t which);

/*
 * Report CPUs and readers that keep a grace period from ending.
 *
 * Context: the thread of RCU
 */
void rcu_stall_report(void);

/* When the grace period is to be reported, if it has not ended by then. */
uint64_t rcu_stall_deadline(uint64_t last);

/* Create the thread that calls the callbacks of this CPU. */
status_t rcu_call_setup(void);

/* Wake this CPU's thread of callbacks.  Context: interrupt */
void rcu_call_wake(void);

/* Add what is counted with the callbacks of all CPUs. */
void rcu_call_stats(struct rcu_stats *stats);

/* Callbacks that a CPU has under way. */
uint32_t rcu_call_count(uint32_t cpu);

#endif /* KERN_RCU_TREE_H */
