/* SPDX-License-Identifier: MIT */
/*
 * Messages, as QNX's documentation has them: each line of the list of what a
 * compatible system does is a test.
 */
#include <kern/clock.h>
#include <kern/cpu.h>
#include <ipc/call_error.h>
#include <ipc/calls.h>
#include <lib/string.h>
#include <portolan/msg.h>
#include <test/ipc/msg_pair.h>
#include <test/ipc/peer.h>
#include <vm/space.h>

/* Offsets in a program's memory. */
#define MSG_SEND    0
#define MSG_REPLY   (128 * PAGE_SIZE)
#define MSG_RECEIVE (256 * PAGE_SIZE)
#define MSG_LISTS   (400 * PAGE_SIZE)
#define MSG_INFO    (401 * PAGE_SIZE)

/*
 * A server that receives one message and replies, and a client that sends it.
 */
struct msg_case {
    struct msg_pair pair;

    size_t sbytes, rbytes; /* of the client */
    size_t receive_size;   /* room of the server */
    size_t reply_size;
    bool server_first;    /* it waits before the client sends */
    uintptr_t smsg, rmsg; /* 0: the usual place */
    uintptr_t receive_to, reply_from;

    struct portolan_msg_info info;
    long sent, received, replied, again;
};

static long
msg_client(struct peer *self)
{
    struct msg_case *c = self->arg;
    uintptr_t memory = self->of->memory;
    long coid = msg_pair_connect(&c->pair, 3);

    if (coid < 0) {
        return coid;
    }
    peer_fill(memory + MSG_SEND, 's', PAGE_SIZE);
    peer_fill(memory + MSG_REPLY, '.', PAGE_SIZE);
    c->sent = PEER_FAST(call_msg_send(
        (uint32_t)coid, c->smsg != 0 ? c->smsg : memory + MSG_SEND, c->sbytes,
        c->rmsg != 0 ? c->rmsg : memory + MSG_REPLY, c->rbytes, 0));
    return call_connect_detach((uint32_t)coid);
}

static long
msg_server(struct peer *self)
{
    struct msg_case *c = self->arg;
    uintptr_t memory = self->of->memory;

    peer_fill(memory + MSG_RECEIVE, '.', PAGE_SIZE);
    peer_fill(memory + MSG_REPLY, 'r', PAGE_SIZE);
    c->received = PEER_FAST(call_msg_receive(
        c->pair.chid, c->receive_to != 0 ? c->receive_to : memory + MSG_RECEIVE,
        c->receive_size, memory + MSG_INFO, 0));
    if (c->received < 0) {
        return 0;
    }
    verify(user_copy_in(&c->info, memory + MSG_INFO, sizeof(c->info)) == 0);
    c->replied = PEER_FAST(
        call_msg_reply((int32_t)c->received, 77,
                       c->reply_from != 0 ? c->reply_from : memory + MSG_REPLY,
                       c->reply_size, 0));
    c->again = PEER_FAST(call_msg_reply((int32_t)c->received, 78, 0, 0, 0));
    return 0;
}

/* The tasks, and a channel of the server's. */
static void
msg_prepare(struct test *t, struct msg_case *c)
{
    msg_pair_prepare(t, &c->pair, msg_server, msg_client, c);
}

/* Have it happen. */
static void
msg_run(struct test *t, struct msg_case *c)
{
    struct peer *first = c->server_first ? &c->pair.server : &c->pair.client;
    struct peer *second = c->server_first ? &c->pair.client : &c->pair.server;

    msg_prepare(t, c);
    peer_start(first, NULL);
    peer_await(first, c->server_first ? PORTOLAN_THREAD_RECEIVE
                                      : PORTOLAN_THREAD_SEND);
    peer_start(second, NULL);
    EXPECT_EQ(peer_join(&c->pair.client), 0);
    peer_join(&c->pair.server);
}

struct msg_look {
    struct peer_task *of;
    uintptr_t offset;
    size_t size;
    int byte;
};

static long
msg_look(struct peer *self)
{
    struct msg_look *look = self->arg;

    return peer_has(self->of->memory + look->offset, look->byte, look->size);
}

/* Whether a range of a task's memory has a byte all over. */
static bool
msg_has(struct peer_task *of, uintptr_t offset, int byte, size_t size)
{
    struct msg_look look = { .offset = offset, .byte = byte, .size = size };
    struct peer peer = { .of = of, .fn = msg_look, .arg = &look };

    return peer_play(&peer);
}

