/* SPDX-License-Identifier: MIT */
/*
 * The server of names.
 */
#include <errno.h>
#include <sys/neutrino.h>

#include <portolan/names.h>

#include "names.h"

union names_request {
    struct _pulse pulse;
    struct portolan_names_msg msg;
};

/* A client is gone, and so are its names. */
static void
names_pulse(const struct _pulse *pulse)
{
    struct _client_info client;

    if (pulse->code != _PULSE_CODE_DISCONNECT) {
        return;
    }
    if (ConnectClientInfo(pulse->scoid, &client, 0) == 0) {
        __names_forget(client.pid);
    }
    ConnectDetach(pulse->scoid);
}

int
portolan_names_serve(int chid)
{
    union names_request request;
    struct portolan_names_reply reply;
    struct _msg_info info;
    int rcvid, error;

    for (;;) {
        rcvid = MsgReceive(chid, &request, sizeof(request), &info);
        if (rcvid < 0 && errno != EINTR && errno != EFAULT) {
            return -1;
        }
        if (rcvid == 0) {
            names_pulse(&request.pulse);
        }
        if (rcvid <= 0) {
            continue;
        }
        error = info.msglen < (ssize_t)sizeof(request.msg)
                    ? -EINVAL
                    : __names_do(&request.msg, info.pid, &reply);
        if (error < 0) {
            MsgError(rcvid, -error);
        } else {
            MsgReply(rcvid, 0, &reply, sizeof(reply));
        }
    }
}
