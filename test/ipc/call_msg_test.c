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
#include <test/ipc/peer.h>
#include <vm/space.h>

/* Offsets in a program's memory. */
#define MSG_SEND    0
#define MSG_REPLY   (128 * PAGE_SIZE)
#define MSG_RECEIVE (256 * PAGE_SIZE)
#define MSG_LISTS   (400 * PAGE_SIZE)
#define MSG_INFO    (401 * PAGE_SIZE)

/* Not mapped. */
#define MSG_NOWHERE UINT64_C(0x12345000)

/*
 * A server that receives one message and replies, and a client that sends it.
 */
struct msg_case {
    struct peer_task *server_task, *client_task;
    struct peer server, client;
    int32_t chid;

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
msg_connect(struct msg_case *c, uint32_t index)
{
    return call_connect_attach(c->server_task->task->pid, c->chid, index, 0);
}

static long
msg_client(struct peer *self)
{
    struct msg_case *c = self->arg;
    uintptr_t memory = self->of->memory;
    long coid = msg_connect(c, 3);

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
        c->chid, c->receive_to != 0 ? c->receive_to : memory + MSG_RECEIVE,
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

static long
msg_make_channel(struct peer *self)
{
    struct msg_case *c = self->arg;

    c->chid = (int32_t)call_channel_create(0, 0, 0);
    return c->chid;
}

/* The tasks, and a channel of the server's. */
static void
msg_prepare(struct test *t, struct msg_case *c)
{
    struct peer maker;

    c->server_task = peer_task_create(t);
    c->client_task = peer_task_create(t);
    maker =
        (struct peer){ .of = c->server_task, .fn = msg_make_channel, .arg = c };
    EXPECT_EQ(peer_play(&maker), 1);
    c->server =
        (struct peer){ .of = c->server_task, .fn = msg_server, .arg = c };
    c->client =
        (struct peer){ .of = c->client_task, .fn = msg_client, .arg = c };
}

/* Have it happen. */
static void
msg_run(struct test *t, struct msg_case *c)
{
    struct peer *first = c->server_first ? &c->server : &c->client;
    struct peer *second = c->server_first ? &c->client : &c->server;

    msg_prepare(t, c);
    peer_start(first, NULL);
    peer_await(first, c->server_first ? PORTOLAN_THREAD_RECEIVE
                                      : PORTOLAN_THREAD_SEND);
    peer_start(second, NULL);
    EXPECT_EQ(peer_join(&c->client), 0);
    peer_join(&c->server);
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
    EXPECT_EQ(c.info.pid, c.client_task->task->pid);
    EXPECT_EQ(c.info.chid, c.chid);
    EXPECT_EQ(c.info.coid, 3);
    EXPECT(c.info.scoid > 0x10000);
    EXPECT(msg_has(c.server_task, MSG_RECEIVE, 's', 100));
    EXPECT(msg_has(c.server_task, MSG_RECEIVE + 100, '.', 100));
    EXPECT(msg_has(c.client_task, MSG_REPLY, 'r', 60));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 60, '.', 100));
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
    EXPECT(msg_has(c.server_task, MSG_RECEIVE, 's', 30));
    EXPECT(msg_has(c.server_task, MSG_RECEIVE + 30, '.', 70));
}

