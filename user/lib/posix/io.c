/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: they are rights, most of them connections, whose servers get
 * QNX's messages for input and output.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <portolan/calls.h>
#include <portolan/io.h>

#include "posix.h"

/* Parts that go in one message; the rest is not read or written. */
#define IO_PARTS 16

/* What the kernel calls the object behind the first descriptors. */
#define IO_CONSOLE "console"

_Static_assert(sizeof(struct iovec) == sizeof(struct portolan_iov), "the same");

/* Fill parts from @iov; the bytes in them. */
static size_t
io_parts(struct portolan_iov *parts, const struct iovec *iov, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        parts[i].base = (uintptr_t)iov[i].iov_base;
        parts[i].size = iov[i].iov_len;
        total += iov[i].iov_len;
    }
    return total;
}

/* The first part: what is wanted. */
static void
io_head(struct portolan_io_rw *head, struct portolan_iov *part, uint16_t type,
        size_t bytes)
{
    *head = (struct portolan_io_rw){
        .type = type,
        .combine_len = sizeof(*head),
        .nbytes = (uint32_t)bytes,
        .nbytes_hi = (uint32_t)((uint64_t)bytes >> 32),
    };
    part->base = (uintptr_t)head;
    part->size = sizeof(*head);
}

static long
io_write(int fd, const struct iovec *iov, size_t count)
{
    struct portolan_iov parts[1 + IO_PARTS];
    struct portolan_io_rw head;

    count = count < IO_PARTS ? count : IO_PARTS;
    io_head(&head, &parts[0], PORTOLAN_IO_WRITE,
            io_parts(&parts[1], iov, count));
    return portolan_msg_sendv(fd, parts, 1 + count, NULL, 0, NULL);
}

static long
io_read(int fd, const struct iovec *iov, size_t count)
{
    struct portolan_iov parts[IO_PARTS];
    struct portolan_iov first;
    struct portolan_io_rw head;

    count = count < IO_PARTS ? count : IO_PARTS;
    io_head(&head, &first, PORTOLAN_IO_READ, io_parts(parts, iov, count));
    return portolan_msg_sendv(fd, &first, 1, parts, count, NULL);
}

long
__posix_write(const long *args)
{
    struct iovec iov = { .iov_base = (void *)args[1],
                         .iov_len = (size_t)args[2] };

    return io_write((int)args[0], &iov, 1);
}

long
__posix_writev(const long *args)
{
    if (args[2] < 0) {
        return -EINVAL;
    }
    return io_write((int)args[0], (const struct iovec *)args[1],
                    (size_t)args[2]);
}

long
__posix_read(const long *args)
{
    struct iovec iov = { .iov_base = (void *)args[1],
                         .iov_len = (size_t)args[2] };

    return io_read((int)args[0], &iov, 1);
}

long
__posix_readv(const long *args)
{
    if (args[2] < 0) {
        return -EINVAL;
    }
    return io_read((int)args[0], (const struct iovec *)args[1],
                   (size_t)args[2]);
}

long
__posix_lseek(const long *args)
{
    struct portolan_right_info info;
    long error = portolan_right_query((int)args[0], &info);

    return error < 0 ? error : -ESPIPE;
}

long
__posix_ioctl(const long *args)
{
    struct winsize *size = (struct winsize *)args[2];
    struct portolan_right_info info;
    long error = portolan_right_query((int)args[0], &info);

    if (error < 0) {
        return error;
    }
    if (args[1] != TIOCGWINSZ || strcmp(info.name, IO_CONSOLE) != 0) {
        return -ENOTTY;
    }
    *size = (struct winsize){ .ws_row = 25, .ws_col = 80 };
    return 0;
}

long
__posix_close(const long *args)
{
    return portolan_right_close((int)args[0]);
}

long
__posix_dup(const long *args)
{
    return portolan_right_dup((int)args[0], 0, 0);
}

long
__posix_dup2(const long *args)
{
    struct portolan_right_info info;

    if (args[0] == args[1]) {
        long error = portolan_right_query((int)args[0], &info);

        return error < 0 ? error : args[1];
    }
    return portolan_right_dup_to((int)args[0], (int)args[1], 0);
}

long
__posix_dup3(const long *args)
{
    if (args[0] == args[1] || (args[2] & ~(long)O_CLOEXEC) != 0) {
        return -EINVAL;
    }
    return portolan_right_dup_to((int)args[0], (int)args[1],
                                 (args[2] & O_CLOEXEC) != 0
                                     ? PORTOLAN_RIGHT_CLOEXEC
                                     : 0);
}

/* F_GETFD and F_SETFD. */
static long
io_flags(int fd, uint32_t mask, long flags)
{
    uint32_t bits = (flags & FD_CLOEXEC) != 0 ? PORTOLAN_RIGHT_CLOEXEC : 0;
    long before = portolan_right_set_flags(fd, mask, bits);

    if (before < 0) {
        return before;
    }
    return (before & PORTOLAN_RIGHT_CLOEXEC) != 0 ? FD_CLOEXEC : 0;
}

long
__posix_fcntl(const long *args)
{
    struct portolan_right_info info;
    int fd = (int)args[0];
    long result;

    switch (args[1]) {
    case F_DUPFD:
        return portolan_right_dup(fd, (int)args[2], 0);
    case F_DUPFD_CLOEXEC:
        return portolan_right_dup(fd, (int)args[2], PORTOLAN_RIGHT_CLOEXEC);
    case F_GETFD:
        return io_flags(fd, 0, 0);
    case F_SETFD:
        result = io_flags(fd, PORTOLAN_RIGHT_CLOEXEC, args[2]);
        return result < 0 ? result : 0;
    case F_GETFL:
        result = portolan_right_query(fd, &info);
        return result < 0 ? result : O_RDWR;
    default:
        return -EINVAL;
    }
}
