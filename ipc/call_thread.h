/* SPDX-License-Identifier: MIT */
/*
 * Threads as system calls make them.
 */
#ifndef IPC_CALL_THREAD_H
#define IPC_CALL_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include <ipc/task.h>

/*
 * Make a thread of a task, and have it run.
 *
 * @params    address of the program's struct portolan_thread_params
 * @is_first  it must be the first one
 *
 * Context: as all of call_use.h
 * Returns: its tid; CALL_EFAULT; CALL_EINVAL; CALL_EPERM: priority beyond the
 *          task's; CALL_EAGAIN: no tid is free; CALL_ENOMEM; CALL_ESRCH: the
 *          task ends; CALL_EBUSY: it is not the first
 */
long call_make_thread(struct task *task, uintptr_t params, bool is_first);

#endif /* IPC_CALL_THREAD_H */
