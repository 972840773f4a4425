/* SPDX-License-Identifier: MIT */
/*
 * MsgSend() and all of its forms.
 *
 * The first way through is for a thread that cannot be cancelled and has no
 * timeout: nothing but the call.  All else is in the second.  The first way of
 * MsgSend() and MsgSendnc() is in fast.S.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/neutrino.h>

#include <portolan/calls.h>

#include "qnx.h"

/* NULL in programs that cancel no threads. */
extern __typeof__(pthread_cancel) pthread_cancel __attribute__((weak));

_Static_assert(sizeof(iov_t) == sizeof(struct portolan_iov), "passed on");
_Static_assert(offsetof(iov_t, iov_len) == offsetof(struct portolan_iov, size),
               "passed on");

/* A message with parts on both sides; iov[1], on the stack, if it has none. */
struct send {
    int coid;
    const iov_t *siov;
    size_t sparts;
    const iov_t *riov;
    size_t rparts;
};

static bool
send_is_plain(bool may_cancel)
{
    return (!may_cancel || &pthread_cancel == NULL) &&
           __qnx_timeout.states == 0;
}

/*
 * Send, and again as often as the server says ERESTART.
 *
 * Returns: the status, -errno
 */
static __attribute__((noinline)) long
send_slow(const struct send *send, bool may_cancel)
{
    struct portolan_msg_options room;
    struct portolan_msg_options *options = qnx_options(&room);
    long result;

    do {
        if (may_cancel) {
            pthread_testcancel();
        }
        result = portolan_msg_sendv(
            send->coid, (const struct portolan_iov *)send->siov, send->sparts,
            (const struct portolan_iov *)send->riov, send->rparts, options);
    } while (result == -ERESTART);
    if (result == -EINTR && may_cancel) {
        pthread_testcancel();
    }
    return result;
}

/* Send parts and get parts. */
static inline long
send_parts(struct send send, bool may_cancel)
{
    long result = -ERESTART;

    if (__builtin_expect(send_is_plain(may_cancel), 1)) {
        result = portolan_msg_sendv(
            send.coid, (const struct portolan_iov *)send.siov, send.sparts,
            (const struct portolan_iov *)send.riov, send.rparts, NULL);
    }
    return result == -ERESTART ? send_slow(&send, may_cancel) : result;
}

long
MsgSend_r(int coid, const void *smsg, size_t sbytes, void *rmsg, size_t rbytes)
{
    iov_t siov = { .iov_base = (void *)(uintptr_t)smsg, .iov_len = sbytes };
    iov_t riov = { .iov_base = rmsg, .iov_len = rbytes };

    return send_parts((struct send){ coid, &siov, 1, &riov, 1 }, true);
}

long
__qnx_send_slow(int coid, const void *smsg, size_t sbytes, void *rmsg,
                size_t rbytes)
{
    return qnx_result(MsgSend_r(coid, smsg, sbytes, rmsg, rbytes));
}

long
MsgSendnc_r(int coid, const void *smsg, size_t sbytes, void *rmsg,
            size_t rbytes)
{
    iov_t siov = { .iov_base = (void *)(uintptr_t)smsg, .iov_len = sbytes };
    iov_t riov = { .iov_base = rmsg, .iov_len = rbytes };

    return send_parts((struct send){ coid, &siov, 1, &riov, 1 }, false);
}

long
__qnx_sendnc_slow(int coid, const void *smsg, size_t sbytes, void *rmsg,
                  size_t rbytes)
{
    return qnx_result(MsgSendnc_r(coid, smsg, sbytes, rmsg, rbytes));
}

long
MsgSendsv_r(int coid, const void *smsg, size_t sbytes, const iov_t *riov,
            size_t rparts)
{
    iov_t siov = { .iov_base = (void *)(uintptr_t)smsg, .iov_len = sbytes };

    return send_parts((struct send){ coid, &siov, 1, riov, rparts }, true);
}

long
MsgSendsv(int coid, const void *smsg, size_t sbytes, const iov_t *riov,
          size_t rparts)
{
    return qnx_result(MsgSendsv_r(coid, smsg, sbytes, riov, rparts));
}

long
MsgSendvs_r(int coid, const iov_t *siov, size_t sparts, void *rmsg,
            size_t rbytes)
{
    iov_t riov = { .iov_base = rmsg, .iov_len = rbytes };

    return send_parts((struct send){ coid, siov, sparts, &riov, 1 }, true);
}

long
MsgSendvs(int coid, const iov_t *siov, size_t sparts, void *rmsg, size_t rbytes)
{
    return qnx_result(MsgSendvs_r(coid, siov, sparts, rmsg, rbytes));
}

long
MsgSendv_r(int coid, const iov_t *siov, size_t sparts, const iov_t *riov,
           size_t rparts)
{
    return send_parts((struct send){ coid, siov, sparts, riov, rparts }, true);
}

long
MsgSendv(int coid, const iov_t *siov, size_t sparts, const iov_t *riov,
         size_t rparts)
{
    return qnx_result(MsgSendv_r(coid, siov, sparts, riov, rparts));
}

long
MsgSendsvnc_r(int coid, const void *smsg, size_t sbytes, const iov_t *riov,
              size_t rparts)
{
    iov_t siov = { .iov_base = (void *)(uintptr_t)smsg, .iov_len = sbytes };

    return send_parts((struct send){ coid, &siov, 1, riov, rparts }, false);
}

long
MsgSendsvnc(int coid, const void *smsg, size_t sbytes, const iov_t *riov,
            size_t rparts)
{
    return qnx_result(MsgSendsvnc_r(coid, smsg, sbytes, riov, rparts));
}

long
MsgSendvsnc_r(int coid, const iov_t *siov, size_t sparts, void *rmsg,
              size_t rbytes)
{
    iov_t riov = { .iov_base = rmsg, .iov_len = rbytes };

    return send_parts((struct send){ coid, siov, sparts, &riov, 1 }, false);
}

long
MsgSendvsnc(int coid, const iov_t *siov, size_t sparts, void *rmsg,
            size_t rbytes)
{
    return qnx_result(MsgSendvsnc_r(coid, siov, sparts, rmsg, rbytes));
}

long
MsgSendvnc_r(int coid, const iov_t *siov, size_t sparts, const iov_t *riov,
             size_t rparts)
{
    return send_parts((struct send){ coid, siov, sparts, riov, rparts }, false);
}

long
MsgSendvnc(int coid, const iov_t *siov, size_t sparts, const iov_t *riov,
           size_t rparts)
{
    return qnx_result(MsgSendvnc_r(coid, siov, sparts, riov, rparts));
}
