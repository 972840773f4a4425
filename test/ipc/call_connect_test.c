/* SPDX-License-Identifier: MIT */
/*
 * What client and server are told of a connection.
 */
#include <ipc/call_error.h>
#include <ipc/calls.h>
#include <ipc/connection.h>
#include <kern/clock.h>
#include <portolan/msg.h>
#include <portolan/types.h>
#include <test/ipc/msg_pair.h>
#include <test/ipc/peer.h>

struct describe_case {
    struct msg_pair pair;
    long sent;
    int32_t scoid; /* that the server was told */
};

static long
msg_describe_client(struct peer *self)
{
    struct describe_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_server_info info;

    EXPECT_EQ(msg_pair_connect(&c->pair, 3), 3);
    EXPECT_EQ(msg_pair_connect(&c->pair, PORTOLAN_SIDE_CHANNEL),
              PORTOLAN_SIDE_CHANNEL + 1);
    EXPECT_EQ(call_connect_server_info(0, 0, memory), 3);
    verify(user_copy_in(&info, memory, sizeof(info)) == 0);
    EXPECT_EQ(info.pid, c->pair.server_task->task->pid);
    EXPECT_EQ(info.chid, c->pair.chid);
    EXPECT_EQ(info.coid, 3);
    EXPECT_EQ(info.flags, 0);
    EXPECT_EQ(call_connect_server_info(0, 4, memory),
              PORTOLAN_SIDE_CHANNEL + 1);
    EXPECT_EQ(call_connect_server_info(0, PORTOLAN_SIDE_CHANNEL + 2, memory),
              CALL_EINVAL);
    EXPECT_EQ(call_connect_flags(0, 3, PORTOLAN_RIGHT_CLOEXEC,
                                 PORTOLAN_RIGHT_CLOEXEC),
              0);
    EXPECT_EQ(call_connect_flags(0, 3, PORTOLAN_RIGHT_CLOEXEC, 0),
              PORTOLAN_RIGHT_CLOEXEC);
    c->sent = PEER_FAST(call_msg_send(3, 0, 0, 0, 0, 0));
    return 0;
}

static long
msg_describe_server(struct peer *self)
{
    struct describe_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_client_info client;
    struct portolan_msg_info info;
    long rcvid;

    rcvid = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, memory, 0));
    verify(user_copy_in(&info, memory, sizeof(info)) == 0);
    EXPECT_EQ(call_connect_client_info(info.scoid, memory), 0);
    verify(user_copy_in(&client, memory, sizeof(client)) == 0);
    EXPECT_EQ(client.pid, c->pair.client_task->task->pid);
    EXPECT_EQ(call_connect_client_info(info.scoid + 1, memory), CALL_EINVAL);
    EXPECT_EQ(call_connect_client_info(-1, memory), CALL_EINVAL);
    return PEER_FAST(call_msg_reply((int32_t)rcvid, 0, 0, 0, 0));
}

TEST(call_msg, connections_are_described_to_both_sides)
{
    struct describe_case c = { .sent = -1 };

    msg_pair_prepare(t, &c.pair, msg_describe_server, msg_describe_client, &c);
    peer_start(&c.pair.server, NULL);
    peer_start(&c.pair.client, NULL);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    EXPECT_EQ(peer_join(&c.pair.server), 0);
    EXPECT_EQ(c.sent, 0);
}

static long
msg_detach_client(struct peer *self)
{
    struct describe_case *c = self->arg;
    struct test *t = self->of->t;

    EXPECT_EQ(msg_pair_connect(&c->pair, 3), 3);
    EXPECT_EQ(call_right_dup(3, 9, 0), 9);
    EXPECT_EQ(PEER_FAST(call_msg_send(3, 0, 0, 0, 0, 0)), 0);
    EXPECT_EQ(call_connect_detach(3), 0);
    EXPECT_EQ(PEER_FAST(call_msg_send(9, 0, 0, 0, 0, 0)), 0);
    EXPECT_EQ(call_connect_detach(9), 0);
    return 0;
}

/* Both messages come by the same connection. */
static long
msg_detach_server(struct peer *self)
{
    struct describe_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_msg_info info;
    long rcvid;

    for (int i = 0; i < 2; i++) {
        rcvid = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, memory, 0));
        verify(user_copy_in(&info, memory, sizeof(info)) == 0);
        EXPECT(i == 0 || info.scoid == c->scoid);
        c->scoid = info.scoid;
        PEER_FAST(call_msg_reply((int32_t)rcvid, 0, 0, 0, 0));
    }
    return 0;
}

TEST(call_msg, connection_ends_with_its_last_right)
{
    struct describe_case c = { .scoid = 0 };
    struct task *server;
    uint64_t serial;

    msg_pair_prepare(t, &c.pair, msg_detach_server, msg_detach_client, &c);
    peer_start(&c.pair.server, NULL);
    peer_start(&c.pair.client, NULL);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    EXPECT_EQ(peer_join(&c.pair.server), 0);
    server = c.pair.server_task->task;
    /* Rights are noticed to be dead, then their connections. */
    ASSERT(kobject_sync(CLOCK_NEVER) == OK);
    ASSERT(kobject_sync(CLOCK_NEVER) == OK);
    EXPECT(c.scoid > CONNECTION_SCOID);
    EXPECT_EQ(connection_client(server, c.scoid, &serial), 0);
}