TEST(call_msg, reply_longer_than_the_room_is_cut)
{
    struct msg_case c = { .rbytes = 10, .reply_size = 100 };

    msg_run(t, &c);
    EXPECT_EQ(c.sent, 77);
    EXPECT_EQ(c.info.dstmsglen, 10);
    EXPECT(msg_has(c.client_task, MSG_REPLY, 'r', 10));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 10, '.', 90));
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
    peer_start(&c.server, NULL);
    peer_start(&c.client, NULL);
    EXPECT_EQ(peer_join(&c.client), 0);
    EXPECT_EQ(c.sent, CALL_EFAULT);
    peer_await(&c.server, PORTOLAN_THREAD_RECEIVE);
    c.smsg = 0;
    peer_start(&c.client, NULL);
    EXPECT_EQ(peer_join(&c.client), 0);
    EXPECT_EQ(c.sent, 77);
    peer_join(&c.server);
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
    long coid = msg_connect(c, 0);

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
        PEER_FAST(call_msg_receivev(c->chid, memory + MSG_LISTS, 3, 0, 0));
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
    c.server.fn = msg_parts_server;
    c.client.fn = msg_parts_client;
    peer_start(&c.server, NULL);
    peer_start(&c.client, NULL);
    EXPECT_EQ(peer_join(&c.client), 0);
    peer_join(&c.server);
    EXPECT_EQ(c.replied, 0);
    EXPECT_EQ(c.sent, 5);
    EXPECT(msg_has(c.client_task, MSG_REPLY, 'A', 1));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 1, 'B', 1));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 2, '.', 1));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 100, 'C', 1));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 102, 'E', 1));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 103, '.', 1));
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

    rcvid = (int32_t)PEER_FAST(call_msg_receive(c->chid, memory, 4, 0, 0));
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
    c.server.fn = msg_access_server;
    peer_start(&c.server, NULL);
    peer_start(&c.client, NULL);
    EXPECT_EQ(peer_join(&c.client), 0);
    peer_join(&c.server);
    EXPECT_EQ(c.sent, 3);
    EXPECT(msg_has(c.client_task, MSG_REPLY, '.', 5));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 5, 'w', 10));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 55, 'w', 5));
    EXPECT(msg_has(c.client_task, MSG_REPLY + 60, '.', 100));
}

static long
msg_error_server(struct peer *self)
{
    struct msg_case *c = self->arg;
    long rcvid = PEER_FAST(call_msg_receive(c->chid, 0, 0, 0, 0));

    return PEER_FAST(call_msg_error((int32_t)rcvid, 16));
}

TEST(call_msg, error_is_the_clients_result)
{
    struct msg_case c = { .sbytes = 100 };

    msg_prepare(t, &c);
    c.server.fn = msg_error_server;
    peer_start(&c.server, NULL);
    peer_start(&c.client, NULL);
    EXPECT_EQ(peer_join(&c.client), 0);
    EXPECT_EQ(peer_join(&c.server), 0);
    EXPECT_EQ(c.sent, CALL_EBUSY);
}

/*
 * Ends
 */

static long
msg_destroy_channel(struct peer *self)
{
    struct msg_case *c = self->arg;

    return call_channel_destroy(c->chid);
}

/* Destroy the channel; then everybody has gone on. */
static void
msg_check_destroyed(struct test *t, struct msg_case *c)
{
    struct peer destroyer = { .of = c->server_task,
                              .fn = msg_destroy_channel,
                              .arg = c };

    EXPECT_EQ(peer_play(&destroyer), 0);
}

TEST(call_msg, destroyed_channel_lets_receivers_go)
{
    struct msg_case c = { 0 };

    msg_prepare(t, &c);
    peer_start(&c.server, NULL);
    peer_await(&c.server, PORTOLAN_THREAD_RECEIVE);
    msg_check_destroyed(t, &c);
    peer_join(&c.server);
    EXPECT_EQ(c.received, CALL_ESRCH);
}

TEST(call_msg, destroyed_channel_lets_senders_go)
{
    struct msg_case c = { .sbytes = 10 };

    msg_prepare(t, &c);
    peer_start(&c.client, NULL);
    peer_await(&c.client, PORTOLAN_THREAD_SEND);
    msg_check_destroyed(t, &c);
    EXPECT_EQ(peer_join(&c.client), 0);
    EXPECT_EQ(c.sent, CALL_ESRCH);
}

static long
msg_receive_only(struct peer *self)
{
    struct msg_case *c = self->arg;

    c->received = PEER_FAST(call_msg_receive(c->chid, 0, 0, 0, 0));
    return c->received;
}

