/* SPDX-License-Identifier: MIT */
/*
 * Threads: creation, end, and waiting.
 *
 * Waiting is built on one pair.  thread_park() sleeps until the thread has a
 * permit and takes it; thread_unpark() gives the permit, of which there is at
 * most one.  So an unpark before the park is not lost, and everything that
 * waits (mutexes, queues, joins) is a loop: look at the condition, park.
 * Parking may end early; whoever parks looks again.
 *
 * Structures of threads are type-stable: a pointer to a dead one still is a
 * pointer to some thread, so that it may be unparked in vain.
 */
#ifndef KERN_THREAD_H
#define KERN_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/clock.h>
#include <kern/percpu.h>
#include <kern/thread_types.h>
#include <lib/status.h>

typedef void (*thread_fn_t)(void *arg);

/* The thread that calls. */
static inline struct thread *
thread_self(void)
{
    return percpu_read(thread_current);
}

/* What a new thread is like; zeros are a fair thread on any CPU. */
struct thread_attr {
    enum thread_policy policy;
    int priority;           /* of FIFO and RR, 1 to 254 */
    uint32_t weight;        /* of the fair class; 0: the default */
    bool pinned;            /* stays on CPU @cpu */
    uint32_t cpu;           /* where it begins if @pinned */
    struct vm_space *space; /* that it uses, alive as long; NULL: none */
};

/*
 * Create a thread, which is ready at once.
 *
 * @name  copied, cut to THREAD_NAME_SIZE
 * @fn    the thread ends when it returns
 * @attr  NULL for the defaults
 *
 * Context: thread
 * Returns: NULL when memory is short or @attr makes no sense; else join or
 *          detach it
 */
struct thread *thread_create(const char *name, thread_fn_t fn, void *arg,
                             const struct thread_attr *attr) __must_check;

/*
 * Wait for the end of a thread and free it.
 *
 * Context: thread; one caller a thread
 * Blocks:  until it has ended
 */
void thread_join(struct thread *thread);

/* Have the thread freed when it ends.  Context: thread, once */
void thread_detach(struct thread *thread);

/*
 * A dead thread has left its stack: tell who waits for that.
 *
 * Context: the scheduler, interrupts disabled, no run queue locked
 */
void thread_announce_end(struct thread *thread);

/* End this thread. */
__noreturn void thread_exit(void);

/*
 * Wait for a permit and take it.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context:  thread, preemptible, interrupts enabled
 * Blocks:   until thread_unpark() or the deadline, or a little less
 * Ordering: stores before thread_unpark() are visible on return
 */
void thread_park(uint64_t deadline);

/*
 * Give a thread its permit and make it ready if it is parked.
 *
 * Context: any but NMI, no run queue locked
 */
void thread_unpark(struct thread *thread);

/*
 * Park, and have another thread, parked or ready, run at once on this CPU,
 * without its passing through a run queue: direct hand-off.  One that is ready
 * is given a permit, for it may be about to park.  The same as
 * thread_unpark() and thread_park() when that is not possible: when @thread
 * runs, belongs to another CPU or may not run here, when somebody more urgent
 * than it is ready, or this thread has a permit.
 *
 * Context: thread, preemptible, interrupts enabled
 */
void thread_hand_off(struct thread *thread);

/* Let others of the same priority run.  Context: thread */
void thread_yield(void);

/* Sleep until a time of clock_now().  Context: thread */
void thread_sleep_until(uint64_t deadline);

/* Sleep for a while, nanoseconds.  Context: thread */
void thread_sleep(uint64_t ns);

/*
 * Set policy and own priority.
 *
 * @priority  1 to 254 for FIFO and RR, else ignored
 *
 * Returns: OK or ERR_RANGE
 */
status_t thread_set_policy(struct thread *thread, enum thread_policy policy,
                           int priority);

/* Set the share in the fair class, 1 to THREAD_WEIGHT_MAX. */
status_t thread_set_weight(struct thread *thread, uint32_t weight);

/*
 * Set on which CPUs a thread may run; it moves if it must.
 *
 * @mask  bitmap of cpu_nr_possible bits, copied; NULL for all
 *
 * Context: thread
 * Returns: OK; ERR_INVALID, no CPU of the mask is online; ERR_STATE, the
 *          thread is pinned to a CPU that the mask lacks; ERR_NO_MEMORY
 */
status_t thread_set_affinity(struct thread *thread, const unsigned long *mask);

/*
 * Have a thread do something before it is in user mode again, and soon if it is
 * there: see user_work_fn_t.
 *
 * @work  bits that whoever installed that hook knows
 *
 * Context:  any but NMI, no run queue locked
 * Ordering: stores before the call are visible to the hook
 */
void thread_request_work(struct thread *thread, unsigned int work);

/* Stop a thread at its next reschedule until thread_resume(). */
void thread_suspend(struct thread *thread);

/* Let a suspended thread go on. */
void thread_resume(struct thread *thread);

/* Time that a thread has run, nanoseconds. */
uint64_t thread_run_time(struct thread *thread);

/*
 * Change what a thread inherits, and with it its effective priority.
 *
 * @priority  largest of those that wait for it; THREAD_PRIORITY_IDLE: none
 *
 * Locks:   takes and drops LOCK_RUNQ
 * Returns: whether the effective priority changed
 */
bool thread_inherit(struct thread *thread, int priority);

/*
 * What the monitor shows of a thread; all of it may change at once.
 */
struct thread_info {
    struct thread *thread; /* for its address; it may have ended by now */
    char name[THREAD_NAME_SIZE];
    enum thread_state state;
    enum thread_policy policy;
    int priority;
    int base_priority;
    uint32_t weight;
    uint32_t cpu;
    bool pinned;
    uint64_t run_time; /* nanoseconds */
    uint64_t nr_switches;
};

/*
 * Describe the thread with a given place in the list of all, in the order of
 * creation.
 *
 * Context: thread; takes time in proportion to @index
 * Returns: false, there is none
 */
bool thread_info_get(size_t index, struct thread_info *info);

/*
 * The frame pointer of a thread that does not run, for backtrace_take().
 *
 * Context: any but NMI
 * Returns: 0, it runs or has ended
 */
uintptr_t thread_frame(struct thread *thread);

/* Effective priority, which may change at once. */
int thread_priority(struct thread *thread);

#endif /* KERN_THREAD_H */
