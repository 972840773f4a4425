/* SPDX-License-Identifier: MIT */
/*
 * System calls: threads.
 */
#include <arch/cpu.h>
#include <arch/user.h>
#include <arch/user_copy.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <lib/bitmap.h>
#include <lib/string.h>
#include <ipc/call_thread.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/futex.h>
#include <ipc/uthread.h>
#include <lib/macros.h>
#include <vm/space.h>

static_assert((int)THREAD_FAIR == PORTOLAN_SCHED_FAIR &&
                  (int)THREAD_FIFO == PORTOLAN_SCHED_FIFO &&
                  (int)THREAD_RR == PORTOLAN_SCHED_RR,
              "programs know them");

/*
 * The fast path
 */

long
call_null(void)
{
    return 0;
}

long
call_thread_yield(void)
{
    cpu_irq_enable();
    thread_yield();
    return 0;
}

/*
 * Masks of CPUs, of any size
 */

static size_t
call_mask_size(void)
{
    return BITMAP_LONGS(cpu_nr_possible) * sizeof(unsigned long);
}

/*
 * Copy a mask from the program, to be freed.  What it does not say is zero;
 * what it says of CPUs that cannot be is left out.
 */
static long
call_copy_mask(unsigned long **maskp, uintptr_t from, size_t size)
{
    size_t last = BITMAP_LONGS(cpu_nr_possible) - 1;
    unsigned long *mask = kzalloc(call_mask_size());

    *maskp = mask;
    if (mask == NULL) {
        return CALL_ENOMEM;
    }
    if (call_copy_in(mask, from, MIN(size, call_mask_size())) != 0) {
        kfree(mask);
        return CALL_EFAULT;
    }
    mask[last] &= bitmap_word_mask(cpu_nr_possible, last);
    return 0;
}

/* The mask of the caller, to be freed; NULL: it may run anywhere. */
static long
call_inherit_mask(unsigned long **maskp)
{
    unsigned long *mask = kzalloc(call_mask_size());

    if (mask == NULL) {
        return CALL_ENOMEM;
    }
    if (!uthread_get_affinity(uthread_self(), mask)) {
        kfree(mask);
        mask = NULL;
    }
    *maskp = mask;
    return 0;
}

/*
 * Creation
 */

/* The policy that a number means. */
static long
call_thread_policy(int32_t policy, enum thread_policy *policyp)
{
    switch (policy) {
    case PORTOLAN_SCHED_FAIR:
    case PORTOLAN_SCHED_FIFO:
    case PORTOLAN_SCHED_RR:
        *policyp = (enum thread_policy)policy;
        return 0;
    default:
        return CALL_EINVAL;
    }
}

/* How a new thread is to be scheduled: as the caller, as far as it may. */
static void
call_inherit_policy(const struct task *task, struct uthread_params *params)
{
    uthread_get_policy(uthread_self(), &params->policy, &params->priority);
    if (params->policy == THREAD_FAIR) {
        return;
    }
    params->priority = MIN(params->priority, (int)task->max_priority);
    if (params->priority < THREAD_PRIORITY_MIN) {
        params->policy = THREAD_FAIR;
    }
}

/* What uthread_create() and uthread_start() say. */
static long
call_thread_error(status_t status)
{
    return status == ERR_RANGE ? CALL_EPERM : call_error(status);
}

/* Make a thread, tell its number, and have it run. */
static long
call_thread_run(struct task *task, const struct uthread_params *params,
                uintptr_t tidp)
{
    struct uthread *uthread;
    status_t status;
    int32_t tid;
    long error = 0;

    status = uthread_create(&uthread, task, params);
    if (status != OK) {
        return call_thread_error(status);
    }
    tid = uthread->tid;
    if (tidp != 0) {
        error = call_copy_out(tidp, &tid, sizeof(tid));
    }
    if (error == 0) {
        error = call_thread_error(uthread_start(uthread));
    }
    if (error != 0) {
        uthread_cancel(uthread);
    }
    uthread_put(uthread);
    return error != 0 ? error : tid;
}

