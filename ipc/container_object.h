/* SPDX-License-Identifier: MIT */
/*
 * Containers that programs make: what rights to containers refer to.
 *
 * May run concurrently: everything with everything.
 */
#ifndef IPC_CONTAINER_OBJECT_H
#define IPC_CONTAINER_OBJECT_H

#include <ipc/kobject.h>
#include <lib/macros.h>
#include <lib/status.h>

struct container;

/*
 * Keys: [c] constant once made
 */
struct container_object {
    struct kobject object;
    struct container *container; /* [c] referenced */
    struct container *parent;    /* [c] charged and referenced */
};

/* The container that an object is; it stays as long as the object. */
static inline struct container *
container_of_object(struct kobject *object)
{
    return container_of(object, struct container_object, object)->container;
}

/*
 * Make a container and its object, both charged to the parent.
 *
 * Context: thread, preemptible
 * Returns: OK, with one reference; as container_create()
 */
status_t container_object_create(struct kobject **objectp,
                                 struct container *parent,
                                 const char *name) __must_check;

#endif /* IPC_CONTAINER_OBJECT_H */
