/* SPDX-License-Identifier: MIT */
/*
 * The kernel's console as a port: what the first program reads from and writes
 * to.  It is served by threads of the kernel, with the messages of
 * <portolan/io.h>.
 */
#ifndef IPC_CONSOLE_PORT_H
#define IPC_CONSOLE_PORT_H

#include <ipc/right.h>
#include <ipc/task.h>
#include <lib/status.h>

/*
 * Begin to serve.
 *
 * Context: thread, preemptible; once
 * Returns: OK; ERR_NO_MEMORY
 */
status_t console_port_begin(void);

/*
 * Make a right of a task to the console.
 *
 * Context: thread, preemptible; after console_port_begin()
 * Returns: as connection_right()
 */
status_t console_port_right(struct task *task,
                            struct right **rightp) __must_check;

#endif /* IPC_CONSOLE_PORT_H */
