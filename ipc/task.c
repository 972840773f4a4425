/* SPDX-License-Identifier: MIT */
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/init.h>
#include <kern/rcu.h>
#include <kern/rcu_radix.h>
#include <kern/slab.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <ipc/charged.h>
#include <ipc/right_table.h>
#include <ipc/task.h>
#include <ipc/uthread.h>
#include <vm/space.h>

static struct slab_cache task_cache;

/*
 * Objects of tasks that have not ended, by pid, each with a reference.  Pids
 * go up, so that one does not come again soon.
 *
 * Keys: [M] the mutex   [R] the same, readers under RCU
 */
static struct rtmutex task_mutex;  /* rank LOCK_PIDS */
static struct rcu_radix task_pids; /* [R] */
static uint32_t task_next_pid = 2; /* [M] */
static uint32_t task_count;        /* [M] */

/*
 * The object
 */

/* The last reference: it has ended, or was never seen by anybody. */
static void
task_release(struct kobject *object)
{
    struct task *task = task_of_object(object);

    assert(task->nr_threads == 0);
    right_table_destroy(&task->rights);
    right_table_destroy(&task->side);
    right_table_destroy(&task->channels);
    kobject_free(object);
}

static void
task_free(struct kobject *object)
{
    struct task *task = task_of_object(object);

    charged_free(&task_cache, task, sizeof(*task), task->container);
}

static const struct kobject_ops task_ops = {
    .kind = KOBJECT_TASK,
    .release = task_release,
    .free = task_free,
};

/*
 * Numbers
 */

/*
 * Take the next free number.  Until the task knows it, what is found there is
 * an object that nobody can have a reference to.
 */
static status_t
task_take_next_locked(uint32_t *pidp)
{
    status_t status = rcu_radix_insert_lowest(&task_pids, &kobject_none,
                                              task_next_pid, TASK_PIDS_MAX,
                                              pidp);

    if (status == ERR_RANGE) {
        status = rcu_radix_insert_lowest(&task_pids, &kobject_none, 2,
                                         TASK_PIDS_MAX, pidp);
    }
    if (status == OK) {
        task_next_pid = *pidp + 1;
    }
    return status;
}

/* Have a task found by its number, and end with who made it until it runs. */
static void
task_publish_locked(struct task *task, uint32_t pid)
{
    struct kobject *parent = NULL;

    if (task->parent > 0) {
        parent = rcu_radix_find(&task_pids, (uint32_t)task->parent);
    }
    if (parent != NULL) {
        list_insert_tail(&task_of_object(parent)->unstarted, &task->sibling);
    }
    task->pid = (int32_t)pid;
    task_get(task);
    rcu_radix_replace(&task_pids, pid, &task->object);
    WRITE_ONCE(task_count, task_count + 1);
}

/*
 * Give a task a number; from then on it may be found.
 *
 * @wanted  0: any
 */
static status_t
task_number(struct task *task, uint32_t wanted)
{
    status_t status;
    uint32_t pid;

    rtmutex_lock(&task_mutex);
    if (wanted != 0) {
        status = rcu_radix_insert_lowest(&task_pids, &kobject_none, wanted,
                                         wanted + 1, &pid);
    } else {
        status = task_take_next_locked(&pid);
    }
    if (status == OK) {
        task_publish_locked(task, pid);
    }
    rtmutex_unlock(&task_mutex);
    return status;
}

/* Who made it does not care any more. */
static void
task_leave_parent_locked(struct task *task)
{
    assert(rtmutex_is_owned(&task_mutex));
    if (list_node_is_linked(&task->sibling)) {
        list_remove(&task->sibling);
    }
}

static void
task_forget_number(struct task *task)
{
    rtmutex_lock(&task_mutex);
    rcu_radix_remove(&task_pids, (uint32_t)task->pid);
    task_leave_parent_locked(task);
    WRITE_ONCE(task_count, task_count - 1);
    rtmutex_unlock(&task_mutex);
    task_put(task);
}

struct task *
task_find(int32_t pid)
{
    struct kobject *object;

    if (pid <= 0 || (uint32_t)pid >= TASK_PIDS_MAX) {
        return NULL;
    }
    rcu_read_lock();
    object = rcu_radix_find(&task_pids, (uint32_t)pid);
    if (object != NULL && !kobject_try_get(object)) {
        object = NULL;
    }
    rcu_read_unlock();
    return object != NULL ? task_of_object(object) : NULL;
}

