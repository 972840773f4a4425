/* SPDX-License-Identifier: MIT */
/*
 * Threads of programs: what rights to threads refer to.
 *
 * Each is carried out by a thread of the kernel's, which has user mode, from
 * uthread_start() on until it ends; what it ended with stays until it is
 * joined, unless it is detached.
 *
 * May run concurrently: everything with everything.
 * Lock: that of the task.  Design: doc/tasks.md.
 */
#ifndef IPC_UTHREAD_H
#define IPC_UTHREAD_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/user.h>
#include <ipc/kobject.h>
#include <ipc/message_types.h>
#include <ipc/task.h>
#include <kern/thread.h>
#include <lib/macros.h>
#include <lib/status.h>

/* Tids are less than this, and at least 1. */
#define UTHREAD_TIDS_MAX (UINT32_C(1) << 20)

/* Bit of thread->user_work, besides THREAD_WORK_END. */
#define UTHREAD_WORK_STOP 0x2U

/* What a new thread is like. */
struct uthread_params {
    const char *name; /* copied */
    struct user_start start;
    uintptr_t tls;
    enum thread_policy policy;
    int priority; /* of FIFO and RR: at most that of the task */
    const unsigned long *affinity; /* cpu_nr_possible bits, copied; NULL: all */
    bool is_detached;
    bool is_suspended;
    bool is_first; /* of the task, which has had none */
};

/*
 * Keys: [c] constant   [M] mutex of the task   [a] atomic, written under it
 *       [O] its own
 */
struct uthread {
    struct kobject object;
    struct task *task;         /* [c] referenced */
    int32_t tid;               /* [c] */
    struct thread *thread;     /* [M] NULL: not started, or ended */
    struct user_state *user;   /* [O] */
    struct user_start start;   /* [c] */
    uintptr_t tls;             /* [c] */
    enum thread_policy policy; /* [M] */
    int priority;              /* [M] */
    uint32_t nr_suspended;     /* [M] */
    bool is_detached;          /* [M] */
    bool is_joined;            /* [M] somebody waits for its end */
    bool has_ended;            /* [a] */
    long status;               /* [M] once it has ended */
    uint64_t run_time;         /* [M] nanoseconds, once it has ended */
    struct waitq resumed;      /* it waits there while it is suspended */
    atomic_uint doing;         /* [O] enum portolan_thread_state, for people */
    unsigned long *affinity;   /* [M] NULL: all */
    struct message message;    /* that it sends */

    /* For calls that receive to one buffer, in line. */
    struct message_receiver receiver; /* [O] but for its own keys */
    struct msg_buffer to;             /* [O] of one part */
};

/* The calling program's thread; NULL: the kernel's own. */
static inline struct uthread *
uthread_self(void)
{
    return thread_self()->uthread;
}

/* The task of the calling program. */
static inline struct task *
task_self(void)
{
    return uthread_self()->task;
}

/* The thread that an object is. */
static inline struct uthread *
uthread_of_object(struct kobject *object)
{
    return container_of(object, struct uthread, object);
}

/*
 * Make a thread of a task, that does not run yet: uthread_start() or
 * uthread_cancel() has to follow.
 *
 * @uthreadp  receives it, with a reference
 *
 * Context: thread, preemptible; the caller has a reference to the task
 * Returns: OK; ERR_NO_MEMORY; ERR_AGAIN: no tid is free; ERR_RANGE: the
 *          priority is more than the task's; ERR_INVALID: no CPU of the mask is
 *          online, or there is no such priority; ERR_CLOSED: the task ends;
 *          ERR_BUSY: it is not the first
 */
status_t uthread_create(struct uthread **uthreadp, struct task *task,
                        const struct uthread_params *params) __must_check;

/*
 * Have a thread run.
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NO_MEMORY
 */
status_t uthread_start(struct uthread *uthread) __must_check;

