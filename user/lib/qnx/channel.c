/* SPDX-License-Identifier: MIT */
/*
 * Channels and connections.
 */
#include <string.h>
#include <sys/neutrino.h>

#include <portolan/calls.h>

#include "qnx.h"

_Static_assert(sizeof(struct _server_info) ==
                   sizeof(struct portolan_server_info),
               "passed on");

int
ChannelCreate_r(unsigned int flags)
{
    return (int)portolan_channel_create(flags, NULL, 0);
}

int
ChannelCreate(unsigned int flags)
{
    return (int)qnx_result(ChannelCreate_r(flags));
}

int
ChannelDestroy_r(int chid)
{
    return (int)portolan_channel_destroy(chid);
}

int
ChannelDestroy(int chid)
{
    return (int)qnx_result(ChannelDestroy_r(chid));
}

int
ConnectAttach_r(uint32_t nd, pid_t pid, int chid, unsigned int index, int flags)
{
    if (nd != ND_LOCAL_NODE) {
        return -EHOSTUNREACH;
    }
    return (int)portolan_connect_attach(pid, chid, (int)index, (uint32_t)flags);
}

int
ConnectAttach(uint32_t nd, pid_t pid, int chid, unsigned int index, int flags)
{
    return (int)qnx_result(ConnectAttach_r(nd, pid, chid, index, flags));
}

int
ConnectDetach_r(int coid)
{
    return (int)portolan_connect_detach(coid);
}

int
ConnectDetach(int coid)
{
    return (int)qnx_result(ConnectDetach_r(coid));
}

int
ConnectFlags_r(pid_t pid, int coid, unsigned int mask, unsigned int bits)
{
    return (int)portolan_connect_flags(pid, coid, mask, bits);
}

int
ConnectFlags(pid_t pid, int coid, unsigned int mask, unsigned int bits)
{
    return (int)qnx_result(ConnectFlags_r(pid, coid, mask, bits));
}

int
ConnectServerInfo_r(pid_t pid, int coid, struct _server_info *info)
{
    struct portolan_server_info server;
    long result = portolan_connect_server_info(pid, coid, &server);

    if (result >= 0) {
        memcpy(info, &server, sizeof(*info));
    }
    return (int)result;
}

int
ConnectServerInfo(pid_t pid, int coid, struct _server_info *info)
{
    return (int)qnx_result(ConnectServerInfo_r(pid, coid, info));
}

int
ConnectClientInfo_r(int scoid, struct _client_info *info, int ngroups)
{
    struct portolan_client_info client;
    const struct portolan_credentials *who = &client.credentials;
    long result = portolan_connect_client_info(scoid, &client);

    if (result < 0) {
        return (int)result;
    }
    *info = (struct _client_info){
        .nd = client.nd,
        .pid = client.pid,
        .sid = client.pid,
        .flags = client.flags,
        .cred = { .ruid = who->uid,
                  .euid = who->uid,
                  .suid = who->uid,
                  .rgid = who->gid,
                  .egid = who->gid,
                  .sgid = who->gid,
                  .ngroups = who->nr_groups },
    };
    for (int i = 0; i < ngroups && i < (int)who->nr_groups; i++) {
        info->cred.grouplist[i] = who->groups[i];
    }
    return 0;
}

int
ConnectClientInfo(int scoid, struct _client_info *info, int ngroups)
{
    return (int)qnx_result(ConnectClientInfo_r(scoid, info, ngroups));
}