struct task *
task_find_next(int32_t pid)
{
    struct kobject *object;
    uint32_t key;

    rtmutex_lock(&task_mutex);
    object = rcu_radix_find_next(&task_pids, pid > 0 ? (uint32_t)pid : 1, &key);
    if (object != NULL) {
        kobject_get(object);
    }
    rtmutex_unlock(&task_mutex);
    return object != NULL ? task_of_object(object) : NULL;
}

uint32_t
task_nr(void)
{
    return READ_ONCE(task_count);
}

/*
 * Life
 */

static void
task_init(struct task *task, const struct task_params *params)
{
    enum right_policy policy = right_policy_default();

    kobject_init(&task->object, &task_ops, params->name);
    task->container = params->container;
    task->pid = 0;
    task->parent = params->parent;
    task->start_time = clock_now();
    rtmutex_init(&task->mutex, LOCK_TASK, "task");
    rcu_radix_init(&task->threads);
    rcu_radix_init(&task->scoids);
    task->nr_threads = 0;
    task->has_started = false;
    list_init(&task->unstarted);
    list_node_init(&task->sibling);
    task->max_priority = params->max_priority;
    task->state = TASK_ALIVE;
    task->end = (struct portolan_task_end){ 0 };
    task->who = params->who;
    task->space_object = NULL;
    waitq_init(&task->ends);
    atomic_init(&task->log_time, 0);
    right_table_init(&task->rights, task->container, 0, policy);
    right_table_init(&task->side, task->container, RIGHT_BASE_SIDE, policy);
    right_table_init(&task->channels, task->container, 0, RIGHT_LOWEST);
}

/* A task with its space. */
static status_t
task_alloc(struct task **taskp, const struct task_params *params)
{
    struct task *task =
        charged_alloc(&task_cache, sizeof(*task), params->container);
    status_t status;

    if (task == NULL) {
        return ERR_NO_MEMORY;
    }
    status = space_create(&task->space, params->container, params->name);
    if (status != OK) {
        charged_free(&task_cache, task, sizeof(*task), params->container);
        return status;
    }
    task_init(task, params);
    *taskp = task;
    return OK;
}

/* Give all rights and channels up. */
static void
task_close_tables(struct task *task)
{
    right_table_close_all(&task->channels);
    right_table_close_all(&task->rights);
    right_table_close_all(&task->side);
}

status_t
task_create(struct task **taskp, const struct task_params *params)
{
    struct task *task;
    status_t status;

    status = task_alloc(&task, params);
    if (status != OK) {
        return status;
    }
    status = task_number(task, (uint32_t)params->pid);
    if (status != OK) {
        task_close_tables(task);
        space_put(task->space);
        task_put(task);
        return status;
    }
    *taskp = task;
    return OK;
}

/* Forget a thread that nobody joined. */
static bool
task_forget_thread(struct task *task)
{
    struct uthread *uthread;

    rtmutex_lock(&task->mutex);
    uthread = uthread_next_locked(task, 1);
    if (uthread != NULL) {
        rcu_radix_remove(&task->threads, (uint32_t)uthread->tid);
    }
    rtmutex_unlock(&task->mutex);
    if (uthread != NULL) {
        uthread_put(uthread);
    }
    return uthread != NULL;
}

/* Give the space up; those who have a right to it have an empty one then. */
static void
task_forget_space(struct task *task)
{
    if (task->space_object != NULL) {
        verify(space_unmap(task->space, SPACE_START, SPACE_END - SPACE_START) ==
               OK);
        kobject_put(task->space_object);
    }
    space_put(task->space);
}

/* One of the tasks that it made and nobody started, with a reference. */
static struct task *
task_take_unstarted(struct task *task)
{
    struct task *child = NULL;

    rtmutex_lock(&task_mutex);
    if (!list_is_empty(&task->unstarted)) {
        child = list_first_entry(&task->unstarted, struct task, sibling);
        list_remove(&child->sibling);
        /* As long as it is in the list it has a number, and so a reference. */
        task_get(child);
    }
    rtmutex_unlock(&task_mutex);
    return child;
}

/* End them: nobody else may know of them. */
static void
task_end_unstarted(struct task *task)
{
    struct task *child;

    while ((child = task_take_unstarted(task)) != NULL) {
        task_end(child, PORTOLAN_TASK_KILLED, 0);
        task_put(child);
    }
}

