/* SPDX-License-Identifier: MIT */
/*
 * Rights that go with a message or a reply.
 *
 * Who gives has references to them from the beginning of his call, so what
 * becomes of their names does not matter; who gets has names reserved before
 * anything is given.  So the transfer is all or nothing, and nobody finds a
 * part of it.  Connections become the receiver's own, with the label of the
 * right.
 *
 * Each side has a struct msg_rights in the kernel; programs' arrays are read
 * and written at the beginning and at the end of a call by their own thread.
 */
#ifndef IPC_MSG_RIGHTS_H
#define IPC_MSG_RIGHTS_H

#include <stdint.h>

#include <ipc/right.h>
#include <ipc/task.h>
#include <lib/macros.h>
#include <portolan/msg.h>

struct msg_right {
    struct right *right; /* referenced */
    uint32_t name;
    uint32_t flags; /* PORTOLAN_MSG_RIGHT_... */
};

/*
 * What a call gives, and what it gets: its thread's, or while that waits for a
 * reply, of whom the message is.
 */
struct msg_rights {
    uint32_t nr_given;
    uint32_t nr_taken; /* of those, that the other side got */
    uint32_t max_got;
    uint32_t nr_got;
    struct msg_right given[PORTOLAN_MSG_RIGHTS_MAX];
    struct portolan_msg_right got[PORTOLAN_MSG_RIGHTS_MAX];
};

/*
 * Read what the calling program wants to give.
 *
 * @options  not to be changed by others meanwhile
 * @rightsp  receives NULL if it neither gives nor takes
 *
 * Context: the thread of a program, preemptible
 * Returns: 0, msg_rights_end() has to follow; CALL_EINVAL: more than
 *          PORTOLAN_MSG_RIGHTS_MAX, or unknown flags; CALL_EBADF; CALL_EFAULT;
 *          CALL_ENOMEM
 */
long msg_rights_begin(struct msg_rights **rightsp,
                      const struct portolan_msg_options *options) __must_check;

/*
 * Tell the program what it got, close what it gave away, and free.
 *
 * @options  address of the program's struct
 *
 * Context: the thread of a program, preemptible
 * Returns: 0; CALL_EFAULT: what it got is there, but it is not told
 */
long msg_rights_end(struct msg_rights *rights, uintptr_t options,
                    const struct portolan_msg_options *from);

/*
 * Give what one side gives to the other: all for which there is room, or, if
 * not even one of those can be had, nothing.
 *
 * @from, @into  NULL: that side does not want to
 * @to           the task that gets it
 *
 * Context: thread, preemptible, no lock held; both structs are the caller's
 */
void msg_rights_give(struct msg_rights *from, struct msg_rights *into,
                     struct task *to);

/*
 * Close what a task got, for a message that was given up.  Its sender, who is
 * to end or is told of a failure, has lost what it moved.
 *
 * Context: as msg_rights_give()
 */
void msg_rights_take_back(struct msg_rights *into, struct task *to);

#endif /* IPC_MSG_RIGHTS_H */
