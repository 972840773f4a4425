/* SPDX-License-Identifier: MIT */
/*
 * Starting programs: static, position-independent ELF files in memory objects,
 * boot modules for instance.
 */
#ifndef PORTOLAN_SPAWN_H
#define PORTOLAN_SPAWN_H

#include <stddef.h>

#include <portolan/space.h>
#include <portolan/task.h>

/* What is to be started. */
struct portolan_spawn {
    int memory;        /* right to the file */
    size_t size;       /* its bytes */
    const char *name;  /* of the task, cut if it is too long */
    char *const *argv; /* NULL at the end */
    char *const *envp; /* the same; NULL: none */
    const struct portolan_task_right *rights;
    size_t nr_rights;
    int container; /* right; PORTOLAN_SELF: that of the caller */
};

/*
 * Start a program in a new task: at random addresses, nothing both writable
 * and executable, a guard below its stack.
 *
 * Returns: a right to the task; -errno: ENOEXEC, the file is no such program;
 *          E2BIG; what the calls return
 */
int portolan_spawn(const struct portolan_spawn *how);

/*
 * Find a boot module by name.
 *
 * @bootstrap  the right to what the machine brought
 * @info       receives what is known of it
 *
 * Returns: a right to its memory; -ENOENT; what the calls return
 */
int portolan_module_find(int bootstrap, const char *name,
                         struct portolan_module_info *info);

/*
 * Wait for the end of a task, and give the right to it up.
 *
 * Returns: its exit status, 128 and more if it was killed; -errno
 */
int portolan_spawn_wait(int task);

#endif /* PORTOLAN_SPAWN_H */
