/* SPDX-License-Identifier: MIT */
#include <arch/user.h>
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <kern/slab.h>
#include <kern/pass.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <lib/bitmap.h>
#include <lib/string.h>
#include <ipc/uthread.h>
#include <vm/space.h>

static struct slab_cache uthread_cache;

/* Threads made less those ended; written by that CPU, preemption disabled. */
static PERCPU(int, uthread_counts);

/*
 * The object
 */

static void
uthread_free(struct kobject *object)
{
    struct uthread *uthread = uthread_of_object(object);
    struct task *task = uthread->task;

    kfree(uthread->affinity);
    slab_free(&uthread_cache, uthread);
    container_refund(task->container, CONTAINER_OBJECTS, sizeof(*uthread));
    task_put(task);
}

static const struct kobject_ops uthread_ops = {
    .kind = KOBJECT_THREAD,
    .release = kobject_free,
    .free = uthread_free,
};

/*
 * Charges: the struct is paid for until it is freed, a thread with its stack
 * and its state until it has ended.
 */

static size_t
uthread_running_size(void)
{
    return sizeof(struct thread) + KERNEL_STACK_SIZE + user_state_size();
}

static status_t
uthread_charge(struct container *container)
{
    status_t status;

    status = container_charge(container, CONTAINER_THREADS, 1);
    if (status == OK) {
        status =
            container_charge(container, CONTAINER_OBJECTS,
                             sizeof(struct uthread) + uthread_running_size());
        if (status != OK) {
            container_refund(container, CONTAINER_THREADS, 1);
        }
    }
    return status;
}

static void
uthread_refund_running(struct container *container)
{
    container_refund(container, CONTAINER_THREADS, 1);
    container_refund(container, CONTAINER_OBJECTS, uthread_running_size());
}

/*
 * Masks of CPUs
 */

static status_t
uthread_copy_mask(unsigned long **copyp, const unsigned long *mask)
{
    size_t size = BITMAP_LONGS(cpu_nr_possible) * sizeof(*mask);

    *copyp = NULL;
    if (mask == NULL) {
        return OK;
    }
    *copyp = kmalloc(size);
    if (*copyp == NULL) {
        return ERR_NO_MEMORY;
    }
    memcpy(*copyp, mask, size);
    return OK;
}

/*
 * Beginning
 */

/* Count threads, on the CPU that makes or ends them. */
static void
uthread_count(int difference)
{
    int *count;

    preempt_disable();
    count = percpu_this(uthread_counts);
    WRITE_ONCE(*count, *count + difference);
    preempt_enable();
}

uint32_t
uthread_nr(void)
{
    int sum = 0;

    for (uint32_t i = 0; i < cpu_nr_possible; i++) {
        sum += READ_ONCE(*percpu_ptr(uthread_counts, i));
    }
    return (uint32_t)MAX(sum, 0);
}

/* Whether a task may have another thread now. */
static status_t
uthread_is_admitted_locked(const struct task *task, bool is_first)
{
    if (task->state != TASK_ALIVE) {
        return ERR_CLOSED;
    }
    return is_first && (task->has_started || task->nr_threads != 0) ? ERR_BUSY
                                                                    : OK;
}

/* Give a thread a number in its task. */
static status_t
uthread_number(struct uthread *uthread, bool is_first)
{
    struct task *task = uthread->task;
    status_t status;
    uint32_t tid;

    rtmutex_lock(&task->mutex);
    status = uthread_is_admitted_locked(task, is_first);
    if (status == OK) {
        /* Until it knows its number it is not to be found. */
        status = rcu_radix_insert_lowest(&task->threads, &kobject_none, 1,
                                         UTHREAD_TIDS_MAX, &tid);
    }
    if (status == OK) {
        uthread->tid = (int32_t)tid;
        uthread_get(uthread);
        rcu_radix_replace(&task->threads, tid, &uthread->object);
        task->nr_threads++;
        uthread_count(1);
    }
    rtmutex_unlock(&task->mutex);
    return status == ERR_RANGE ? ERR_AGAIN : status;
}

