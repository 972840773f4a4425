/* SPDX-License-Identifier: MIT */
/*
 * What functions of system calls have in common: names of the calling
 * program's rights, and its memory.
 *
 * Context of all: the thread of a program in a call, preemptible, interrupts
 * enabled, no lock held.  Errors are numbers that the call returns.
 */
#ifndef IPC_CALL_USE_H
#define IPC_CALL_USE_H

#include <stddef.h>
#include <stdint.h>

#include <ipc/call_error.h>
#include <ipc/kobject.h>
#include <ipc/port.h>
#include <ipc/right.h>
#include <ipc/task.h>
#include <lib/macros.h>

/* A right's name that stands for something of the caller's own. */
#define CALL_SELF ((uint32_t)PORTOLAN_SELF)

/*
 * Find a right to an object of a kind, and take a reference to the object.
 *
 * Returns: 0; CALL_EBADF: there is no such right, or to something else
 */
long call_get_object(uint32_t name, enum kobject_kind kind,
                     struct kobject **objectp) __must_check;

/*
 * Find a task, the caller's for CALL_SELF, and take a reference.
 *
 * Returns: 0; CALL_EBADF
 */
long call_get_task(uint32_t name, struct task **taskp) __must_check;

/*
 * Find a port by its number in a task, and take a reference.
 *
 * Returns: 0; CALL_ESRCH
 */
long call_get_port(struct task *task, int32_t chid,
                   struct port **portp) __must_check;

/*
 * Find a space, the caller's own for CALL_SELF.
 *
 * @objectp  receives what keeps it, for call_put_space()
 *
 * Returns: 0; CALL_EBADF
 */
long call_get_space(uint32_t name, struct vm_space **spacep,
                    struct kobject **objectp) __must_check;

/* Give back what call_get_space() has given.  The own space is kept by none. */
static inline void
call_put_space(struct kobject *object)
{
    if (object != NULL) {
        kobject_put(object);
    }
}

/*
 * Find a container, the caller's own for CALL_SELF, and take a reference.
 *
 * Returns: 0; CALL_EBADF
 */
long call_get_container(uint32_t name,
                        struct container **containerp) __must_check;

/* Whether a program's number can be no least name: it is negative. */
static inline bool
call_is_no_index(uint32_t index)
{
    return (int32_t)index < 0;
}

/* The least name that a number asks for: one is taken by none but by name. */
static inline uint32_t
call_index(uint32_t index)
{
    return index == PORTOLAN_SYSMGR ? index + 1 : index;
}

/*
 * Make a right to an object and enter it into the caller's table.
 *
 * @object  the caller of this keeps its reference
 * @index   the least name; from RIGHT_BASE_SIDE on a side channel
 *          call_is_no_index() is CALL_EINVAL
 * @flags   PORTOLAN_RIGHT_CLOEXEC, or 0; others are CALL_EINVAL
 *
 * Returns: the name; CALL_EMFILE, CALL_ENOMEM, CALL_EINVAL
 */
long call_enter_object(struct kobject *object, uint64_t label, uint32_t index,
                       uint32_t flags) __must_check;

/*
 * Enter a right into the caller's table; as call_enter_object().
 *
 * @right  the caller of this keeps its reference
 */
long call_enter_right(struct right *right, uint32_t index,
                      uint32_t flags) __must_check;

/*
 * Give a task a right, as its own.
 *
 * @right   the caller of this keeps its reference
 * @target  its name there, in place of what is there; CALL_SELF: any free one
 * @flags   RIGHT_...
 *
 * Returns: the name; CALL_EBADF: not a name; CALL_EMFILE; CALL_ENOMEM;
 *          CALL_ESRCH: the task ends
 */
long call_give_right(struct task *task, struct right *right, uint32_t target,
                     uint32_t flags) __must_check;

/*
 * Copy all of a struct from the program.
 *
 * Returns: 0; CALL_EFAULT
 */
long call_copy_in(void *to, uintptr_t from, size_t size) __must_check;

/* Copy to the program; as call_copy_in(). */
long call_copy_out(uintptr_t to, const void *from, size_t size) __must_check;

/* Replace characters that are not printable by '?'. */
void call_clean_name(char *name);

/*
 * Copy a name from the program; what does not fit is cut.
 *
 * @to    PORTOLAN_NAME_SIZE bytes; ends with a zero, and has printable
 *        characters only: others become '?'
 * @size  bytes at @from, a zero ends it earlier
 *
 * Returns: 0; CALL_EFAULT
 */
long call_copy_name(char *to, uintptr_t from, size_t size) __must_check;

#endif /* IPC_CALL_USE_H */
