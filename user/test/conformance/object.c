/* SPDX-License-Identifier: MIT */
/*
 * Lines 6, 8 and 20: numbers of channels, connections and messages, those that
 * are none, and who a message says it is from.
 */
#include <string.h>
#include <unistd.h>

#include <portolan/calls.h>
#include <portolan/spawn.h>

#include "client.h"

TEST(rcvid, second_reply_fails)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid };
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_EQ(MsgReply(rcvid, 0, NULL, 0), 0);
    EXPECT_ERRNO(MsgReply(rcvid, 0, NULL, 0), ESRCH);
    EXPECT_EQ(client_join(&client), 0);
    EXPECT_ERRNO(MsgReply(rcvid, 0, NULL, 0), ESRCH);
    EXPECT_ERRNO(MsgError(rcvid, EINTR), ESRCH);
    channel_close(&channel);
}

TEST(rcvid, is_of_no_use_after_the_reply)
{
    struct channel channel = channel_open(0);
    char reply[8];
    struct client client = { .coid = channel.coid,
                             .smsg = "12345678",
                             .sbytes = 8,
                             .rmsg = reply,
                             .rbytes = 8 };
    struct _msg_info info;
    char buffer[8];
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_EQ(MsgReply(rcvid, 0, NULL, 0), 0);
    EXPECT_ERRNO(MsgRead(rcvid, buffer, 8, 0), ESRCH);
    EXPECT_ERRNO(MsgWrite(rcvid, buffer, 8, 0), ESRCH);
    EXPECT_ERRNO(MsgInfo(rcvid, &info), ESRCH);
    client_join(&client);
    channel_close(&channel);
}

TEST(rcvid, of_no_message_fails)
{
    EXPECT_ERRNO(MsgReply(0, 0, NULL, 0), ESRCH);
    EXPECT_ERRNO(MsgReply(-1, 0, NULL, 0), ESRCH);
    EXPECT_ERRNO(MsgReply(0x7fffffff, 0, NULL, 0), ESRCH);
    EXPECT_ERRNO(MsgError(0, EINTR), ESRCH);
}

TEST(rcvid, old_one_does_not_mean_the_next_message)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid };
    int old, rcvid;

    client_start(&client);
    old = MsgReceive(channel.chid, NULL, 0, NULL);
    MsgReply(old, 0, NULL, 0);
    client_join(&client);
    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_ERRNO(MsgReply(old, 1, NULL, 0), ESRCH);
    EXPECT_EQ(MsgReply(rcvid, 2, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 2);
    channel_close(&channel);
}

/*
 * A server that says hello, receives a message, tells its rcvid, and replies
 * when the second such telling is answered.
 */
PEER(rcvid_server, argc, argv)
{
    struct hello hello = { .chid = hello_send() };

    (void)argc;
    (void)argv;
    hello.rcvid = MsgReceive(hello.chid, NULL, 0, NULL);
    MsgSend(PEER_COID, &hello, sizeof(hello), NULL, 0);
    MsgSend(PEER_COID, &hello, sizeof(hello), NULL, 0);
    return MsgReply(hello.rcvid, 9, NULL, 0) == 0 ? 0 : 1;
}

TEST(rcvid, of_another_process_fails)
{
    struct channel channel = channel_open(0);
    int task = peer_start("rcvid_server", channel.coid, NULL);
    struct hello hello;
    int coid = hello_receive(channel.chid, &hello);
    struct client client = { .coid = coid };
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, &hello, sizeof(hello), NULL);
    EXPECT(hello.rcvid > 0);
    EXPECT_EQ(MsgReply(rcvid, 0, NULL, 0), 0);
    /* The server sends again and waits, so its client does. */
    EXPECT_ERRNO(MsgReply(hello.rcvid, 1, NULL, 0), ESRCH);
    EXPECT_ERRNO(MsgError(hello.rcvid, EINTR), ESRCH);
    rcvid = MsgReceive(channel.chid, &hello, sizeof(hello), NULL);
    EXPECT_EQ(MsgReply(rcvid, 0, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 9);
    EXPECT_EQ(portolan_spawn_wait(task), 0);
    ConnectDetach(coid);
    channel_close(&channel);
}

TEST(coid, that_is_none_cannot_be_sent_to)
{
    struct channel channel = channel_open(0);

    channel_close(&channel);
    EXPECT_ERRNO(MsgSend(-1, NULL, 0, NULL, 0), EBADF);
    EXPECT_ERRNO(MsgSend(12345, NULL, 0, NULL, 0), EBADF);
    EXPECT_ERRNO(MsgSend(channel.coid, NULL, 0, NULL, 0), EBADF);
    EXPECT_ERRNO(MsgSend(0x7fffffff, NULL, 0, NULL, 0), EBADF);
}

