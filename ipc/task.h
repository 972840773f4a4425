/* SPDX-License-Identifier: MIT */
/*
 * Tasks: programs that run.  A space, tables of rights, threads, a container
 * that pays, and somebody for whom it acts.
 *
 * LIFE.  A task is made without threads.  It ends when it is told to, by
 * itself or another, or with its last thread, or, as long as it has not begun
 * to run, with the task that made it; then its threads are told to end, and the
 * last one of them gives back what the task has, in its own time and
 * preemptible.  What is left is the struct, which tells how it ended for as
 * long as somebody has a right to it.
 *
 * Invariants: no thread is made after TASK_ENDING; the task has its space and
 * its tables as long as it has threads; whoever brings it to TASK_ENDED is one,
 * and is the last one to use them, but for look-ups under RCU.
 *
 * May run concurrently: everything with everything.
 * Lock ranks: LOCK_PIDS, LOCK_TASK.  Design: doc/tasks.md.
 */
#ifndef IPC_TASK_H
#define IPC_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <ipc/kobject.h>
#include <ipc/task_types.h>
#include <lib/macros.h>
#include <lib/status.h>

/* Pids are less than this. */
#define TASK_PIDS_MAX (UINT32_C(1) << 22)

/* What a new task is like. */
struct task_params {
    const char *name;            /* copied, cut to KOBJECT_NAME_SIZE */
    struct container *container; /* pays; the task takes a reference */
    int32_t pid;                 /* 0: a free one; only the first has 1 */
    int32_t parent;              /* a pid, or 0 */
    uint32_t max_priority;       /* 1 to THREAD_PRIORITY_MAX */
    struct portolan_credentials who;
};

/*
 * Make a task without threads, with an empty space and empty tables.
 *
 * Context: thread, preemptible
 * Returns: OK, with one reference; ERR_NO_MEMORY; ERR_RANGE: no pid is free, or
 *          the one that is wanted is not
 */
status_t task_create(struct task **taskp,
                     const struct task_params *params) __must_check;

/* Take another reference.  Context: as kobject_get(); the caller has one */
static inline void
task_get(struct task *task)
{
    kobject_get(&task->object);
}

/* Give a reference up.  Context: as kobject_put() */
static inline void
task_put(struct task *task)
{
    kobject_put(&task->object);
}

/* The task that an object is. */
static inline struct task *
task_of_object(struct kobject *object)
{
    return container_of(object, struct task, object);
}

/*
 * Find a task that has not ended.
 *
 * Context: thread
 * Returns: with a reference; NULL: there is none
 */
struct task *task_find(int32_t pid) __must_check;

/*
 * Find the task with the lowest pid that is at least @pid, for lists.
 *
 * Context: thread, preemptible
 * Returns: with a reference; NULL: there is none
 */
struct task *task_find_next(int32_t pid) __must_check;

/* Tasks that have not ended; others come and go. */
uint32_t task_nr(void);

/*
 * End a task: have its threads end, the calling one too if it is one.  The
 * first cause stays.
 *
 * Context: thread, preemptible, no lock held; the caller has a reference
 */
void task_end(struct task *task, enum portolan_task_cause cause,
              int32_t status);

/*
 * Wait for the end of a task.
 *
 * @end       receives how
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_TIMEOUT; ERR_INTERRUPTED: the thread is to end
 */
status_t task_wait(struct task *task, struct portolan_task_end *end,
                   uint64_t deadline) __must_check;

/* Whether a task has something to lose: it has not ended. */
static inline bool
task_is_alive(const struct task *task)
{
    return READ_ONCE(task->state) == TASK_ALIVE;
}

/*
 * Take a reference to a task's space, for others than its threads.
 *
 * Context: thread, preemptible; the caller has a reference to the task
 * Returns: OK; ERR_CLOSED: the task ends
 */
status_t task_take_space(struct task *task,
                         struct vm_space **spacep) __must_check;

/* Read who a task acts for.  Context: thread, preemptible */
void task_get_credentials(struct task *task, struct portolan_credentials *who);

/* Change who a task acts for.  Context: thread, preemptible */
void task_set_credentials(struct task *task,
                          const struct portolan_credentials *who);

/*
 * Describe a task.
 *
 * Context: thread, preemptible
 */
void task_describe(struct task *task, struct portolan_task_info *info);

/*
 * The table that a name belongs to: side channels are in one of their own.
 */
static inline struct right_table *
task_table(struct task *task, uint32_t name)
{
    return name < RIGHT_BASE_SIDE ? &task->rights : &task->side;
}

/*
 * For uthread.c: the first thread of a task has begun; from now on it does not
 * end with the one that made it.
 *
 * Context: thread, preemptible, no lock held
 */
void task_note_start(struct task *task);

/*
 * For uthread.c: the last thread has gone, or there was none when the task was
 * ended.  Gives back all that the task has.
 *
 * Context: thread, preemptible, no lock held; does not use the task's space
 */
void task_finish(struct task *task);

#endif /* IPC_TASK_H */