TEST(call_msg, killed_server_lets_clients_go)
{
    struct msg_case c = { .sbytes = 10 };

    msg_prepare(t, &c);
    c.server.fn = msg_receive_only;
    peer_start(&c.client, NULL);
    peer_start(&c.server, NULL);
    EXPECT(peer_join(&c.server) > 0);
    peer_await(&c.client, PORTOLAN_THREAD_REPLY);
    peer_task_kill(c.server_task);
    EXPECT_EQ(peer_join(&c.client), 0);
    EXPECT_EQ(c.sent, CALL_ESRCH);
}

TEST(call_msg, killed_client_is_not_received)
{
    struct msg_case c = { .sbytes = 10 };

    msg_prepare(t, &c);
    peer_start(&c.client, NULL);
    peer_await(&c.client, PORTOLAN_THREAD_SEND);
    peer_task_kill(c.client_task);
    peer_join(&c.client);
    EXPECT_EQ(c.sent, CALL_EINTR);
    peer_start(&c.server, NULL);
    peer_await(&c.server, PORTOLAN_THREAD_RECEIVE);
    msg_check_destroyed(t, &c);
    peer_join(&c.server);
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
    c.server.fn = msg_receive_only;
    peer_start(&c.client, NULL);
    peer_start(&c.server, NULL);
    EXPECT(peer_join(&c.server) > 0);
    peer_task_kill(c.client_task);
    peer_join(&c.client);
    c.server.fn = msg_reply_only;
    EXPECT_EQ(peer_play(&c.server), CALL_ESRCH);
}

/* Numbers of other tasks' messages mean nothing. */
TEST(call_msg, number_is_of_the_server_alone)
{
    struct msg_case c = { .sbytes = 10 };
    struct peer thief;

    msg_prepare(t, &c);
    c.server.fn = msg_receive_only;
    peer_start(&c.client, NULL);
    peer_start(&c.server, NULL);
    EXPECT(peer_join(&c.server) > 0);
    thief = (struct peer){ .of = peer_task_create(t),
                           .fn = msg_reply_only,
                           .arg = &c };
    EXPECT_EQ(peer_play(&thief), CALL_ESRCH);
    c.server.fn = msg_reply_only;
    EXPECT_EQ(peer_play(&c.server), 0);
    EXPECT_EQ(peer_join(&c.client), 0);
    EXPECT_EQ(c.sent, 0);
}

/*
 * Rights in messages
 */

#define MSG_OPTIONS (402 * PAGE_SIZE)
#define MSG_RIGHTS  (403 * PAGE_SIZE)

/* Write options that give some rights and have room for others. */
static uintptr_t
msg_options(uintptr_t memory, const struct portolan_msg_right *rights,
            uint32_t nr, uint32_t room)
{
    struct portolan_msg_options options = {
        .send = memory + MSG_RIGHTS,
        .nr_send = nr,
        .receive = memory + MSG_RIGHTS + PAGE_SIZE / 2,
        .max_receive = room,
        .nr_receive = 99,
    };

    verify(user_copy_out(memory + MSG_RIGHTS, rights, nr * sizeof(*rights)) ==
           0);
    verify(user_copy_out(memory + MSG_OPTIONS, &options, sizeof(options)) == 0);
    return memory + MSG_OPTIONS;
}

static long
msg_send_options(uint32_t coid, uintptr_t options)
{
    return PEER_FAST(call_msg_send(coid, 0, 0, 0, 0, options));
}

/* Read what came. */
static uint64_t
msg_got(uintptr_t memory, struct portolan_msg_right *rights, uint32_t room)
{
    struct portolan_msg_options options;

    verify(user_copy_in(&options, memory + MSG_OPTIONS, sizeof(options)) == 0);
    verify(user_copy_in(rights, memory + MSG_RIGHTS + PAGE_SIZE / 2,
                        room * sizeof(*rights)) == 0);
    return options.nr_receive;
}

