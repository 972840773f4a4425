/* SPDX-License-Identifier: MIT */
/*
 * name_attach() and its like.  A program asks the server behind the right it
 * was started with; the first program of a system has none there, and keeps
 * names for itself and its threads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/dispatch.h>
#include <unistd.h>

#include <portolan/calls.h>
#include <portolan/types.h>

#include "names.h"

/* Which channel a name was attached to; name_attach_t comes first. */
struct attachment {
    name_attach_t attach;
    struct portolan_names_msg msg;
};

/* Ask the server; errno, or 0. */
static int
name_ask(const struct portolan_names_msg *msg,
         struct portolan_names_reply *reply)
{
    struct portolan_right_info info;
    long result = portolan_right_query(PORTOLAN_RIGHT_BOOTSTRAP, &info);

    if (result >= 0 && info.kind == PORTOLAN_KIND_CONNECTION) {
        result = MsgSendnc_r(PORTOLAN_RIGHT_BOOTSTRAP, msg, sizeof(*msg), reply,
                             sizeof(*reply));
    } else {
        result = __names_do(msg, getpid(), reply);
    }
    return result < 0 ? (int)-result : 0;
}

/* Fill a message; errno, or 0. */
static int
name_message(struct portolan_names_msg *msg, uint16_t type, const char *name)
{
    size_t size = name == NULL ? 0 : strlen(name);

    if (size == 0 || name[0] == '/' || strstr(name, "..") != NULL) {
        return EINVAL;
    }
    if (size >= sizeof(msg->name)) {
        return ENAMETOOLONG;
    }
    memset(msg, 0, sizeof(*msg));
    msg->type = type;
    memcpy(msg->name, name, size);
    return 0;
}

/* Make the channel and have it known; errno, or 0. */
static int
name_publish(struct attachment *attachment)
{
    struct portolan_names_reply reply;
    int chid = ChannelCreate_r(_NTO_CHF_UNBLOCK | _NTO_CHF_DISCONNECT |
                               _NTO_CHF_COID_DISCONNECT);
    int error;

    if (chid < 0) {
        return -chid;
    }
    attachment->attach.chid = chid;
    attachment->attach.mntid = -1;
    attachment->msg.chid = chid;
    error = name_ask(&attachment->msg, &reply);
    if (error != 0) {
        ChannelDestroy_r(chid);
    }
    return error;
}

name_attach_t *
name_attach(dispatch_t *dpp, const char *path, unsigned int flags)
{
    struct attachment *attachment;

    (void)flags;
    if (dpp != NULL) {
        errno = ENOSYS;
        return NULL;
    }
    attachment = calloc(1, sizeof(*attachment));
    if (attachment == NULL) {
        return NULL;
    }
    errno = name_message(&attachment->msg, PORTOLAN_NAMES_ADD, path);
    if (errno == 0) {
        errno = name_publish(attachment);
    }
    if (errno != 0) {
        free(attachment);
        return NULL;
    }
    return &attachment->attach;
}

int
name_detach(name_attach_t *attach, unsigned int flags)
{
    struct attachment *attachment = (struct attachment *)attach;
    struct portolan_names_reply reply;
    int error;

    if (attach == NULL) {
        errno = EINVAL;
        return -1;
    }
    attachment->msg.type = PORTOLAN_NAMES_REMOVE;
    error = name_ask(&attachment->msg, &reply);
    if (error == 0 && (flags & NAME_FLAG_DETACH_SAVEDPP) == 0) {
        error = -ChannelDestroy_r(attach->chid);
    }
    free(attachment);
    errno = error;
    return error == 0 ? 0 : -1;
}

int
name_open(const char *name, int flags)
{
    struct portolan_names_msg msg;
    struct portolan_names_reply reply;

    (void)flags;
    errno = name_message(&msg, PORTOLAN_NAMES_FIND, name);
    if (errno == 0) {
        errno = name_ask(&msg, &reply);
    }
    if (errno != 0) {
        return -1;
    }
    return ConnectAttach(ND_LOCAL_NODE, reply.pid, reply.chid,
                         _NTO_SIDE_CHANNEL, 0);
}

int
name_close(int coid)
{
    return ConnectDetach(coid);
}
