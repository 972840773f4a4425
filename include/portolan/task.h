/* SPDX-License-Identifier: MIT */
/*
 * Tasks and threads: what is passed by pointer.  Types only.
 */
#ifndef PORTOLAN_TASK_H
#define PORTOLAN_TASK_H

#include <stdint.h>

#include <portolan/types.h>

/* A right that a new task begins with. */
struct portolan_task_right {
    int32_t source; /* the creator's */
    int32_t target; /* name in the new task */
    uint32_t flags; /* PORTOLAN_RIGHT_... */
};

/* What task_create() makes. */
struct portolan_task_params {
    char name[PORTOLAN_NAME_SIZE];
    int32_t container; /* right; PORTOLAN_SELF: that of the creator */
    int32_t index;     /* the right gets the lowest free name from here */
    uint32_t flags;    /* PORTOLAN_RIGHT_... of the right */
    uint32_t nr_rights;
    uint64_t rights;       /* array of struct portolan_task_right */
    int32_t pid;           /* [out] */
    uint32_t max_priority; /* for its threads; 0: as the creator's */
};

/* Policies of scheduling, which are QNX's and Linux's numbers. */
#define PORTOLAN_SCHED_FAIR 0
#define PORTOLAN_SCHED_FIFO 1
#define PORTOLAN_SCHED_RR   2
#define PORTOLAN_SCHED_SAME (-1) /* as the creator, priority too */

#define PORTOLAN_THREAD_DETACHED  0x1U /* nobody joins it */
#define PORTOLAN_THREAD_SUSPENDED 0x2U /* waits for thread_resume() */

/* What task_start() and thread_create() start. */
struct portolan_thread_params {
    uint64_t pc;
    uint64_t sp;
    uint64_t args[3]; /* in %rdi, %rsi, %rdx */
    uint64_t tls;     /* base of thread-local storage */
    uint32_t flags;   /* PORTOLAN_THREAD_... */
    int32_t policy;   /* PORTOLAN_SCHED_... */
    int32_t priority;
    uint32_t name_size; /* 0: as the creator */
    uint64_t name;
    uint64_t affinity; /* mask of CPUs; 0: as the creator */
    uint64_t affinity_size;
    uint64_t tid; /* address of 32 bits that get the tid before it runs; or 0 */
};

/* How a task ended. */
enum portolan_task_cause {
    PORTOLAN_TASK_EXITED,    /* task_exit(), with status */
    PORTOLAN_TASK_KILLED,    /* task_kill(), with status */
    PORTOLAN_TASK_EXCEPTION, /* status is the kind of the exception */
};

struct portolan_task_end {
    uint32_t cause; /* enum portolan_task_cause */
    int32_t status;
    int32_t pid;
    uint32_t reserved;
    uint64_t run_time; /* nanoseconds */
};

struct portolan_task_info {
    int32_t pid;
    int32_t parent;
    uint32_t nr_threads;
    uint32_t has_ended;
    struct portolan_credentials credentials;
    uint32_t reserved;
    uint64_t start_time;
    uint64_t run_time;
    uint64_t container; /* object, as in portolan_right_info; 0: the kernel's */
    char name[PORTOLAN_NAME_SIZE];
};

/* What a thread does; those of messages are QNX's STATE_... */
enum portolan_thread_state {
    PORTOLAN_THREAD_DEAD = 0,
    PORTOLAN_THREAD_RUNNING = 1,
    PORTOLAN_THREAD_READY = 2,
    PORTOLAN_THREAD_STOPPED = 3,
    PORTOLAN_THREAD_SEND = 4,
    PORTOLAN_THREAD_RECEIVE = 5,
    PORTOLAN_THREAD_REPLY = 6,
    PORTOLAN_THREAD_SLEEPING = 12,
    PORTOLAN_THREAD_FUTEX = 13,
    PORTOLAN_THREAD_JOIN = 15,
    PORTOLAN_THREAD_OTHER = 32,
};

struct portolan_thread_info {
    int32_t pid;
    int32_t tid;
    uint32_t state; /* enum portolan_thread_state */
    int32_t policy;
    int32_t priority;      /* its own */
    int32_t now_priority;  /* with what it inherited */
    uint32_t cpu;          /* where it runs or did last */
    uint32_t nr_suspended; /* thread_suspend() less thread_resume() */
    int32_t blocked_pid;   /* who it waits for, 0: nobody known */
    int32_t blocked_chid;
    uint64_t run_time;
    char name[PORTOLAN_NAME_SIZE];
};

#endif /* PORTOLAN_TASK_H */