static void
uthread_init(struct uthread *uthread, struct task *task,
             const struct uthread_params *params)
{
    kobject_init(&uthread->object, &uthread_ops, params->name);
    task_get(task);
    uthread->task = task;
    uthread->tid = 0;
    uthread->thread = NULL;
    uthread->start = params->start;
    uthread->tls = params->tls;
    uthread->policy = params->policy;
    uthread->priority = params->policy == THREAD_FAIR ? 0 : params->priority;
    uthread->nr_suspended = params->is_suspended;
    uthread->is_detached = params->is_detached;
    uthread->is_joined = false;
    uthread->has_ended = false;
    uthread->status = 0;
    uthread->run_time = 0;
    waitq_init(&uthread->resumed);
    atomic_init(&uthread->doing, PORTOLAN_THREAD_READY);
    uthread->message = (struct message){ .sender = uthread };
}

/* Whether a task may have such a thread. */
static status_t
uthread_is_allowed(const struct task *task, enum thread_policy policy,
                   int priority)
{
    if (policy == THREAD_FAIR) {
        return OK;
    }
    if (priority < THREAD_PRIORITY_MIN || priority > THREAD_PRIORITY_MAX) {
        return ERR_INVALID;
    }
    return (uint32_t)priority <= task->max_priority ? OK : ERR_RANGE;
}

/* Memory for a thread that is charged for. */
static struct uthread *
uthread_alloc(const struct uthread_params *params)
{
    struct uthread *uthread = slab_alloc(&uthread_cache);

    if (uthread == NULL) {
        return NULL;
    }
    uthread->user = user_state_create();
    if (uthread->user != NULL) {
        if (uthread_copy_mask(&uthread->affinity, params->affinity) == OK) {
            return uthread;
        }
        user_state_destroy(uthread->user);
    }
    slab_free(&uthread_cache, uthread);
    return NULL;
}

status_t
uthread_create(struct uthread **uthreadp, struct task *task,
               const struct uthread_params *params)
{
    struct uthread *uthread;
    status_t status;

    status = uthread_is_allowed(task, params->policy, params->priority);
    if (status != OK) {
        return status;
    }
    if (!thread_affinity_is_possible(params->affinity)) {
        return ERR_INVALID;
    }
    status = uthread_charge(task->container);
    if (status != OK) {
        return status;
    }
    uthread = uthread_alloc(params);
    if (uthread == NULL) {
        uthread_refund_running(task->container);
        container_refund(task->container, CONTAINER_OBJECTS, sizeof(*uthread));
        return ERR_NO_MEMORY;
    }
    uthread_init(uthread, task, params);
    status = uthread_number(uthread, params->is_first);
    if (status != OK) {
        uthread_refund_running(task->container);
        user_state_destroy(uthread->user);
        uthread_put(uthread);
        return status;
    }
    *uthreadp = uthread;
    return OK;
}

static bool
uthread_may_run(const void *uthread)
{
    return READ_ONCE(((const struct uthread *)uthread)->nr_suspended) == 0;
}

/* Wait while suspended, unless the thread is to end. */
static void
uthread_stop(struct uthread *uthread)
{
    if (uthread_may_run(uthread)) {
        return;
    }
    uthread_does(PORTOLAN_THREAD_STOPPED);
    /* Who is to end is seen to before user mode. */
    (void)waitq_wait_for_or_end(&uthread->resumed, uthread_may_run, uthread,
                                CLOCK_NEVER);
    uthread_does(PORTOLAN_THREAD_READY);
}

void
uthread_work(void)
{
    struct thread *thread = thread_self();
    unsigned int work;

    work = atomic_fetch_and(&thread->user_work, ~UTHREAD_WORK_STOP);
    if (work & THREAD_WORK_END) {
        uthread_exit(0);
    }
    uthread_stop(thread->uthread);
}

void
uthread_adopt(struct uthread *uthread)
{
    struct vm_space *space = uthread->task->space;

    thread_self()->uthread = uthread;
    pass_begin();
    uthread->message.thread = thread_self();
    msg_buffer_set(&uthread->message.send, space, 0, 0);
    msg_buffer_set(&uthread->message.reply, space, 0, 0);
    msg_buffer_set(&uthread->to, space, 0, 0);
    uthread->receiver = (struct message_receiver){ .thread = thread_self(),
                                                   .to = &uthread->to };
}

