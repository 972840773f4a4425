/* SPDX-License-Identifier: MIT */
/*
 * Memory objects of programs: what rights to memory refer to.
 *
 * Who has a right may map the object as far as it allows, and see what it is;
 * mappings do not need the right any more.
 *
 * May run concurrently: everything with everything.
 */
#ifndef IPC_MEMORY_OBJECT_H
#define IPC_MEMORY_OBJECT_H

#include <stdint.h>

#include <ipc/kobject.h>
#include <lib/macros.h>
#include <lib/status.h>
#include <portolan/space.h>

struct container;
struct vm_object;

/*
 * Keys: [c] constant once made
 */
struct memory_object {
    struct kobject object;
    struct vm_object *memory;    /* [c] referenced */
    uint32_t flags;              /* [c] PORTOLAN_MEMORY_... */
    struct container *container; /* [c] charged and referenced */
};

/* The memory that an object is; it stays as long as the object. */
static inline struct vm_object *
memory_of_object(struct kobject *object)
{
    return container_of(object, struct memory_object, object)->memory;
}

/*
 * Make an object of memory, which gives it its name.
 *
 * @memory     if OK, the caller's reference becomes the object's
 * @flags      PORTOLAN_MEMORY_..., for those who ask
 * @container  charged for the struct; referenced
 *
 * Context: thread, preemptible
 * Returns: OK, with one reference; ERR_NO_MEMORY
 */
status_t memory_object_create(struct kobject **objectp,
                              struct vm_object *memory, uint32_t flags,
                              struct container *container) __must_check;

/* Describe an object.  Context: thread */
void memory_object_describe(struct kobject *object,
                            struct portolan_memory_info *info);

#endif /* IPC_MEMORY_OBJECT_H */
