/* SPDX-License-Identifier: MIT */
#include <lib/macros.h>
#include <ipc/call_error.h>

static const short call_errors[STATUS_NR] = {
    [OK] = 0,
    [ERR_NO_MEMORY] = CALL_ENOMEM,
    [ERR_INVALID] = CALL_EINVAL,
    [ERR_RANGE] = CALL_EINVAL,
    [ERR_NOT_FOUND] = CALL_ENOENT,
    [ERR_EXISTS] = CALL_EEXIST,
    [ERR_BUSY] = CALL_EBUSY,
    [ERR_TIMEOUT] = CALL_ETIMEDOUT,
    [ERR_CLOSED] = CALL_ESRCH,
    [ERR_STATE] = CALL_EINVAL,
    [ERR_OVERFLOW] = CALL_EOVERFLOW,
    [ERR_TRUNCATED] = CALL_ENOEXEC,
    [ERR_CHECKSUM] = CALL_EIO,
    [ERR_FORMAT] = CALL_ENOEXEC,
    [ERR_UNSUPPORTED] = CALL_EOPNOTSUPP,
    [ERR_IO] = CALL_EIO,
    [ERR_FAULT] = CALL_EFAULT,
    [ERR_ACCESS] = CALL_EACCES,
    [ERR_AGAIN] = CALL_EAGAIN,
    [ERR_INTERRUPTED] = CALL_EINTR,
};

enum call_error
call_error(status_t status)
{
    return call_errors[status];
}

enum call_error
call_right_error(status_t status)
{
    switch (status) {
    case ERR_NOT_FOUND:
        return CALL_EBADF;
    case ERR_RANGE:
        return CALL_EMFILE;
    default:
        return call_error(status);
    }
}
