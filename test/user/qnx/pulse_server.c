/* SPDX-License-Identifier: MIT */
/*
 * A server in the style of QNX's manual: a channel by name_attach(), pulses,
 * connect messages, unblock requests.  Only compiled, as it is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/dispatch.h>
#include <sys/neutrino.h>

#define ATTACH_POINT  "myname"
#define MY_PULSE_CODE (_PULSE_CODE_MINAVAIL + 5)

typedef struct _pulse msg_header_t;

typedef struct _my_data {
    msg_header_t hdr;
    int data;
} my_data_t;

int
main(int argc, char *argv[])
{
    name_attach_t *attach;
    my_data_t msg;
    struct _msg_info info;
    int rcvid;

    (void)argc;
    if ((attach = name_attach(NULL, ATTACH_POINT, 0)) == NULL) {
        fprintf(stderr, "%s: name_attach: %s\n", argv[0], strerror(errno));
        return EXIT_FAILURE;
    }
    while (1) {
        rcvid = MsgReceive(attach->chid, &msg, sizeof(msg), &info);
        if (rcvid == -1) {
            break;
        }
        if (rcvid == 0) {
            switch (msg.hdr.code) {
            case _PULSE_CODE_DISCONNECT:
                ConnectDetach(msg.hdr.scoid);
                break;
            case _PULSE_CODE_UNBLOCK:
                MsgError(msg.hdr.value.sival_int, -1);
                break;
            case _PULSE_CODE_COIDDEATH:
            case _PULSE_CODE_THREADDEATH:
                break;
            case MY_PULSE_CODE:
                printf("value %d\n", msg.hdr.value.sival_int);
                break;
            default:
                break;
            }
            continue;
        }
        if (msg.hdr.type == _IO_CONNECT) {
            MsgReply(rcvid, EOK, NULL, 0);
            continue;
        }
        if (msg.hdr.type > _IO_BASE && msg.hdr.type <= _IO_MAX) {
            MsgError(rcvid, ENOSYS);
            continue;
        }
        printf("nd %u pid %d tid %d chid %d scoid %d coid %d prio %d "
               "flags %d len %zd of %zd, reply %zd\n",
               info.nd, info.pid, info.tid, info.chid, info.scoid, info.coid,
               info.priority, info.flags, info.msglen, info.srcmsglen,
               info.dstmsglen);
        MsgReply(rcvid, EOK, 0, 0);
    }
    name_detach(attach, 0);
    return EXIT_SUCCESS;
}