/* What the kernel's thread does. */
static void
uthread_main(void *arg)
{
    struct uthread *uthread = arg;
    status_t status;

    uthread_adopt(uthread);
    user_begin(uthread->user);
    status = user_set_tls(uthread->tls);
    if (status != OK || thread_is_ending()) {
        uthread_exit(0);
    }
    uthread_stop(uthread);
    user_enter(&uthread->start);
}

/* Make the kernel's thread. */
static status_t
uthread_start_locked(struct uthread *uthread)
{
    struct thread_attr attr = {
        .policy = uthread->policy,
        .priority = uthread->priority,
        .space = uthread->task->space,
        .affinity = uthread->affinity,
    };
    char name[KOBJECT_NAME_SIZE];
    struct thread *thread;

    kobject_copy_name(&uthread->object, name);
    thread = thread_create(name, uthread_main, uthread, &attr);
    if (thread == NULL) {
        return ERR_NO_MEMORY;
    }
    thread_detach(thread);
    uthread_get(uthread);
    uthread->thread = thread;
    uthread->task->has_started = true;
    if (uthread->task->state != TASK_ALIVE) {
        thread_request_end(thread);
    }
    return OK;
}

status_t
uthread_start(struct uthread *uthread)
{
    struct task *task = uthread->task;
    status_t status;
    bool is_first;

    rtmutex_lock(&task->mutex);
    is_first = !task->has_started;
    status = uthread_start_locked(uthread);
    rtmutex_unlock(&task->mutex);
    if (status == OK && is_first) {
        task_note_start(task);
    }
    return status;
}

/*
 * End
 */

/*
 * The task has one thread less; the last one ends it, if it has begun to run.
 *
 * Returns: the task is to be finished
 */
static bool
uthread_leave_task(struct uthread *uthread, long status)
{
    struct task *task = uthread->task;
    bool is_last;

    rtmutex_lock(&task->mutex);
    if (uthread->thread != NULL) {
        uthread->run_time = thread_run_time(uthread->thread);
        task->end.run_time += uthread->run_time;
    }
    uthread->thread = NULL;
    uthread->status = status;
    WRITE_ONCE(uthread->has_ended, true);
    if (uthread->is_detached) {
        rcu_radix_remove(&task->threads, (uint32_t)uthread->tid);
        uthread_put(uthread);
    }
    uthread_count(-1);
    is_last = --task->nr_threads == 0;
    if (is_last && task->state == TASK_ALIVE && task->has_started) {
        WRITE_ONCE(task->state, TASK_ENDING);
        task->end.cause = PORTOLAN_TASK_EXITED;
        task->end.pid = task->pid;
    }
    is_last = is_last && task->state != TASK_ALIVE;
    rtmutex_unlock(&task->mutex);
    uthread_refund_running(task->container);
    return is_last;
}

/* All that follows from a thread's end, for others. */
static void
uthread_end(struct uthread *uthread, long status)
{
    struct task *task = uthread->task;

    /* It sends no more; what is kept for who joins it needs no number. */
    rcvid_release(&uthread->message.rcvid);
    if (uthread_leave_task(uthread, status)) {
        task_finish(task);
    } else {
        waitq_wake_all(&task->ends);
    }
}

void
uthread_cancel(struct uthread *uthread)
{
    user_state_destroy(uthread->user);
    rtmutex_lock(&uthread->task->mutex);
    uthread->is_detached = true;
    rtmutex_unlock(&uthread->task->mutex);
    uthread_end(uthread, 0);
}

void
uthread_exit(long status)
{
    struct uthread *self = uthread_self();

    user_end();
    user_state_destroy(self->user);
    space_use(NULL);
    uthread_end(self, status);
    thread_self()->uthread = NULL;
    uthread_put(self);
    thread_exit();
}

/*
 * Look-up
 */

struct uthread *
uthread_find(struct task *task, int32_t tid)
{
    struct kobject *object;

    if (tid <= 0 || (uint32_t)tid >= UTHREAD_TIDS_MAX) {
        return NULL;
    }
    rcu_read_lock();
    object = rcu_radix_find(&task->threads, (uint32_t)tid);
    if (object != NULL && !kobject_try_get(object)) {
        object = NULL;
    }
    rcu_read_unlock();
    return object != NULL ? uthread_of_object(object) : NULL;
}

