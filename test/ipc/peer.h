/* SPDX-License-Identifier: MIT */
/*
 * For tests of messages: threads of the kernel that play programs, in tasks of
 * their own, and make system calls by calling their functions.
 */
#ifndef TEST_IPC_PEER_H
#define TEST_IPC_PEER_H

#include <stdint.h>

#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <ipc/task.h>
#include <ipc/uthread.h>
#include <kern/thread.h>
#include <test/test.h>

/* Bytes of a program's memory. */
#define PEER_MEMORY (512 * PAGE_SIZE)

/*
 * A task for threads of the kernel.
 */
struct peer_task {
    struct test *t;
    struct container *container;
    struct task *task;
    uintptr_t memory; /* PEER_MEMORY bytes of the program's, zeros */
};

/*
 * One of its threads.
 */
struct peer {
    struct peer_task *of;
    long (*fn)(struct peer *self); /* what it does */
    void *arg;                     /* for @fn */
    long result;                   /* of @fn */
    struct uthread *uthread;
    struct thread *thread;
    atomic_bool is_there; /* it has a uthread */
};

/* Make a task; it ends, and is checked for leaks, at the end of the test. */
struct peer_task *peer_task_create(struct test *t);

/* Make a task that the test itself destroys. */
struct peer_task *peer_task_make(struct test *t);

/* Have it end, and look whether something is left. */
void peer_task_destroy(struct peer_task *of);

/* Have the threads of a task end, and what it has go. */
void peer_task_kill(struct peer_task *of);

/*
 * Have a thread of a task begin.
 *
 * @attr  NULL for the defaults; its space is set here
 */
void peer_start(struct peer *peer, const struct thread_attr *attr);

/*
 * Wait until a thread waits for messages, or for what it sent.  A message that
 * is being sent is in the port then.
 */
void peer_await(struct peer *peer, enum portolan_thread_state what);

/* Wait for its end.  Returns: what its function did */
long peer_join(struct peer *peer);

/* Have the calling thread play a thread of a task, for as long as @fn takes. */
long peer_play(struct peer *peer);

/* Write a byte to all of a range of the caller's program memory. */
void peer_fill(uintptr_t va, int byte, size_t size);

/* Whether a range of the caller's program memory has a byte all over. */
bool peer_has(uintptr_t va, int byte, size_t size);

/*
 * A call of the fast path begins with interrupts disabled, and ends with them
 * as it likes; so are its arguments computed.
 */
#define PEER_FAST(call)                                                        \
    ({                                                                         \
        long peer_result_;                                                     \
                                                                               \
        cpu_irq_disable();                                                     \
        peer_result_ = (call);                                                 \
        cpu_irq_enable();                                                      \
        peer_result_;                                                          \
    })

#endif /* TEST_IPC_PEER_H */
