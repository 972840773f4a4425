/* SPDX-License-Identifier: MIT */
/*
 * Spaces of tasks: what rights to spaces refer to.
 *
 * A task's space has one such object from when it is first asked for.  The
 * object keeps the space; but what is mapped there goes with the task, so who
 * has a right to it has nothing but an empty space then.
 *
 * May run concurrently: everything with everything.
 */
#ifndef IPC_SPACE_OBJECT_H
#define IPC_SPACE_OBJECT_H

#include <ipc/kobject.h>
#include <ipc/task.h>
#include <lib/macros.h>
#include <lib/status.h>

struct container;
struct vm_space;

/*
 * Keys: [c] constant once made
 */
struct space_object {
    struct kobject object;
    struct vm_space *space;      /* [c] referenced */
    struct container *container; /* [c] charged and referenced */
};

/* The space that an object is; it stays as long as the object. */
static inline struct vm_space *
space_of_object(struct kobject *object)
{
    return container_of(object, struct space_object, object)->space;
}

/*
 * Find or make the object of a task's space.
 *
 * @objectp  receives it, with a reference
 *
 * Context: thread, preemptible; the caller has a reference to the task
 * Returns: OK; ERR_CLOSED: the task ends; ERR_NO_MEMORY
 */
status_t space_object_get(struct task *task,
                          struct kobject **objectp) __must_check;

#endif /* IPC_SPACE_OBJECT_H */