struct uthread *
uthread_next_locked(struct task *task, uint32_t tid)
{
    struct kobject *object;
    uint32_t key;

    assert(rtmutex_is_owned(&task->mutex));
    object = rcu_radix_find_next(&task->threads, tid, &key);
    return object != NULL ? uthread_of_object(object) : NULL;
}

struct uthread *
uthread_find_next(struct task *task, int32_t tid)
{
    struct uthread *uthread;

    rtmutex_lock(&task->mutex);
    uthread = uthread_next_locked(task, tid > 0 ? (uint32_t)tid : 1);
    if (uthread != NULL) {
        uthread_get(uthread);
    }
    rtmutex_unlock(&task->mutex);
    return uthread;
}

/*
 * Joining
 */

/* Be the one who waits.  Returns: ERR_INVALID: there is another one, or none */
static status_t
uthread_begin_join(struct uthread *uthread)
{
    struct task *task = uthread->task;
    status_t status = ERR_INVALID;

    rtmutex_lock(&task->mutex);
    if (!uthread->is_detached && !uthread->is_joined) {
        uthread->is_joined = true;
        status = OK;
    }
    rtmutex_unlock(&task->mutex);
    return status;
}

/* Forget it and tell what it ended with, or let somebody else wait. */
static void
uthread_end_join(struct uthread *uthread, status_t status, long *statusp)
{
    struct task *task = uthread->task;
    uint32_t tid = (uint32_t)uthread->tid;
    bool is_mine = false;

    rtmutex_lock(&task->mutex);
    if (status != OK) {
        uthread->is_joined = false;
    } else {
        *statusp = uthread->status;
        is_mine = rcu_radix_find(&task->threads, tid) == &uthread->object;
        if (is_mine) {
            rcu_radix_remove(&task->threads, tid);
        }
    }
    rtmutex_unlock(&task->mutex);
    if (is_mine) {
        uthread_put(uthread);
    }
}

static bool
uthread_has_ended(const void *uthread)
{
    return READ_ONCE(((const struct uthread *)uthread)->has_ended);
}

status_t
uthread_join(struct uthread *uthread, long *statusp, uint64_t deadline)
{
    status_t status = uthread_begin_join(uthread);

    if (status != OK) {
        return status;
    }
    status = waitq_wait_for_or_end(&uthread->task->ends, uthread_has_ended,
                                   uthread, deadline);
    uthread_end_join(uthread, status, statusp);
    return status;
}

/*
 * What others do to it
 */

status_t
uthread_suspend(struct uthread *uthread)
{
    struct task *task = uthread->task;
    status_t status = ERR_OVERFLOW;

    rtmutex_lock(&task->mutex);
    if (uthread->nr_suspended != UINT32_MAX) {
        WRITE_ONCE(uthread->nr_suspended, uthread->nr_suspended + 1);
        status = OK;
        if (uthread->thread != NULL) {
            thread_request_work(uthread->thread, UTHREAD_WORK_STOP);
        }
    }
    rtmutex_unlock(&task->mutex);
    return status;
}

status_t
uthread_resume(struct uthread *uthread)
{
    struct task *task = uthread->task;
    status_t status = ERR_STATE;

    rtmutex_lock(&task->mutex);
    if (uthread->nr_suspended != 0) {
        WRITE_ONCE(uthread->nr_suspended, uthread->nr_suspended - 1);
        status = OK;
    }
    rtmutex_unlock(&task->mutex);
    waitq_wake_all(&uthread->resumed);
    return status;
}

static status_t
uthread_set_policy_locked(struct uthread *uthread, enum thread_policy policy,
                          int priority)
{
    status_t status = uthread_is_allowed(uthread->task, policy, priority);

    if (status != OK) {
        return status;
    }
    uthread->policy = policy;
    uthread->priority = policy == THREAD_FAIR ? 0 : priority;
    return uthread->thread != NULL
               ? thread_set_policy(uthread->thread, policy, priority)
               : OK;
}