/* Gives two rights to its own port, with labels; one is moved. */
static long
msg_giver(struct peer *self)
{
    struct msg_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_msg_right rights[2] = {
        { .flags = PORTOLAN_MSG_RIGHT_MOVE },
    };
    long coid = msg_connect(c, PORTOLAN_SIDE_CHANNEL);
    uintptr_t options;

    EXPECT_EQ(call_channel_create(0, 0, 0), 1);
    rights[0].name = (int32_t)call_channel_mint(1, 111, 5, 0);
    rights[1].name = (int32_t)call_channel_mint(1, 222, 6, 0);
    EXPECT_EQ(rights[0].name, 5);
    options = msg_options(memory, rights, 2, 0);
    c->sent = PEER_FAST(
        call_msg_send((uint32_t)coid, memory, c->sbytes, memory, 0, options));
    EXPECT_EQ(call_connect_detach(5), c->rbytes != 0 ? CALL_EINVAL : 0);
    EXPECT_EQ(call_connect_detach(6), 0);
    return 0;
}

/* Takes them, sends through one, and looks whose message it is. */
static long
msg_taker(struct peer *self)
{
    struct msg_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_msg_right rights[2];
    uintptr_t options;

    options = msg_options(memory, NULL, 0, (uint32_t)c->rbytes);
    c->received = PEER_FAST(
        call_msg_receive(c->chid, c->receive_to, c->receive_size, 0, options));
    EXPECT_EQ(msg_got(memory, rights, 2), c->received > 0 ? c->rbytes : 0);
    if (c->received > 0 && c->rbytes == 2) {
        EXPECT_EQ(rights[0].name, 0);
        EXPECT_EQ(rights[0].flags, PORTOLAN_KIND_CONNECTION);
        EXPECT_EQ(rights[0].label, 111);
        EXPECT_EQ(rights[1].name, 1);
        EXPECT_EQ(rights[1].label, 222);
        EXPECT_EQ(call_connect_detach(0), 0);
        /* It would keep the giver's port. */
        EXPECT_EQ(call_connect_detach(1), 0);
    }
    return PEER_FAST(call_msg_reply((int32_t)c->received, 0, 0, 0, 0));
}

static void
msg_transfer(struct test *t, struct msg_case *c)
{
    msg_prepare(t, c);
    c->server.fn = msg_taker;
    c->client.fn = msg_giver;
    peer_start(&c->server, NULL);
    peer_start(&c->client, NULL);
    EXPECT_EQ(peer_join(&c->client), 0);
    peer_join(&c->server);
}

TEST(call_msg, rights_are_given_with_their_labels)
{
    struct msg_case c = { .rbytes = 2 };

    msg_transfer(t, &c);
    EXPECT_EQ(c.sent, 0);
}

TEST(call_msg, rights_without_room_stay)
{
    struct msg_case c = { .rbytes = 0 };

    msg_transfer(t, &c);
    EXPECT_EQ(c.sent, 0);
}

TEST(call_msg, rights_of_a_message_that_fails_stay)
{
    struct msg_case c = {
        .rbytes = 0, .sbytes = 10, .receive_size = 10, .receive_to = MSG_NOWHERE
    };

    msg_transfer(t, &c);
    EXPECT_EQ(c.sent, CALL_ESRVRFAULT);
}

static long
msg_bad_rights(struct peer *self)
{
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    static const struct portolan_msg_right many[PORTOLAN_MSG_RIGHTS_MAX + 1];
    struct portolan_msg_right right = { .name = 50 };
    uint32_t coid;

    EXPECT_EQ(call_channel_create(0, 0, 0), 1);
    coid = (uint32_t)call_connect_attach(0, 1, PORTOLAN_SIDE_CHANNEL, 0);
    EXPECT_EQ(msg_send_options(coid, msg_options(memory, &right, 1, 0)),
              CALL_EBADF);
    right = (struct portolan_msg_right){ .name = (int32_t)coid, .flags = 8 };
    EXPECT_EQ(msg_send_options(coid, msg_options(memory, &right, 1, 0)),
              CALL_EINVAL);
    EXPECT_EQ(PEER_FAST(call_msg_send(
                  coid, 0, 0, 0, 0,
                  msg_options(memory, many, PORTOLAN_MSG_RIGHTS_MAX + 1, 0))),
              CALL_EINVAL);
    EXPECT_EQ(msg_send_options(coid, MSG_NOWHERE), CALL_EFAULT);
    return 0;
}

