/* SPDX-License-Identifier: MIT */
/*
 * struct thread, for those who embed or inline.
 */
#ifndef KERN_THREAD_TYPES_H
#define KERN_THREAD_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/lock_check_types.h>
#include <kern/timer.h>
#include <lib/list.h>
#include <lib/rbtree.h>

#define THREAD_NAME_SIZE 32

enum thread_policy {
    THREAD_FAIR, /* shares in proportion to the weight */
    THREAD_FIFO, /* runs until it blocks or yields */
    THREAD_RR,   /* the same, in slices among equals */
    THREAD_IDLE, /* one for each CPU */
};

/* Real-time priorities; larger is more urgent.  0 is the fair class. */
#define THREAD_PRIORITY_MIN  1
#define THREAD_PRIORITY_MAX  254
#define THREAD_PRIORITY_FAIR 0
#define THREAD_PRIORITY_IDLE (-1)

#define THREAD_WEIGHT_DEFAULT 1024
#define THREAD_WEIGHT_MAX     (1U << 20)

enum thread_state {
    THREAD_RUNNING,   /* some CPU executes it */
    THREAD_READY,     /* in a run queue, or on its way into one */
    THREAD_PARKED,    /* waits for thread_unpark() */
    THREAD_HELD,      /* the same, or runs: its CPU's own (pass.h) */
    THREAD_SUSPENDED, /* would be ready, but is suspended */
    THREAD_DEAD,      /* has left its stack for good */
};

/*
 * Bit of user_work: the thread is to end; what it waits for outside of the
 * kernel's own business ends.  The other bits whoever installed the hook knows.
 */
#define THREAD_WORK_END 0x1U

/* Of held_by: no CPU. */
#define THREAD_HELD_BY_NONE UINT32_MAX

struct run_queue;
struct fail;
struct user_state;
struct utable;
struct uthread;
struct vm_space;

/*
 * Keys: [Q] lock of the run queue of @cpu   [O] the thread itself
 *       [c] constant once created   [a] atomic   [T] turnstile lock
 *       [L] lock of the list of threads
 *
 * @rcu_depth is first: the reader's side is two instructions on it.  The entry
 * from user mode knows where @user_work is.
 */
struct thread {
    uint32_t rcu_depth;     /* [O] nesting of read sections, and a flag */
    uint32_t rcu_blocked;   /* [O] switched away inside one */
    atomic_uint user_work;  /* [a] to be done before user mode; 0: nothing */
    struct list rcu_node;   /* in the list of blocked readers of a node */
    void *rcu_home;         /* that node */
    uint32_t nr_allocating; /* [O] allocators it is inside of; debug builds */

    struct vm_space *space;  /* [O] whose memory it uses; NULL: none */
    struct user_state *user; /* [O] of user mode; NULL: it has none */
    struct uthread *uthread; /* [O] of a program; NULL: the kernel's own */

    uintptr_t sp;              /* [Q] stack pointer while not running */
    struct utable *tables;     /* while it is held: of @space, there */
    atomic_uint cpu;           /* [Q] whose run queue it belongs to */
    enum thread_state state;   /* [Q] */
    enum thread_policy policy; /* [Q] */
    union {
        struct {
            int priority;    /* [Q] effective, with what it inherited */
            uint32_t weight; /* [Q] share in the fair class */
        };
        uint64_t standing; /* [Q] both: equals have the same */
    };
    int base_priority;            /* [Q] its own */
    int inherited;                /* [T] largest of those that wait for it */
    bool queued;                  /* [Q] in the queue's lists */
    bool permit;                  /* [Q] unparked before it parked */
    bool suspended;               /* [Q] */
    bool pinned;                  /* [c] never moves */
    bool may_pass;                /* [O] it may pass the CPU on (pass.h) */
    uint32_t held_by;             /* its CPU's own: that CPU; see pass.h */
    unsigned long *affinity;      /* [Q] bitmap of CPUs, NULL for all */
    struct list run_node;         /* [Q] real-time classes; recalled */
    struct rbtree_node fair_node; /* [Q] fair class */
    uint64_t vruntime;            /* [Q] service received, by weight */
    uint64_t vdeadline;           /* [Q] when its slice should be served */
    int64_t vlag;                 /* [Q] service owed to it, while not there */
    uint64_t slice_left;          /* [Q] counter ticks, of the slice of RR */
    uint64_t run_start;           /* [Q] counter when it last began to run */
    uint64_t run_ticks;           /* [Q] counter ticks it ran in all */
    uint64_t nr_switches;         /* [Q] */

    struct rbtree turnstiles; /* [T] those it owns that have waiters */
    struct turnstile_waiter *blocked_on; /* [T] where it waits */

    struct lock_check_stack locks; /* [O] that sleep, and that it holds */

    struct fail *fail;           /* [O] of its allocations; NULL: none */
    struct timer timer;          /* [O] of a wait with a deadline */
    char *stack;                 /* [c] NULL for what a CPU began with */
    void (*fn)(void *arg);       /* [c] */
    void *arg;                   /* [c] */
    char name[THREAD_NAME_SIZE]; /* [c] */
    struct list all_node;        /* [L] */
    struct list end_node;        /* [L] of detached threads that have ended */
    struct thread *joiner;       /* [L] who waits for the end */
    atomic_bool done;            /* [a] its function has returned */
    bool detached;               /* [L] nobody will join */
};

/* Per CPU, once it has its area: the thread that it runs; constant for it. */
extern struct thread *thread_current;

#endif /* KERN_THREAD_TYPES_H */