TEST(coid, is_bad_after_its_detach)
{
    struct channel channel = channel_open(0);
    int coid = ConnectAttach(0, 0, channel.chid, _NTO_SIDE_CHANNEL, 0);

    EXPECT_EQ(ConnectDetach(coid), 0);
    EXPECT_ERRNO(MsgSend(coid, NULL, 0, NULL, 0), EBADF);
    channel_close(&channel);
}

TEST(coid, second_detach_fails)
{
    struct channel channel = channel_open(0);
    int coid = ConnectAttach(0, 0, channel.chid, _NTO_SIDE_CHANNEL, 0);

    EXPECT_EQ(ConnectDetach(coid), 0);
    EXPECT_ERRNO(ConnectDetach(coid), EINVAL);
    EXPECT_ERRNO(ConnectDetach(-1), EINVAL);
    channel_close(&channel);
}

TEST(chid, that_is_none_cannot_be_received_on)
{
    struct channel channel = channel_open(0);

    channel_close(&channel);
    EXPECT_ERRNO(MsgReceive(channel.chid, NULL, 0, NULL), ESRCH);
    EXPECT_ERRNO(MsgReceive(12345, NULL, 0, NULL), ESRCH);
    EXPECT_ERRNO(MsgReceive(0, NULL, 0, NULL), ESRCH);
}

TEST(chid, that_is_none_cannot_be_destroyed)
{
    struct channel channel = channel_open(0);

    channel_close(&channel);
    EXPECT_ERRNO(ChannelDestroy(channel.chid), EINVAL);
    EXPECT_ERRNO(ChannelDestroy(12345), EINVAL);
    EXPECT_ERRNO(ChannelDestroy(-1), EINVAL);
}

TEST(chid, that_is_none_cannot_be_attached_to)
{
    struct channel channel = channel_open(0);

    channel_close(&channel);
    EXPECT_ERRNO(ConnectAttach(0, 0, channel.chid, _NTO_SIDE_CHANNEL, 0),
                 ESRCH);
    EXPECT_ERRNO(ConnectAttach(0, 0, 12345, _NTO_SIDE_CHANNEL, 0), ESRCH);
}

TEST(chid, of_a_process_that_is_none_cannot_be_attached_to)
{
    EXPECT_ERRNO(ConnectAttach(0, 0x7ffffff, 1, _NTO_SIDE_CHANNEL, 0), ESRCH);
}

TEST(chid, with_flags_that_are_none_is_not_made)
{
    EXPECT_ERRNO(ChannelCreate(0xffffffff), EINVAL);
}

/* The first channel of a process. */
PEER(first_channel, argc, argv)
{
    (void)argc;
    (void)argv;
    return ChannelCreate(0);
}

TEST(chid, first_one_of_a_process_is_1)
{
    struct channel channel = channel_open(0);

    EXPECT_EQ(portolan_spawn_wait(
                  peer_start("first_channel", channel.coid, NULL)),
              1);
    channel_close(&channel);
}

TEST(coid, side_channels_are_above_the_process_managers)
{
    struct channel channel = channel_open(0);
    int coid = ConnectAttach(0, 0, channel.chid, _NTO_SIDE_CHANNEL, 0);

    EXPECT(channel.coid > _NTO_SIDE_CHANNEL);
    EXPECT(coid > _NTO_SIDE_CHANNEL);
    EXPECT(coid != channel.coid);
    ConnectDetach(coid);
    channel_close(&channel);
}

TEST(coid, lowest_free_descriptor_from_an_index)
{
    struct channel channel = channel_open(0);
    int coids[3];

    for (int i = 0; i < 3; i++) {
        coids[i] = ConnectAttach(0, 0, channel.chid, 100, 0);
        EXPECT_EQ(coids[i], 100 + i);
    }
    ConnectDetach(coids[1]);
    EXPECT_EQ(ConnectAttach(0, 0, channel.chid, 100, 0), 101);
    EXPECT_EQ(ConnectAttach(0, 0, channel.chid, 101, 0), 103);
    for (int coid = 100; coid < 104; coid++) {
        EXPECT_EQ(ConnectDetach(coid), 0);
    }
    channel_close(&channel);
}

TEST(coid, lowest_free_side_channel_from_an_index)
{
    struct channel channel = channel_open(0);
    unsigned int index = _NTO_SIDE_CHANNEL + 100;

    EXPECT_EQ(ConnectAttach(0, 0, channel.chid, index, 0), index);
    EXPECT_EQ(ConnectAttach(0, 0, channel.chid, index, 0), index + 1);
    EXPECT_EQ(ConnectDetach((int)index), 0);
    EXPECT_EQ(ConnectAttach(0, 0, channel.chid, index, 0), index);
    EXPECT_EQ(ConnectDetach((int)index), 0);
    EXPECT_EQ(ConnectDetach((int)index + 1), 0);
    channel_close(&channel);
}