status_t
uthread_set_policy(struct uthread *uthread, enum thread_policy policy,
                   int priority)
{
    struct task *task = uthread->task;
    status_t status;

    rtmutex_lock(&task->mutex);
    status = uthread_set_policy_locked(uthread, policy, priority);
    rtmutex_unlock(&task->mutex);
    return status;
}

status_t
uthread_set_priority(struct uthread *uthread, int priority)
{
    struct task *task = uthread->task;
    status_t status;

    rtmutex_lock(&task->mutex);
    status = uthread_set_policy_locked(uthread, uthread->policy, priority);
    rtmutex_unlock(&task->mutex);
    return status;
}

void
uthread_get_policy(struct uthread *uthread, enum thread_policy *policy,
                   int *priority)
{
    struct task *task = uthread->task;

    rtmutex_lock(&task->mutex);
    *policy = uthread->policy;
    *priority = uthread->priority;
    rtmutex_unlock(&task->mutex);
}

status_t
uthread_set_affinity(struct uthread *uthread, const unsigned long *mask)
{
    struct task *task = uthread->task;
    unsigned long *copy, *old = NULL;
    status_t status;

    /* A thread that has ended, or did not begin, is not asked. */
    if (!thread_affinity_is_possible(mask)) {
        return ERR_INVALID;
    }
    status = uthread_copy_mask(&copy, mask);
    if (status != OK) {
        return status;
    }
    rtmutex_lock(&task->mutex);
    if (uthread->thread != NULL) {
        status = thread_set_affinity(uthread->thread, mask);
    }
    if (status == OK) {
        old = uthread->affinity;
        uthread->affinity = copy;
        copy = NULL;
    }
    rtmutex_unlock(&task->mutex);
    kfree(old);
    kfree(copy);
    return status;
}

bool
uthread_get_affinity(struct uthread *uthread, unsigned long *mask)
{
    struct task *task = uthread->task;
    bool is_limited;
    uint32_t cpu;

    rtmutex_lock(&task->mutex);
    is_limited = uthread->affinity != NULL;
    if (is_limited) {
        bitmap_copy(mask, uthread->affinity, cpu_nr_possible);
    } else {
        cpu_for_each (cpu) {
            bitmap_set(mask, cpu);
        }
    }
    rtmutex_unlock(&task->mutex);
    return is_limited;
}

/* Whether a thread runs that waits for nothing; one that is held does. */
static bool
uthread_runs(enum thread_state state)
{
    return state == THREAD_RUNNING || state == THREAD_HELD;
}

/* What it does, as far as the kernel's thread tells. */
static uint32_t
uthread_state_locked(const struct uthread *uthread)
{
    enum portolan_thread_state doing;

    if (uthread->has_ended) {
        return PORTOLAN_THREAD_DEAD;
    }
    doing = atomic_load_explicit(&uthread->doing, memory_order_relaxed);
    if (doing == PORTOLAN_THREAD_READY && uthread->thread != NULL &&
        uthread_runs(READ_ONCE(uthread->thread->state))) {
        return PORTOLAN_THREAD_RUNNING;
    }
    return doing;
}

void
uthread_describe(struct uthread *uthread, struct portolan_thread_info *info)
{
    struct task *task = uthread->task;

    *info =
        (struct portolan_thread_info){ .pid = task->pid, .tid = uthread->tid };
    kobject_copy_name(&uthread->object, info->name);
    rtmutex_lock(&task->mutex);
    info->state = uthread_state_locked(uthread);
    info->policy = (int32_t)uthread->policy;
    info->priority = uthread->priority;
    info->nr_suspended = uthread->nr_suspended;
    info->run_time = uthread->run_time;
    if (uthread->thread != NULL) {
        info->now_priority = thread_priority(uthread->thread);
        info->cpu =
            atomic_load_explicit(&uthread->thread->cpu, memory_order_relaxed);
        info->run_time = thread_run_time(uthread->thread);
    }
    rtmutex_unlock(&task->mutex);
}

static status_t
uthread_setup(void)
{
    slab_cache_init(&uthread_cache, "user thread", sizeof(struct uthread),
                    _Alignof(struct uthread), 0);
    return OK;
}

INIT_OP(uthread_setup, INIT_BOOT_CPU, AFTER(slab_setup));