/* Fill in what a program says, but for name and affinity. */
static long
call_thread_params(const struct task *task,
                   const struct portolan_thread_params *from,
                   struct uthread_params *params)
{
    if (from->flags & ~(PORTOLAN_THREAD_DETACHED | PORTOLAN_THREAD_SUSPENDED)) {
        return CALL_EINVAL;
    }
    if (from->tls >= USER_END) {
        return CALL_EINVAL;
    }
    params->start = (struct user_start){
        .pc = from->pc,
        .sp = from->sp,
        .args = { from->args[0], from->args[1], from->args[2] },
    };
    params->tls = from->tls;
    params->is_detached = from->flags & PORTOLAN_THREAD_DETACHED;
    params->is_suspended = from->flags & PORTOLAN_THREAD_SUSPENDED;
    if (from->policy == PORTOLAN_SCHED_SAME) {
        call_inherit_policy(task, params);
        return 0;
    }
    params->priority = from->priority;
    return call_thread_policy(from->policy, &params->policy);
}

/* The name of a new thread: as told, else that of the caller, or its task's. */
static long
call_thread_name(const struct task *task,
                 const struct portolan_thread_params *from, char *name)
{
    const struct kobject *like = task == task_self() ? &uthread_self()->object
                                                     : &task->object;

    if (from->name_size != 0) {
        return call_copy_name(name, from->name, from->name_size);
    }
    kobject_copy_name(like, name);
    return 0;
}

long
call_make_thread(struct task *task, uintptr_t params, bool is_first)
{
    struct portolan_thread_params from;
    char name[PORTOLAN_NAME_SIZE];
    struct uthread_params how = { .name = name, .is_first = is_first };
    unsigned long *mask;
    long result;

    result = call_copy_in(&from, params, sizeof(from));
    if (result == 0) {
        result = call_thread_params(task, &from, &how);
    }
    if (result == 0) {
        result = call_thread_name(task, &from, name);
    }
    if (result == 0) {
        result = from.affinity != 0
                     ? call_copy_mask(&mask, from.affinity, from.affinity_size)
                     : call_inherit_mask(&mask);
    }
    if (result != 0) {
        return result;
    }
    how.affinity = mask;
    result = call_thread_run(task, &how, from.tid);
    kfree(mask);
    return result;
}

long
call_thread_create(uintptr_t params)
{
    return call_make_thread(task_self(), params, false);
}

/*
 * End
 */

long
call_thread_exit(int64_t status, uintptr_t clear, uintptr_t unmap, size_t size)
{
    struct vm_space *space = task_self()->space;

    if (size != 0) {
        /* Nobody is there any more to be told. */
        (void)space_unmap(space, unmap, size);
    }
    if (clear != 0 && user_write_u32(clear, 0) == OK) {
        futex_wake_word(clear);
    }
    uthread_exit(status);
}

long
call_thread_join(int32_t tid, uintptr_t status, uint64_t deadline)
{
    struct uthread *uthread;
    status_t joined = ERR_STATE;
    long result = 0;

    /* Who cannot be told joins nobody: the thread would be forgotten. */
    if (status != 0 && call_copy_out(status, &result, sizeof(result)) != 0) {
        return CALL_EFAULT;
    }
    uthread = uthread_find(task_self(), tid);
    if (uthread == NULL) {
        return CALL_ESRCH;
    }
    if (uthread != uthread_self()) {
        uthread_does(PORTOLAN_THREAD_JOIN);
        joined = uthread_join(uthread, &result, deadline);
        uthread_does(PORTOLAN_THREAD_READY);
    }
    uthread_put(uthread);
    if (joined != OK) {
        return joined == ERR_STATE ? CALL_EDEADLK : call_error(joined);
    }
    return status != 0 ? call_copy_out(status, &result, sizeof(result)) : 0;
}

/*
 * Threads that are meant
 */

long
call_thread_self(void)
{
    return uthread_self()->tid;
}

/* Find a thread of a task, by number; 0: the caller. */
static long
call_get_thread_of(uint32_t task, int32_t tid, struct uthread **uthreadp)
{
    struct task *of;
    long error;

    error = call_get_task(task, &of);
    if (error != 0) {
        return error;
    }
    if (tid == 0) {
        *uthreadp = of == task_self() ? uthread_self() : NULL;
        if (*uthreadp != NULL) {
            uthread_get(*uthreadp);
        }
    } else {
        *uthreadp = uthread_find(of, tid);
    }
    task_put(of);
    return *uthreadp != NULL ? 0 : CALL_ESRCH;
}

