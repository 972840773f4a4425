/* SPDX-License-Identifier: MIT */
/*
 * struct task, for those who look inside.
 */
#ifndef IPC_TASK_TYPES_H
#define IPC_TASK_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/rcu_radix.h>
#include <kern/rtmutex.h>
#include <kern/waitq.h>
#include <ipc/kobject_types.h>
#include <ipc/right_table_types.h>
#include <lib/list.h>
#include <lib/macros.h>
#include <portolan/task.h>
#include <portolan/types.h>

struct container;
struct vm_space;

enum task_state {
    TASK_ALIVE,  /* has threads, or did not have any yet */
    TASK_ENDING, /* its threads end, no others are made */
    TASK_ENDED,  /* has nothing any more */
};

/*
 * Keys: [c] constant   [M] mutex   [R] the same, readers under RCU
 *       [a] atomic, written under the mutex   [N] the mutex of the numbers
 *
 * What messages look at is in front.
 */
struct task {
    struct kobject object;

    struct vm_space *space;      /* [c] referenced until it has ended */
    struct container *container; /* [c] referenced */
    int32_t pid;                 /* [c] */
    int32_t parent;              /* [c] pid of who made it */
    uint64_t start_time;         /* [c] nanoseconds of clock_now() */

    struct rtmutex mutex;         /* rank LOCK_TASK */
    struct rcu_radix threads;     /* [R] struct uthread by tid */
    struct rcu_radix scoids;      /* [M] struct connection by scoid, weak */
    uint32_t nr_threads;          /* [M] that have not ended */
    bool has_started;             /* [M] a thread of it has run */
    struct list unstarted;        /* [N] tasks that it made, and not yet ran */
    struct list sibling;          /* [N] in the list of who made it */
    uint32_t max_priority;        /* [c] of its threads */
    enum task_state state;        /* [a] */
    struct portolan_task_end end; /* [M] from TASK_ENDING on */
    struct portolan_credentials who; /* [M] who it acts for */
    struct kobject *space_object;    /* [M] of rights to the space, or NULL */
    struct waitq ends;         /* who waits for the end of it, or of a thread */
    _Atomic uint64_t log_time; /* [a] until then it has written to the log */

    struct right_table rights;   /* descriptors */
    struct right_table side;     /* side channels */
    struct right_table channels; /* ports, by chid */
};

#endif /* IPC_TASK_TYPES_H */