static void
msg_check_plain(struct test *t, bool server_first)
{
    struct msg_case c = { .sbytes = 100,
                          .rbytes = 60,
                          .receive_size = 100,
                          .reply_size = 60,
                          .server_first = server_first };

    msg_run(t, &c);
    EXPECT(c.received > 0);
    EXPECT_EQ(c.replied, 0);
    EXPECT_EQ(c.sent, 77);
    EXPECT_EQ(c.info.msglen, 100);
    EXPECT_EQ(c.info.srcmsglen, 100);
    EXPECT_EQ(c.info.dstmsglen, 60);
    EXPECT_EQ(c.info.pid, c.pair.client_task->task->pid);
    EXPECT_EQ(c.info.chid, c.pair.chid);
    EXPECT_EQ(c.info.coid, 3);
    EXPECT(c.info.scoid > 0x10000);
    EXPECT(msg_has(c.pair.server_task, MSG_RECEIVE, 's', 100));
    EXPECT(msg_has(c.pair.server_task, MSG_RECEIVE + 100, '.', 100));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY, 'r', 60));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 60, '.', 100));
}

TEST(call_msg, receive_before_send)
{
    msg_check_plain(t, true);
}

TEST(call_msg, send_before_receive)
{
    msg_check_plain(t, false);
}

TEST(call_msg, longer_than_the_buffer_is_cut)
{
    struct msg_case c = { .sbytes = 100, .receive_size = 30 };

    msg_run(t, &c);
    EXPECT_EQ(c.sent, 77);
    EXPECT_EQ(c.info.msglen, 30);
    EXPECT_EQ(c.info.srcmsglen, 100);
    EXPECT(msg_has(c.pair.server_task, MSG_RECEIVE, 's', 30));
    EXPECT(msg_has(c.pair.server_task, MSG_RECEIVE + 30, '.', 70));
}

TEST(call_msg, reply_longer_than_the_room_is_cut)
{
    struct msg_case c = { .rbytes = 10, .reply_size = 100 };

    msg_run(t, &c);
    EXPECT_EQ(c.sent, 77);
    EXPECT_EQ(c.info.dstmsglen, 10);
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY, 'r', 10));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 10, '.', 90));
}

TEST(call_msg, nothing_may_be_sent_and_replied)
{
    struct msg_case c = { .smsg = 0, .server_first = true };

    msg_run(t, &c);
    EXPECT_EQ(c.sent, 77);
    EXPECT_EQ(c.info.msglen, 0);
}

TEST(call_msg, second_reply_finds_nobody)
{
    struct msg_case c = { .sbytes = 1 };

    msg_run(t, &c);
    EXPECT_EQ(c.replied, 0);
    EXPECT_EQ(c.again, CALL_ESRCH);
}

TEST(call_msg, bad_receive_buffer_is_the_servers_fault)
{
    struct msg_case c = { .sbytes = 10,
                          .receive_size = 10,
                          .receive_to = MSG_NOWHERE };

    msg_run(t, &c);
    EXPECT_EQ(c.received, CALL_EFAULT);
    EXPECT_EQ(c.sent, CALL_ESRVRFAULT);
}

TEST(call_msg, bad_reply_is_the_servers_fault)
{
    struct msg_case c = { .rbytes = 10,
                          .reply_size = 10,
                          .reply_from = MSG_NOWHERE };

    msg_run(t, &c);
    EXPECT_EQ(c.replied, CALL_ESRVRFAULT);
    EXPECT_EQ(c.sent, CALL_ESRVRFAULT);
}

TEST(call_msg, bad_room_for_the_reply_is_the_clients_fault)
{
    struct msg_case c = { .rbytes = 10, .reply_size = 10, .rmsg = MSG_NOWHERE };

    msg_run(t, &c);
    EXPECT_EQ(c.replied, CALL_EFAULT);
    EXPECT_EQ(c.sent, CALL_EFAULT);
}

/* A server that gets a message from a client with memory that is no good, and
 * goes on waiting. */
TEST(call_msg, bad_message_is_the_clients_fault_and_the_server_waits)
{
    struct msg_case c = { .sbytes = 10,
                          .receive_size = 10,
                          .smsg = MSG_NOWHERE };

    msg_prepare(t, &c);
    peer_start(&c.pair.server, NULL);
    peer_start(&c.pair.client, NULL);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    EXPECT_EQ(c.sent, CALL_EFAULT);
    peer_await(&c.pair.server, PORTOLAN_THREAD_RECEIVE);
    c.smsg = 0;
    peer_start(&c.pair.client, NULL);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    EXPECT_EQ(c.sent, 77);
    peer_join(&c.pair.server);
}