TEST(call_msg, bad_rights_are_told)
{
    struct peer peer = { .of = peer_task_create(t), .fn = msg_bad_rights };

    peer_play(&peer);
}

static long
msg_timed_client(struct peer *self)
{
    struct msg_case *c = self->arg;
    uintptr_t memory = self->of->memory;
    struct portolan_msg_options options = {
        .states = (uint32_t)c->rbytes,
        .timeout = clock_now() + 2000000,
    };
    long coid = msg_connect(c, 0);

    verify(user_copy_out(memory + MSG_OPTIONS, &options, sizeof(options)) == 0);
    c->sent = PEER_FAST(
        call_msg_send((uint32_t)coid, 0, 0, 0, 0, memory + MSG_OPTIONS));
    return coid;
}

TEST(call_msg, time_to_send_is_limited)
{
    struct msg_case c = { .rbytes = PORTOLAN_MSG_TIMEOUT_SEND };

    msg_prepare(t, &c);
    c.client.fn = msg_timed_client;
    EXPECT_EQ(peer_play(&c.client), 0);
    EXPECT_EQ(c.sent, CALL_ETIMEDOUT);
}

TEST(call_msg, time_to_reply_is_limited)
{
    struct msg_case c = { .rbytes = PORTOLAN_MSG_TIMEOUT_REPLY };

    msg_prepare(t, &c);
    c.client.fn = msg_timed_client;
    c.server.fn = msg_receive_only;
    peer_start(&c.client, NULL);
    /* It is over by then; but it was not meant for the queue. */
    thread_sleep(4000000);
    EXPECT_EQ(atomic_load(&c.client.uthread->doing), PORTOLAN_THREAD_SEND);
    EXPECT(peer_play(&c.server) > 0);
    peer_join(&c.client);
    EXPECT_EQ(c.sent, CALL_ETIMEDOUT);
}

/*
 * Descriptions of connections
 */

static long
msg_describe_client(struct peer *self)
{
    struct msg_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_server_info info;

    EXPECT_EQ(msg_connect(c, 3), 3);
    EXPECT_EQ(msg_connect(c, PORTOLAN_SIDE_CHANNEL), PORTOLAN_SIDE_CHANNEL + 1);
    EXPECT_EQ(call_connect_server_info(0, 0, memory), 3);
    verify(user_copy_in(&info, memory, sizeof(info)) == 0);
    EXPECT_EQ(info.pid, c->server_task->task->pid);
    EXPECT_EQ(info.chid, c->chid);
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
    struct msg_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_client_info client;
    struct portolan_msg_info info;
    long rcvid;

    rcvid = PEER_FAST(call_msg_receive(c->chid, 0, 0, memory, 0));
    verify(user_copy_in(&info, memory, sizeof(info)) == 0);
    EXPECT_EQ(call_connect_client_info(info.scoid, memory), 0);
    verify(user_copy_in(&client, memory, sizeof(client)) == 0);
    EXPECT_EQ(client.pid, c->client_task->task->pid);
    EXPECT_EQ(call_connect_client_info(info.scoid + 1, memory), CALL_EINVAL);
    EXPECT_EQ(call_connect_client_info(-1, memory), CALL_EINVAL);
    return PEER_FAST(call_msg_reply((int32_t)rcvid, 0, 0, 0, 0));
}

TEST(call_msg, connections_are_described_to_both_sides)
{
    struct msg_case c = { 0 };

    msg_prepare(t, &c);
    c.server.fn = msg_describe_server;
    c.client.fn = msg_describe_client;
    peer_start(&c.server, NULL);
    peer_start(&c.client, NULL);
    EXPECT_EQ(peer_join(&c.client), 0);
    EXPECT_EQ(peer_join(&c.server), 0);
    EXPECT_EQ(c.sent, 0);
}