void
task_note_start(struct task *task)
{
    rtmutex_lock(&task_mutex);
    task_leave_parent_locked(task);
    rtmutex_unlock(&task_mutex);
}

void
task_finish(struct task *task)
{
    task_close_tables(task);
    while (task_forget_thread(task)) {
        continue;
    }
    task_forget_space(task);
    task_forget_number(task);
    task_end_unstarted(task);
    rtmutex_lock(&task->mutex);
    WRITE_ONCE(task->state, TASK_ENDED);
    rtmutex_unlock(&task->mutex);
    waitq_wake_all(&task->ends);
}

/* Tell the threads of a task to end. */
static void
task_end_threads_locked(struct task *task)
{
    struct uthread *uthread;
    uint32_t tid = 0;

    while ((uthread = uthread_next_locked(task, tid + 1)) != NULL) {
        tid = (uint32_t)uthread->tid;
        if (uthread->thread != NULL) {
            thread_request_end(uthread->thread);
        }
    }
}

void
task_end(struct task *task, enum portolan_task_cause cause, int32_t status)
{
    bool is_mine = false;

    rtmutex_lock(&task->mutex);
    if (task->state == TASK_ALIVE) {
        WRITE_ONCE(task->state, TASK_ENDING);
        task->end.cause = cause;
        task->end.status = status;
        task->end.pid = task->pid;
        task_end_threads_locked(task);
        is_mine = task->nr_threads == 0;
    }
    rtmutex_unlock(&task->mutex);
    if (is_mine) {
        task_finish(task);
    }
}

static bool
task_has_ended(const void *task)
{
    return READ_ONCE(((const struct task *)task)->state) == TASK_ENDED;
}

status_t
task_wait(struct task *task, struct portolan_task_end *end, uint64_t deadline)
{
    status_t status =
        waitq_wait_for_or_end(&task->ends, task_has_ended, task, deadline);

    if (status == OK) {
        rtmutex_lock(&task->mutex);
        *end = task->end;
        rtmutex_unlock(&task->mutex);
    }
    return status;
}

/*
 * What is told and changed
 */

status_t
task_take_space(struct task *task, struct vm_space **spacep)
{
    status_t status = ERR_CLOSED;

    rtmutex_lock(&task->mutex);
    if (task->state == TASK_ALIVE) {
        *spacep = task->space;
        space_get(task->space);
        status = OK;
    }
    rtmutex_unlock(&task->mutex);
    return status;
}

void
task_get_credentials(struct task *task, struct portolan_credentials *who)
{
    rtmutex_lock(&task->mutex);
    *who = task->who;
    rtmutex_unlock(&task->mutex);
}

void
task_set_credentials(struct task *task, const struct portolan_credentials *who)
{
    rtmutex_lock(&task->mutex);
    task->who = *who;
    rtmutex_unlock(&task->mutex);
}

/* Time that all threads have run, those that ended too. */
static uint64_t
task_run_time_locked(struct task *task)
{
    uint64_t run_time = task->end.run_time;
    struct uthread *uthread;
    uint32_t tid = 0;

    while ((uthread = uthread_next_locked(task, tid + 1)) != NULL) {
        tid = (uint32_t)uthread->tid;
        if (uthread->thread != NULL) {
            run_time += thread_run_time(uthread->thread);
        }
    }
    return run_time;
}

void
task_describe(struct task *task, struct portolan_task_info *info)
{
    *info = (struct portolan_task_info){
        .pid = task->pid,
        .parent = task->parent,
        .start_time = task->start_time,
        .container = container_tag(task->container),
    };
    kobject_copy_name(&task->object, info->name);
    rtmutex_lock(&task->mutex);
    info->nr_threads = task->nr_threads;
    info->has_ended = task->state == TASK_ENDED;
    info->credentials = task->who;
    info->run_time = task_run_time_locked(task);
    rtmutex_unlock(&task->mutex);
}

static status_t
task_setup(void)
{
    slab_cache_init(&task_cache, "task", sizeof(struct task),
                    _Alignof(struct task), 0);
    rtmutex_init(&task_mutex, LOCK_PIDS, "pids");
    rcu_radix_init(&task_pids);
    return OK;
}

INIT_OP(task_setup, INIT_BOOT_CPU, AFTER(slab_setup));