/*
 * Have the calling thread carry out a program's.  Its message's buffers have
 * one part from then on, but during calls that are given a list.
 *
 * Context: thread, that has none
 */
void uthread_adopt(struct uthread *uthread);

/* Undo uthread_create(), but for the reference.  Context: thread */
void uthread_cancel(struct uthread *uthread);

/* Take another reference.  Context: as kobject_get(); the caller has one */
static inline void
uthread_get(struct uthread *uthread)
{
    kobject_get(&uthread->object);
}

/* Give a reference up.  Context: as kobject_put() */
static inline void
uthread_put(struct uthread *uthread)
{
    kobject_put(&uthread->object);
}

/*
 * Find a thread by number, ended or not.
 *
 * Context: thread
 * Returns: with a reference; NULL: there is none
 */
struct uthread *uthread_find(struct task *task, int32_t tid) __must_check;

/*
 * Find the thread with the lowest tid that is at least @tid, for lists.
 *
 * Context: thread, preemptible
 * Returns: with a reference; NULL: there is none
 */
struct uthread *uthread_find_next(struct task *task, int32_t tid) __must_check;

/*
 * The same for who has locked the task's mutex, without a reference.
 */
struct uthread *uthread_next_locked(struct task *task, uint32_t tid);

/* Threads that have not ended; others come and go. */
uint32_t uthread_nr(void);

/*
 * End the calling thread.
 *
 * Context: a program's thread, preemptible, no lock held
 */
__noreturn void uthread_exit(long status);

/*
 * Wait for the end of a thread, and forget it.
 *
 * @statusp   receives what it ended with
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: thread, preemptible; the caller has a reference
 * Returns: OK; ERR_TIMEOUT; ERR_INTERRUPTED: the caller is to end;
 *          ERR_INVALID: it is detached, or joined by somebody else
 */
status_t uthread_join(struct uthread *uthread, long *statusp,
                      uint64_t deadline) __must_check;

/*
 * Have a thread stop before it is in user mode again, until as many resumes.
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_OVERFLOW: it was suspended too often
 */
status_t uthread_suspend(struct uthread *uthread) __must_check;

/* Undo one uthread_suspend().  Returns: ERR_STATE: it is not suspended */
status_t uthread_resume(struct uthread *uthread);

/*
 * Change how a thread is scheduled.
 *
 * @priority  of FIFO and RR
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_RANGE: more than the task allows; ERR_INVALID: there is no
 *          such priority
 */
status_t uthread_set_policy(struct uthread *uthread, enum thread_policy policy,
                            int priority);

/* Change the priority, if the policy has one; as uthread_set_policy(). */
status_t uthread_set_priority(struct uthread *uthread, int priority);

/* Tell how a thread is scheduled.  Context: thread, preemptible */
void uthread_get_policy(struct uthread *uthread, enum thread_policy *policy,
                        int *priority);

/*
 * Choose the CPUs that may run a thread.
 *
 * @mask  cpu_nr_possible bits, copied; NULL: all
 *
 * Returns: as thread_set_affinity()
 */
status_t uthread_set_affinity(struct uthread *uthread,
                              const unsigned long *mask);

/*
 * Tell the CPUs that may run a thread.
 *
 * @mask  cpu_nr_possible bits, zeros
 *
 * Context: thread, preemptible
 * Returns: whether somebody has chosen them; else all that are online may
 */
bool uthread_get_affinity(struct uthread *uthread, unsigned long *mask);

/* Say for people what the calling thread does, or waits for. */
static inline void
uthread_does(enum portolan_thread_state what)
{
    struct uthread *self = uthread_self();

    if (likely(self != NULL)) {
        atomic_store_explicit(&self->doing, what, memory_order_relaxed);
    }
}

/* Describe a thread.  Context: thread, preemptible */
void uthread_describe(struct uthread *uthread,
                      struct portolan_thread_info *info);

/* For hooks: the work before a return to user mode. */
void uthread_work(void);

#endif /* IPC_UTHREAD_H */
