/* SPDX-License-Identifier: MIT */
/*
 * A list of names, of a server or, in a program that was started without one,
 * of the program itself.
 */
#ifndef QNX_NAMES_H
#define QNX_NAMES_H

#include <portolan/names.h>

/*
 * Do what a message asks.
 *
 * @pid    of the sender
 * @reply  filled for PORTOLAN_NAMES_FIND
 *
 * Returns: 0, or -errno: EBUSY, the name is taken; ENOENT; ENOMEM; EINVAL, the
 *          name is empty or too long; ENOSYS, no such message
 */
int __names_do(const struct portolan_names_msg *msg, int pid,
               struct portolan_names_reply *reply);

/* Take out all names of a process. */
void __names_forget(int pid);

#endif /* QNX_NAMES_H */
