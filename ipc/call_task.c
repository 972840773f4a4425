/* SPDX-License-Identifier: MIT */
/*
 * System calls: tasks.
 */
#include <kern/container.h>
#include <lib/string.h>
#include <ipc/call_thread.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/right_table.h>
#include <ipc/uthread.h>
#include <lib/macros.h>
#include <portolan/task.h>

/*
 * Creation
 */

/* Give a new task one right. */
static long
call_task_give(struct task *task, uintptr_t at)
{
    struct portolan_task_right wanted;
    struct right *right;
    uint32_t source;
    long result;

    result = call_copy_in(&wanted, at, sizeof(wanted));
    if (result != 0) {
        return result;
    }
    source = (uint32_t)wanted.source;
    if ((wanted.flags & ~RIGHT_FLAGS) || wanted.target < 0) {
        return CALL_EINVAL;
    }
    if (right_table_get(task_table(task_self(), source), source, &right) !=
        OK) {
        return CALL_EBADF;
    }
    result =
        call_give_right(task, right, (uint32_t)wanted.target, wanted.flags);
    right_put(right);
    return MIN(result, 0);
}

static long
call_task_give_all(struct task *task, const struct portolan_task_params *params)
{
    long error = 0;

    if (params->nr_rights > RIGHT_SLOTS_MAX) {
        return CALL_E2BIG;
    }
    for (uint32_t i = 0; i < params->nr_rights && error == 0; i++) {
        error = call_task_give(
            task, params->rights + i * sizeof(struct portolan_task_right));
        if (thread_is_ending()) {
            error = CALL_EINTR;
        }
    }
    return error;
}

/* Make it, without rights. */
static long
call_task_make(struct portolan_task_params *from, struct task **taskp)
{
    struct task *self = task_self();
    struct task_params params = { .name = from->name,
                                  .parent = self->pid,
                                  .max_priority = self->max_priority };
    status_t status;
    long error;

    from->name[sizeof(from->name) - 1] = '\0';
    call_clean_name(from->name);
    if (from->max_priority > self->max_priority) {
        return CALL_EPERM;
    }
    if (from->max_priority != 0) {
        params.max_priority = from->max_priority;
    }
    error = call_get_container((uint32_t)from->container, &params.container);
    if (error != 0) {
        return error;
    }
    task_get_credentials(self, &params.who);
    status = task_create(taskp, &params);
    container_put(params.container);
    return status == ERR_RANGE ? CALL_EAGAIN : call_error(status);
}

long
call_task_create(uintptr_t params)
{
    struct portolan_task_params wanted;
    struct task *task;
    long result;

    result = call_copy_in(&wanted, params, sizeof(wanted));
    if (result == 0) {
        result = call_task_make(&wanted, &task);
    }
    if (result != 0) {
        return result;
    }
    result = call_task_give_all(task, &wanted);
    if (result == 0) {
        result =
            call_copy_out(params + offsetof(struct portolan_task_params, pid),
                          &task->pid, sizeof(task->pid));
    }
    if (result == 0) {
        result = call_enter_object(&task->object, 0, (uint32_t)wanted.index,
                                   wanted.flags);
    }
    if (result < 0) {
        task_end(task, PORTOLAN_TASK_KILLED, 0);
    }
    task_put(task);
    return result;
}

long
call_task_start(uint32_t task, uintptr_t start)
{
    struct task *to;
    long result;

    result = call_get_task(task, &to);
    if (result == 0) {
        result = call_make_thread(to, start, true);
        task_put(to);
    }
    return result;
}

/*
 * End
 */

long
call_task_exit(int32_t status)
{
    task_end(task_self(), PORTOLAN_TASK_EXITED, status);
    return 0;
}

long
call_task_kill(uint32_t task, int32_t status)
{
    struct task *victim;
    long error;

    error = call_get_task(task, &victim);
    if (error == 0) {
        task_end(victim, PORTOLAN_TASK_KILLED, status);
        task_put(victim);
    }
    return error;
}

long
call_task_wait(uint32_t task, uintptr_t end, uint64_t deadline)
{
    struct portolan_task_end how;
    struct task *other;
    status_t status;
    long error;

    error = call_get_task(task, &other);
    if (error != 0) {
        return error;
    }
    if (other == task_self()) {
        status = ERR_STATE;
    } else {
        uthread_does(PORTOLAN_THREAD_JOIN);
        status = task_wait(other, &how, deadline);
        uthread_does(PORTOLAN_THREAD_READY);
    }
    task_put(other);
    if (status != OK) {
        return status == ERR_STATE ? CALL_EDEADLK : call_error(status);
    }
    return call_copy_out(end, &how, sizeof(how));
}

/*
 * What is told and changed
 */

long
call_task_info(uint32_t task, uintptr_t info)
{
    struct portolan_task_info told;
    struct task *other;
    long error;

    error = call_get_task(task, &other);
    if (error != 0) {
        return error;
    }
    task_describe(other, &told);
    task_put(other);
    return call_copy_out(info, &told, sizeof(told));
}

long
call_task_pid(void)
{
    return task_self()->pid;
}

/* Whether the caller acts for user 0. */
static bool
call_is_super(void)
{
    struct portolan_credentials who;

    task_get_credentials(task_self(), &who);
    return who.uid == 0;
}

long
call_task_set_credentials(uint32_t task, uintptr_t credentials)
{
    struct portolan_credentials who;
    struct task *other;
    long error;

    error = call_copy_in(&who, credentials, sizeof(who));
    if (error != 0) {
        return error;
    }
    if (who.nr_groups > PORTOLAN_GROUPS_MAX) {
        return CALL_EINVAL;
    }
    error = call_get_task(task, &other);
    if (error != 0) {
        return error;
    }
    if (call_is_super()) {
        task_set_credentials(other, &who);
    } else {
        error = CALL_EPERM;
    }
    task_put(other);
    return error;
}

/* Whether the caller may have a right to a task. */
static bool
call_may_open(struct task *task)
{
    struct portolan_credentials mine, its;

    task_get_credentials(task_self(), &mine);
    task_get_credentials(task, &its);
    return mine.uid == 0 || mine.uid == its.uid;
}

long
call_task_open(int32_t pid, uint32_t index, uint32_t flags)
{
    struct task *task = task_find(pid);
    long result;

    if (task == NULL) {
        return CALL_ESRCH;
    }
    result = call_may_open(task)
                 ? call_enter_object(&task->object, 0, index, flags)
                 : CALL_EPERM;
    task_put(task);
    return result;
}

long
call_task_set_name(uint32_t task, uintptr_t name, size_t size)
{
    char text[PORTOLAN_NAME_SIZE];
    struct task *other;
    long error;

    error = call_copy_name(text, name, size);
    if (error == 0) {
        error = call_get_task(task, &other);
    }
    if (error == 0) {
        kobject_set_name(&other->object, text);
        task_put(other);
    }
    return error;
}