/*
 * Calls that fail at once
 */

static long
msg_send_to(uint32_t coid)
{
    return PEER_FAST(call_msg_send(coid, 0, 0, 0, 0, 0));
}

static long
msg_bad_numbers(struct peer *self)
{
    struct test *t = self->of->t;

    EXPECT_EQ(msg_send_to(100), CALL_EBADF);
    EXPECT_EQ(msg_send_to(UINT32_MAX), CALL_EBADF);
    EXPECT_EQ(PEER_FAST(call_msg_receive(1, 0, 0, 0, 0)), CALL_ESRCH);
    EXPECT_EQ(PEER_FAST(call_msg_receive(-1, 0, 0, 0, 0)), CALL_ESRCH);
    EXPECT_EQ(PEER_FAST(call_msg_reply(0, 0, 0, 0, 0)), CALL_ESRCH);
    EXPECT_EQ(PEER_FAST(call_msg_reply(-1, 0, 0, 0, 0)), CALL_ESRCH);
    EXPECT_EQ(PEER_FAST(call_msg_reply(16385, 0, 0, 0, 0)), CALL_ESRCH);
    EXPECT_EQ(call_channel_destroy(1), CALL_EINVAL);
    EXPECT_EQ(call_channel_create(UINT32_MAX, 0, 0), CALL_EINVAL);
    EXPECT_EQ(call_connect_attach(0, 1, 0, 0), CALL_ESRCH);
    EXPECT_EQ(call_connect_attach(4000000, 1, 0, 0), CALL_ESRCH);
    EXPECT_EQ(call_connect_detach(5), CALL_EINVAL);
    return 0;
}

TEST(call_msg, bad_numbers_are_told)
{
    struct peer peer = { .of = peer_task_create(t), .fn = msg_bad_numbers };

    peer_play(&peer);
}

static long
msg_bad_sizes(struct peer *self)
{
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_iov huge[2] = { { memory, INT64_MAX }, { memory, 1 } };
    uint32_t coid;

    EXPECT_EQ(call_channel_create(0, 0, 0), 1);
    coid = (uint32_t)call_connect_attach(0, 1, PORTOLAN_SIDE_CHANNEL, 0);
    EXPECT_EQ(coid, PORTOLAN_SIDE_CHANNEL + 1);
    EXPECT_EQ(PEER_FAST(call_msg_send(coid, 0, SIZE_MAX, 0, 0, 0)),
              CALL_EOVERFLOW);
    EXPECT_EQ(PEER_FAST(call_msg_send(coid, 0, 0, 0, SIZE_MAX, 0)),
              CALL_EOVERFLOW);
    EXPECT_EQ(PEER_FAST(call_msg_sendv(coid, memory, PORTOLAN_IOV_MAX + 1,
                                       memory, 0, 0)),
              CALL_EINVAL);
    EXPECT_EQ(PEER_FAST(call_msg_sendv(coid, MSG_NOWHERE, 3, memory, 0, 0)),
              CALL_EFAULT);
    verify(user_copy_out(memory, huge, sizeof(huge)) == 0);
    EXPECT_EQ(PEER_FAST(call_msg_sendv(coid, memory, 2, memory, 0, 0)),
              CALL_EOVERFLOW);
    return 0;
}

TEST(call_msg, bad_sizes_are_told)
{
    struct peer peer = { .of = peer_task_create(t), .fn = msg_bad_sizes };

    peer_play(&peer);
}

/*
 * Parts
 */

static long
msg_parts_client(struct peer *self)
{
    struct msg_case *c = self->arg;
    uintptr_t memory = self->of->memory;
    uintptr_t edge = memory + PAGE_SIZE;
    struct portolan_iov send[5] = {
        { edge - 3, 7 },      { 0, 0 }, { memory + 10, 1 }, { 0, 0 },
        { memory + 5000, 5 },
    };
    struct portolan_iov reply[2] = { { memory + MSG_REPLY, 2 },
                                     { memory + MSG_REPLY + 100, 9 } };
    long coid = msg_pair_connect(&c->pair, 0);

    peer_fill(memory, 'x', 2 * PAGE_SIZE);
    peer_fill(memory + MSG_REPLY, '.', 200);
    verify(user_copy_out(edge - 3, "1234567", 7) == 0);
    verify(user_copy_out(memory + 10, "8", 1) == 0);
    verify(user_copy_out(memory + 5000, "9abcd", 5) == 0);
    verify(user_copy_out(memory + MSG_LISTS, send, sizeof(send)) == 0);
    verify(user_copy_out(memory + MSG_LISTS + 100, reply, sizeof(reply)) == 0);
    c->sent = PEER_FAST(call_msg_sendv((uint32_t)coid, memory + MSG_LISTS, 5,
                                       memory + MSG_LISTS + 100, 2, 0));
    return coid;
}