/* Find the thread that a call means, and take a reference. */
static long
call_get_thread(uint32_t target, int32_t tid, struct uthread **uthreadp)
{
    struct kobject *object;

    if (target != CALL_SELF && tid == 0 &&
        call_get_object(target, KOBJECT_THREAD, &object) == 0) {
        *uthreadp = uthread_of_object(object);
        return 0;
    }
    return call_get_thread_of(target, tid, uthreadp);
}

long
call_thread_set_name(uint32_t target, int32_t tid, uintptr_t name, size_t size)
{
    char text[PORTOLAN_NAME_SIZE];
    struct uthread *uthread;
    long error;

    error = call_copy_name(text, name, size);
    if (error == 0) {
        error = call_get_thread(target, tid, &uthread);
    }
    if (error == 0) {
        kobject_set_name(&uthread->object, text);
        uthread_put(uthread);
    }
    return error;
}

long
call_thread_set_sched(uint32_t target, int32_t tid, int32_t policy,
                      int32_t priority)
{
    bool is_same = policy == PORTOLAN_SCHED_SAME;
    enum thread_policy wanted = THREAD_FAIR;
    struct uthread *uthread;
    status_t status;
    long error = 0;

    if (!is_same) {
        error = call_thread_policy(policy, &wanted);
    }
    if (error == 0) {
        error = call_get_thread(target, tid, &uthread);
    }
    if (error != 0) {
        return error;
    }
    status = is_same ? uthread_set_priority(uthread, priority)
                     : uthread_set_policy(uthread, wanted, priority);
    uthread_put(uthread);
    return call_thread_error(status);
}

long
call_thread_set_affinity(uint32_t target, int32_t tid, uintptr_t mask,
                         size_t bytes)
{
    struct uthread *uthread;
    unsigned long *cpus;
    long error;

    error = call_copy_mask(&cpus, mask, bytes);
    if (error != 0) {
        return error;
    }
    error = call_get_thread(target, tid, &uthread);
    if (error == 0) {
        error = call_error(uthread_set_affinity(uthread, cpus));
        uthread_put(uthread);
    }
    kfree(cpus);
    return error;
}

long
call_thread_get_affinity(uint32_t target, int32_t tid, uintptr_t mask,
                         size_t bytes)
{
    struct uthread *uthread;
    unsigned long *cpus;
    long error;

    if (bytes < DIV_ROUND_UP(cpu_nr_possible, 8)) {
        return CALL_EINVAL;
    }
    cpus = kzalloc(call_mask_size());
    if (cpus == NULL) {
        return CALL_ENOMEM;
    }
    error = call_get_thread(target, tid, &uthread);
    if (error == 0) {
        (void)uthread_get_affinity(uthread, cpus);
        uthread_put(uthread);
        bytes = MIN(bytes, call_mask_size());
        error = call_copy_out(mask, cpus, bytes);
    }
    kfree(cpus);
    return error != 0 ? error : (long)bytes;
}

long
call_thread_suspend(uint32_t target, int32_t tid)
{
    struct uthread *uthread;
    long error;

    error = call_get_thread(target, tid, &uthread);
    if (error == 0) {
        error = call_error(uthread_suspend(uthread));
        uthread_put(uthread);
    }
    return error;
}

long
call_thread_resume(uint32_t target, int32_t tid)
{
    struct uthread *uthread;
    long error;

    error = call_get_thread(target, tid, &uthread);
    if (error == 0) {
        error = call_error(uthread_resume(uthread));
        uthread_put(uthread);
    }
    return error;
}

long
call_thread_set_tls(uintptr_t base)
{
    return call_error(user_set_tls(base));
}

long
call_thread_info(uint32_t target, int32_t tid, uintptr_t info)
{
    struct portolan_thread_info told;
    struct uthread *uthread;
    long error;

    error = call_get_thread(target, tid, &uthread);
    if (error != 0) {
        return error;
    }
    uthread_describe(uthread, &told);
    uthread_put(uthread);
    return call_copy_out(info, &told, sizeof(told));
}

long
call_thread_open(uint32_t task, int32_t tid, uint32_t index, uint32_t flags)
{
    struct uthread *uthread;
    long result;

    result = call_get_thread_of(task, tid, &uthread);
    if (result == 0) {
        result = call_enter_object(&uthread->object, 0, index, flags);
        uthread_put(uthread);
    }
    return result;
}

long
call_thread_cpu(void)
{
    return (long)cpu_id();
}