/* Send on a coid and detach it; what its server is told. */
static struct _msg_info
coid_info(int chid, int coid)
{
    struct client client = { .coid = coid };
    struct _msg_info info = { .coid = 0 };
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(chid, NULL, 0, &info);
    MsgReply(rcvid, 0, NULL, 0);
    EXPECT_EQ(client_join(&client), 0);
    EXPECT_EQ(info.tid, client.tid);
    EXPECT_EQ(ConnectDetach(coid), 0);
    return info;
}

TEST(coid, descriptor_and_side_channel_work_alike)
{
    struct channel channel = channel_open(0);
    int side = ConnectAttach(0, 0, channel.chid, _NTO_SIDE_CHANNEL, 0);
    int descriptor = ConnectAttach(0, 0, channel.chid, 50, 0);

    EXPECT_EQ(coid_info(channel.chid, side).coid, side);
    EXPECT_EQ(coid_info(channel.chid, descriptor).coid, descriptor);
    channel_close(&channel);
}

TEST(coid, duplicate_goes_to_the_same_channel)
{
    struct channel channel = channel_open(0);
    int descriptor = ConnectAttach(0, 0, channel.chid, 50, 0);
    int other = dup(descriptor);

    EXPECT(other >= 0);
    EXPECT_EQ(close(descriptor), 0);
    EXPECT_EQ(coid_info(channel.chid, other).coid, other);
    channel_close(&channel);
}

TEST(info, tells_the_sender_and_the_channel)
{
    struct channel channel = channel_open(0);
    int coid = ConnectAttach(0, 0, channel.chid, _NTO_SIDE_CHANNEL, 0);
    struct _msg_info info = coid_info(channel.chid, coid);

    EXPECT_EQ(info.nd, ND_LOCAL_NODE);
    EXPECT_EQ(info.pid, getpid());
    EXPECT_EQ(info.chid, channel.chid);
    EXPECT_EQ(info.coid, coid);
    EXPECT(info.scoid > 0);
    channel_close(&channel);
}

TEST(info, scoid_is_the_same_for_all_connections_of_a_process)
{
    struct channel channel = channel_open(0);
    int coid = ConnectAttach(0, 0, channel.chid, _NTO_SIDE_CHANNEL, 0);
    int other = ConnectAttach(0, 0, channel.chid, 60, 0);

    EXPECT_EQ(coid_info(channel.chid, coid).scoid,
              coid_info(channel.chid, other).scoid);
    channel_close(&channel);
}

/* Sends its coid and tid once by each of two connections. */
PEER(info_sender, argc, argv)
{
    struct hello hello = { .pid = getpid(),
                           .tid = (int)portolan_thread_self() };
    int other = dup(PEER_COID);

    (void)argc;
    (void)argv;
    hello.chid = PEER_COID;
    MsgSend(PEER_COID, &hello, sizeof(hello), NULL, 0);
    hello.chid = other;
    return (int)MsgSend(other, &hello, sizeof(hello), NULL, 0);
}

TEST(info, tells_processes_apart)
{
    struct channel channel = channel_open(0);
    int own = ConnectAttach(0, 0, channel.chid, _NTO_SIDE_CHANNEL, 0);
    int scoid = coid_info(channel.chid, own).scoid, first = 0;
    int task = peer_start("info_sender", channel.coid, NULL);

    for (int i = 0; i < 2; i++) {
        struct _msg_info info;
        struct hello hello;
        int rcvid = MsgReceive(channel.chid, &hello, sizeof(hello), &info);

        EXPECT(info.pid != getpid());
        EXPECT_EQ(info.pid, hello.pid);
        EXPECT_EQ(info.tid, hello.tid);
        EXPECT_EQ(info.coid, hello.chid);
        EXPECT(info.scoid != scoid);
        EXPECT(i == 0 || info.scoid == first);
        first = info.scoid;
        MsgReply(rcvid, 0, NULL, 0);
    }
    EXPECT_EQ(portolan_spawn_wait(task), 0);
    channel_close(&channel);
}

TEST(info, is_told_again_while_the_client_waits)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .smsg = "12345678",
                             .sbytes = 8 };
    struct _msg_info first, second;
    int rcvid;

    memset(&second, 0, sizeof(second));
    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, &first);
    EXPECT_EQ(MsgInfo(rcvid, &second), 0);
    EXPECT_EQ(second.pid, first.pid);
    EXPECT_EQ(second.tid, first.tid);
    EXPECT_EQ(second.scoid, first.scoid);
    EXPECT_EQ(second.coid, first.coid);
    EXPECT_EQ(second.srcmsglen, 8);
    MsgReply(rcvid, 0, NULL, 0);
    client_join(&client);
    channel_close(&channel);
}