static long
msg_parts_server(struct peer *self)
{
    struct msg_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_iov to[3] = { { memory, 2 },
                                  { memory + 100, 4 },
                                  { memory + 200, 100 } };
    char got[8] = { 0 };

    verify(user_copy_out(memory + MSG_LISTS, to, sizeof(to)) == 0);
    c->received =
        PEER_FAST(call_msg_receivev(c->pair.chid, memory + MSG_LISTS, 3, 0, 0));
    verify(user_copy_in(got, memory, 2) == 0);
    EXPECT_STREQ(got, "12");
    verify(user_copy_in(got, memory + 100, 4) == 0);
    EXPECT_STREQ(got, "3456");
    verify(user_copy_in(got, memory + 200, 7) == 0);
    EXPECT_STREQ(got, "789abcd");
    verify(user_copy_out(memory + 300, "ABCDE", 5) == 0);
    to[0] = (struct portolan_iov){ memory + 300, 1 };
    to[1] = (struct portolan_iov){ memory + 301, 4 };
    verify(user_copy_out(memory + MSG_LISTS, to, sizeof(to)) == 0);
    c->replied = PEER_FAST(
        call_msg_replyv((int32_t)c->received, 5, memory + MSG_LISTS, 2, 0));
    return 0;
}

TEST(call_msg, parts_are_gathered_and_scattered)
{
    struct msg_case c = { 0 };

    msg_prepare(t, &c);
    c.pair.server.fn = msg_parts_server;
    c.pair.client.fn = msg_parts_client;
    peer_start(&c.pair.server, NULL);
    peer_start(&c.pair.client, NULL);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    peer_join(&c.pair.server);
    EXPECT_EQ(c.replied, 0);
    EXPECT_EQ(c.sent, 5);
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY, 'A', 1));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 1, 'B', 1));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 2, '.', 1));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 100, 'C', 1));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 102, 'E', 1));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 103, '.', 1));
}

/*
 * Reading and writing
 */

static long
msg_access_server(struct peer *self)
{
    struct msg_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    int32_t rcvid;

    rcvid = (int32_t)PEER_FAST(call_msg_receive(c->pair.chid, memory, 4, 0, 0));
    EXPECT_EQ(call_msg_read(rcvid, memory, 100, 4), 96);
    EXPECT_EQ(call_msg_read(rcvid, memory, 10, 95), 5);
    EXPECT_EQ(call_msg_read(rcvid, memory, 10, 100), 0);
    EXPECT_EQ(call_msg_read(rcvid, memory, 10, SIZE_MAX), 0);
    EXPECT_EQ(call_msg_read(rcvid, MSG_NOWHERE, 10, 0), CALL_ESRVRFAULT);
    peer_fill(memory, 'w', 50);
    EXPECT_EQ(call_msg_write(rcvid, memory, 10, 5), 10);
    EXPECT_EQ(call_msg_write(rcvid, memory, 50, 55), 5);
    EXPECT_EQ(call_msg_write(rcvid, MSG_NOWHERE, 10, 0), CALL_ESRVRFAULT);
    EXPECT_EQ(PEER_FAST(call_msg_reply(rcvid, 3, 0, 0, 0)), 0);
    EXPECT_EQ(call_msg_read(rcvid, memory, 10, 0), CALL_ESRCH);
    return 0;
}

TEST(call_msg, server_reads_and_writes_the_clients_memory)
{
    struct msg_case c = { .sbytes = 100, .rbytes = 60 };

    msg_prepare(t, &c);
    c.pair.server.fn = msg_access_server;
    peer_start(&c.pair.server, NULL);
    peer_start(&c.pair.client, NULL);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    peer_join(&c.pair.server);
    EXPECT_EQ(c.sent, 3);
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY, '.', 5));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 5, 'w', 10));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 55, 'w', 5));
    EXPECT(msg_has(c.pair.client_task, MSG_REPLY + 60, '.', 100));
}

static long
msg_error_server(struct peer *self)
{
    struct msg_case *c = self->arg;
    long rcvid = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, 0, 0));

    return PEER_FAST(call_msg_error((int32_t)rcvid, 16));
}

