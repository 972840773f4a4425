/* SPDX-License-Identifier: MIT */
/*
 * What system calls return for errors: -errno, with Linux's numbers.
 */
#ifndef IPC_CALL_ERROR_H
#define IPC_CALL_ERROR_H

#include <lib/status.h>
#include <portolan/types.h>

enum call_error {
    CALL_EPERM = -1,
    CALL_ENOENT = -2,
    CALL_ESRCH = -3,
    CALL_EINTR = -4,
    CALL_EIO = -5,
    CALL_ENXIO = -6,
    CALL_E2BIG = -7,
    CALL_ENOEXEC = -8,
    CALL_EBADF = -9,
    CALL_EAGAIN = -11,
    CALL_ENOMEM = -12,
    CALL_EACCES = -13,
    CALL_EFAULT = -14,
    CALL_EBUSY = -16,
    CALL_EEXIST = -17,
    CALL_EINVAL = -22,
    CALL_EMFILE = -24,
    CALL_ERANGE = -34,
    CALL_EDEADLK = -35,
    CALL_ENAMETOOLONG = -36,
    CALL_ENOSYS = -38,
    CALL_EOVERFLOW = -75,
    CALL_ERESTART = -PORTOLAN_ERESTART,
    CALL_EOPNOTSUPP = -95,
    CALL_ETIMEDOUT = -110,
    CALL_ESRVRFAULT = -PORTOLAN_ESRVRFAULT,
};

/*
 * The usual number of a status; calls for which it means something else say
 * so themselves.
 */
enum call_error call_error(status_t status);

/* The same for names in tables of rights: EBADF, and EMFILE for no room. */
enum call_error call_right_error(status_t status);

#endif /* IPC_CALL_ERROR_H */
