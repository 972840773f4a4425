/* SPDX-License-Identifier: MIT */
/*
 * Parts, all forms of sending, events, time-outs, threads: only compiled and
 * linked, as it is.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/iomsg.h>
#include <sys/netmgr.h>
#include <sys/neutrino.h>
#include <sys/siginfo.h>
#include <time.h>
#include <unistd.h>

static int chid;

static void *
server(void *arg)
{
    char header[8], body[100];
    struct _msg_info info;
    iov_t iov[2];
    int rcvid;

    SETIOV(&iov[0], header, sizeof header);
    SETIOV(iov + 1, body, sizeof body);
    for (;;) {
        rcvid = MsgReceivev(chid, iov, 2, &info);
        if (rcvid > 0) {
            ssize_t n = MsgRead(rcvid, body, sizeof(body), info.msglen);

            MsgWrite(rcvid, body, n > 0 ? (size_t)n : 0, 0);
            if (MsgInfo(rcvid, &info) == 0 &&
                (info.flags & _NTO_MI_UNBLOCK_REQ) != 0) {
                MsgError(rcvid, EINTR);
            } else {
                MsgReplyv(rcvid, EOK, iov, 2);
            }
        }
    }
    return arg;
}

int
main(void)
{
    struct sigevent event;
    struct sigevent by_hand = { .sigev_notify = SIGEV_PULSE };
    uint64_t timeout = 100 * 1000000ULL;
    char out[16] = "text", in[16];
    struct _server_info sinfo;
    iov_t siov[1], riov[1];
    pthread_t tid;
    int coid;

    chid = ChannelCreate(_NTO_CHF_UNBLOCK | _NTO_CHF_DISCONNECT);
    pthread_create(&tid, NULL, &server, NULL);
    coid = ConnectAttach(ND_LOCAL_NODE, getpid(), chid, _NTO_SIDE_CHANNEL,
                         _NTO_COF_CLOEXEC);
    if (coid == -1) {
        perror("ConnectAttach");
        exit(EXIT_FAILURE);
    }
    SETIOV(siov, out, sizeof(out));
    SETIOV(riov, in, sizeof(in));
    TimerTimeout(CLOCK_MONOTONIC, _NTO_TIMEOUT_SEND | _NTO_TIMEOUT_REPLY, NULL,
                 &timeout, NULL);
    if (MsgSend(coid, out, sizeof(out), in, sizeof(in)) == -1 &&
        errno == ETIMEDOUT) {
        puts("timed out");
    }
    MsgSendv(coid, siov, 1, riov, 1);
    MsgSendsv(coid, out, sizeof(out), riov, 1);
    MsgSendvs(coid, siov, 1, in, sizeof(in));
    MsgSendnc(coid, out, sizeof(out), in, sizeof(in));
    MsgSendvnc(coid, siov, 1, riov, 1);
    if (MsgSend_r(coid, out, sizeof(out), in, sizeof(in)) == -ESRVRFAULT) {
        puts("server's fault");
    }
    SIGEV_PULSE_INIT(&event, coid, SIGEV_PULSE_PRIO_INHERIT,
                     _PULSE_CODE_MINAVAIL, 7);
    by_hand.sigev_coid = coid;
    by_hand.sigev_priority = 10;
    by_hand.sigev_code = _PULSE_CODE_MAXAVAIL;
    by_hand.sigev_value.sival_long = 1L << 40;
    MsgDeliverEvent(0, &event);
    MsgDeliverEvent(0, &by_hand);
    MsgSendPulse(coid, -1, _PULSE_CODE_MINAVAIL, 42);
    ConnectServerInfo(0, coid, &sinfo);
    ConnectDetach(coid);
    ChannelDestroy(chid);
    pthread_cancel(tid);
    pthread_join(tid, NULL);
    return EXIT_SUCCESS;
}
