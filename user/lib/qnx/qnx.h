/* SPDX-License-Identifier: MIT */
/*
 * What the functions of <sys/neutrino.h> have in common.
 */
#ifndef QNX_H
#define QNX_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <portolan/calls.h>

/*
 * What TimerTimeout() has asked of the next call.
 *
 * Keys: all of the thread itself
 */
struct qnx_timeout {
    uint32_t states; /* PORTOLAN_MSG_TIMEOUT_..., 0: nothing */
    uint64_t deadline;
};

struct _msg_info64;

extern __thread struct qnx_timeout __qnx_timeout
    __attribute__((visibility("hidden")));

/* Set errno to -@error; -1. */
__attribute__((visibility("hidden"))) long __qnx_failed(long error);

/* The way of functions that set errno: @result of a call. */
static inline long
qnx_result(long result)
{
    return __builtin_expect(result < 0, 0) ? __qnx_failed(result) : result;
}

/*
 * MsgSend(), MsgSendnc() and MsgReceive() with all that may be asked besides;
 * the plain ones are in fast.S.
 */
long __qnx_send_slow(int coid, const void *smsg, size_t sbytes, void *rmsg,
                     size_t rbytes);
long __qnx_sendnc_slow(int coid, const void *smsg, size_t sbytes, void *rmsg,
                       size_t rbytes);
long __qnx_receive_slow(int chid, void *msg, size_t bytes,
                        struct _msg_info64 *info);

/* Take the timeout, if any: options for a call in @options, else NULL. */
static inline struct portolan_msg_options *
qnx_options(struct portolan_msg_options *options)
{
    if (__qnx_timeout.states == 0) {
        return NULL;
    }
    *options = (struct portolan_msg_options){
        .states = __qnx_timeout.states,
        .timeout = __qnx_timeout.deadline,
    };
    __qnx_timeout.states = 0;
    return options;
}

#endif /* QNX_H */