TEST(call_msg, error_is_the_clients_result)
{
    struct msg_case c = { .sbytes = 100 };

    msg_prepare(t, &c);
    c.pair.server.fn = msg_error_server;
    peer_start(&c.pair.server, NULL);
    peer_start(&c.pair.client, NULL);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    EXPECT_EQ(peer_join(&c.pair.server), 0);
    EXPECT_EQ(c.sent, CALL_EBUSY);
}

/*
 * Ends
 */

TEST(call_msg, destroyed_channel_lets_receivers_go)
{
    struct msg_case c = { 0 };

    msg_prepare(t, &c);
    peer_start(&c.pair.server, NULL);
    peer_await(&c.pair.server, PORTOLAN_THREAD_RECEIVE);
    msg_pair_destroy_channel(t, &c.pair);
    peer_join(&c.pair.server);
    EXPECT_EQ(c.received, CALL_ESRCH);
}

TEST(call_msg, destroyed_channel_lets_senders_go)
{
    struct msg_case c = { .sbytes = 10 };

    msg_prepare(t, &c);
    peer_start(&c.pair.client, NULL);
    peer_await(&c.pair.client, PORTOLAN_THREAD_SEND);
    msg_pair_destroy_channel(t, &c.pair);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    EXPECT_EQ(c.sent, CALL_ESRCH);
}

static long
msg_receive_only(struct peer *self)
{
    struct msg_case *c = self->arg;

    c->received = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, 0, 0));
    return c->received;
}

TEST(call_msg, killed_server_lets_clients_go)
{
    struct msg_case c = { .sbytes = 10 };

    msg_prepare(t, &c);
    c.pair.server.fn = msg_receive_only;
    peer_start(&c.pair.client, NULL);
    peer_start(&c.pair.server, NULL);
    EXPECT(peer_join(&c.pair.server) > 0);
    peer_await(&c.pair.client, PORTOLAN_THREAD_REPLY);
    peer_task_kill(c.pair.server_task);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    EXPECT_EQ(c.sent, CALL_ESRCH);
}

TEST(call_msg, killed_client_is_not_received)
{
    struct msg_case c = { .sbytes = 10 };

    msg_prepare(t, &c);
    peer_start(&c.pair.client, NULL);
    peer_await(&c.pair.client, PORTOLAN_THREAD_SEND);
    peer_task_kill(c.pair.client_task);
    peer_join(&c.pair.client);
    EXPECT_EQ(c.sent, CALL_EINTR);
    peer_start(&c.pair.server, NULL);
    peer_await(&c.pair.server, PORTOLAN_THREAD_RECEIVE);
    msg_pair_destroy_channel(t, &c.pair);
    peer_join(&c.pair.server);
    EXPECT_EQ(c.received, CALL_ESRCH);
}

static long
msg_reply_only(struct peer *self)
{
    struct msg_case *c = self->arg;

    return PEER_FAST(call_msg_reply((int32_t)c->received, 0, 0, 0, 0));
}

TEST(call_msg, killed_client_is_not_replied_to)
{
    struct msg_case c = { .sbytes = 10 };

    msg_prepare(t, &c);
    c.pair.server.fn = msg_receive_only;
    peer_start(&c.pair.client, NULL);
    peer_start(&c.pair.server, NULL);
    EXPECT(peer_join(&c.pair.server) > 0);
    peer_task_kill(c.pair.client_task);
    peer_join(&c.pair.client);
    c.pair.server.fn = msg_reply_only;
    EXPECT_EQ(peer_play(&c.pair.server), CALL_ESRCH);
}

/* Numbers of other tasks' messages mean nothing. */
TEST(call_msg, number_is_of_the_server_alone)
{
    struct msg_case c = { .sbytes = 10 };
    struct peer thief;

    msg_prepare(t, &c);
    c.pair.server.fn = msg_receive_only;
    peer_start(&c.pair.client, NULL);
    peer_start(&c.pair.server, NULL);
    EXPECT(peer_join(&c.pair.server) > 0);
    thief = (struct peer){ .of = peer_task_create(t),
                           .fn = msg_reply_only,
                           .arg = &c };
    EXPECT_EQ(peer_play(&thief), CALL_ESRCH);
    c.pair.server.fn = msg_reply_only;
    EXPECT_EQ(peer_play(&c.pair.server), 0);
    EXPECT_EQ(peer_join(&c.pair.client), 0);
    EXPECT_EQ(c.sent, 0);
}
