/* SPDX-License-Identifier: MIT */
/*
 * What happens when a program comes back from user mode: calls, exceptions,
 * work before it goes there again.
 */
#include <arch/user.h>
#include <kern/init.h>
#include <kern/log.h>
#include <ipc/call.h>
#include <ipc/task.h>
#include <ipc/uthread.h>
#include <lib/status.h>

/* Functions of a program that are told when it is ended. */
#define HOOKS_TRACE_MAX 16

/* One line that says why, and where it came from. */
static void
hooks_report(const struct user_exception *exception)
{
    struct uthread *uthread = uthread_self();
    uintptr_t trace[HOOKS_TRACE_MAX];
    size_t nr;

    log_error("task: %s (%d) thread %d: %s at %#lx, address %#lx (%s): killed",
              uthread->task->object.name, uthread->task->pid, uthread->tid,
              exception->name, exception->pc, exception->addr,
              status_string(exception->status));
    nr = user_backtrace(trace, HOOKS_TRACE_MAX, exception->frame);
    for (size_t i = 0; i < nr; i++) {
        log_error("task: %s (%d) #%zu %#lx", uthread->task->object.name,
                  uthread->task->pid, i, trace[i]);
    }
}

static void
hooks_exception(const struct user_exception *exception)
{
    hooks_report(exception);
    task_end(task_self(), PORTOLAN_TASK_EXCEPTION, (int32_t)exception->kind);
}

static const struct user_hooks hooks = {
    .calls = call_table,
    .nr_calls = PORTOLAN_NR_CALLS,
    .exception = hooks_exception,
    .work = uthread_work,
};

static status_t
hooks_setup(void)
{
    user_hooks_register(&hooks);
    return OK;
}

INIT_OP(hooks_setup, INIT_BOOT_CPU, AFTER(uthread_setup), AFTER(task_setup));
