/* SPDX-License-Identifier: MIT */
/*
 * Receiving, replying, and what a server does with a sender's memory.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/neutrino.h>

#include <portolan/calls.h>

#include "qnx.h"

__thread struct qnx_timeout __qnx_timeout;

_Static_assert(sizeof(struct _msg_info) == sizeof(struct portolan_msg_info) &&
                   offsetof(struct _msg_info, coid) ==
                       offsetof(struct portolan_msg_info, coid) &&
                   offsetof(struct _msg_info, msglen) ==
                       offsetof(struct portolan_msg_info, msglen) &&
                   offsetof(struct _msg_info, label) ==
                       offsetof(struct portolan_msg_info, label),
               "what the kernel fills is what the program reads");
_Static_assert(sizeof(struct _pulse) == sizeof(struct portolan_pulse) &&
                   offsetof(struct _pulse, value) ==
                       offsetof(struct portolan_pulse, value) &&
                   offsetof(struct _pulse, scoid) ==
                       offsetof(struct portolan_pulse, scoid),
               "the same");

long
__qnx_failed(long error)
{
    errno = (int)-error;
    return -1;
}

/* Before a call that receives: its options in @room, or NULL. */
static struct portolan_msg_options *
receive_begin(struct portolan_msg_options *room)
{
    pthread_testcancel();
    return qnx_options(room);
}

/* After it. */
static long
receive_end(long result)
{
    if (result == -EINTR) {
        pthread_testcancel();
    }
    return result;
}

rcvid_t
MsgReceive_r(int chid, void *msg, size_t bytes, struct _msg_info *info)
{
    struct portolan_msg_options room;
    struct portolan_msg_options *options = receive_begin(&room);

    return (rcvid_t)receive_end(portolan_msg_receive(
        chid, msg, bytes, (struct portolan_msg_info *)info, options));
}

/* What MsgReceive() in fast.S leaves to others. */
long
__qnx_receive_slow(int chid, void *msg, size_t bytes, struct _msg_info *info)
{
    return qnx_result(MsgReceive_r(chid, msg, bytes, info));
}

rcvid_t
MsgReceivev_r(int chid, const iov_t *iov, size_t parts, struct _msg_info *info)
{
    struct portolan_msg_options room;
    struct portolan_msg_options *options = receive_begin(&room);

    return (rcvid_t)receive_end(
        portolan_msg_receivev(chid, (const struct portolan_iov *)iov, parts,
                              (struct portolan_msg_info *)info, options));
}

rcvid_t
MsgReceivev(int chid, const iov_t *iov, size_t parts, struct _msg_info *info)
{
    return (rcvid_t)qnx_result(MsgReceivev_r(chid, iov, parts, info));
}

int
MsgReceivePulse_r(int chid, void *pulse, size_t bytes, struct _msg_info *info)
{
    struct portolan_msg_options room;
    struct portolan_msg_options *options = receive_begin(&room);

    return (int)receive_end(portolan_msg_receive_pulse(
        chid, pulse, bytes, (struct portolan_msg_info *)info, options));
}

int
MsgReceivePulse(int chid, void *pulse, size_t bytes, struct _msg_info *info)
{
    return (int)qnx_result(MsgReceivePulse_r(chid, pulse, bytes, info));
}

/* A pulse is small: receive it to one place, then scatter it. */
int
MsgReceivePulsev_r(int chid, const iov_t *iov, size_t parts,
                   struct _msg_info *info)
{
    struct _pulse pulse;
    size_t total = 0, done = 0;
    long result;

    for (size_t i = 0; i < parts; i++) {
        total += iov[i].iov_len;
    }
    result = MsgReceivePulse_r(chid, &pulse,
                               total < sizeof(pulse) ? total : sizeof(pulse),
                               info);
    if (result < 0) {
        return (int)result;
    }
    for (size_t i = 0; i < parts && done < sizeof(pulse); i++) {
        size_t left = sizeof(pulse) - done;
        size_t size = iov[i].iov_len < left ? iov[i].iov_len : left;

        __builtin_memcpy(iov[i].iov_base, (const char *)&pulse + done, size);
        done += size;
    }
    return (int)result;
}

int
MsgReceivePulsev(int chid, const iov_t *iov, size_t parts,
                 struct _msg_info *info)
{
    return (int)qnx_result(MsgReceivePulsev_r(chid, iov, parts, info));
}

int
MsgReply_r(rcvid_t rcvid, long status, const void *msg, size_t bytes)
{
    return (int)portolan_msg_reply(rcvid, status, msg, bytes, NULL);
}

int
MsgReplyv_r(rcvid_t rcvid, long status, const iov_t *iov, size_t parts)
{
    return (int)portolan_msg_replyv(rcvid, status,
                                    (const struct portolan_iov *)iov, parts,
                                    NULL);
}

int
MsgReplyv(rcvid_t rcvid, long status, const iov_t *iov, size_t parts)
{
    return (int)qnx_result(MsgReplyv_r(rcvid, status, iov, parts));
}

int
MsgError_r(rcvid_t rcvid, int error)
{
    return (int)portolan_msg_error(rcvid, error);
}

int
MsgError(rcvid_t rcvid, int error)
{
    return (int)qnx_result(MsgError_r(rcvid, error));
}

ssize_t
MsgRead_r(rcvid_t rcvid, void *msg, size_t bytes, size_t offset)
{
    return portolan_msg_read(rcvid, msg, bytes, offset);
}

ssize_t
MsgRead(rcvid_t rcvid, void *msg, size_t bytes, size_t offset)
{
    return qnx_result(MsgRead_r(rcvid, msg, bytes, offset));
}

ssize_t
MsgReadv_r(rcvid_t rcvid, const iov_t *iov, size_t parts, size_t offset)
{
    return portolan_msg_readv(rcvid, (const struct portolan_iov *)iov, parts,
                              offset);
}

ssize_t
MsgReadv(rcvid_t rcvid, const iov_t *iov, size_t parts, size_t offset)
{
    return qnx_result(MsgReadv_r(rcvid, iov, parts, offset));
}

ssize_t
MsgWrite_r(rcvid_t rcvid, const void *msg, size_t bytes, size_t offset)
{
    return portolan_msg_write(rcvid, msg, bytes, offset);
}

ssize_t
MsgWrite(rcvid_t rcvid, const void *msg, size_t bytes, size_t offset)
{
    return qnx_result(MsgWrite_r(rcvid, msg, bytes, offset));
}

ssize_t
MsgWritev_r(rcvid_t rcvid, const iov_t *iov, size_t parts, size_t offset)
{
    return portolan_msg_writev(rcvid, (const struct portolan_iov *)iov, parts,
                               offset);
}

ssize_t
MsgWritev(rcvid_t rcvid, const iov_t *iov, size_t parts, size_t offset)
{
    return qnx_result(MsgWritev_r(rcvid, iov, parts, offset));
}

int
MsgInfo_r(rcvid_t rcvid, struct _msg_info *info)
{
    return (int)portolan_msg_info(rcvid, (struct portolan_msg_info *)info);
}

int
MsgInfo(rcvid_t rcvid, struct _msg_info *info)
{
    return (int)qnx_result(MsgInfo_r(rcvid, info));
}

int
MsgCurrent_r(rcvid_t rcvid)
{
    return (int)portolan_msg_current(rcvid);
}

int
MsgCurrent(rcvid_t rcvid)
{
    return (int)qnx_result(MsgCurrent_r(rcvid));
}
