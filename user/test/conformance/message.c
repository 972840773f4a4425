/* SPDX-License-Identifier: MIT */
/*
 * Lines 1 to 5 of the list: what arrives of a message and of its reply.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <portolan/calls.h>
#include <portolan/spawn.h>

#include "client.h"

static const char message_text[] = "a message of thirty-two bytes..";

#define TEXT_SIZE sizeof(message_text)

/* Receive into @buffer, reply the same with @status. */
static void
message_echo(int chid, void *buffer, size_t size, long status)
{
    struct _msg_info info;
    int rcvid = MsgReceive(chid, buffer, size, &info);

    EXPECT(rcvid > 0);
    EXPECT_EQ(MsgReply(rcvid, status, buffer, (size_t)info.msglen), 0);
}

TEST(message, send_before_receive)
{
    struct channel channel = channel_open(0);
    char reply[TEXT_SIZE] = "", buffer[TEXT_SIZE] = "";
    struct client client = { .coid = channel.coid,
                             .smsg = message_text,
                             .sbytes = TEXT_SIZE,
                             .rmsg = reply,
                             .rbytes = TEXT_SIZE };

    client_block(&client);
    message_echo(channel.chid, buffer, sizeof(buffer), 17);
    EXPECT_EQ(client_join(&client), 17);
    EXPECT(memcmp(buffer, message_text, TEXT_SIZE) == 0);
    EXPECT(memcmp(reply, message_text, TEXT_SIZE) == 0);
    channel_close(&channel);
}

struct echo_server {
    int chid;
    int tid;
    char buffer[TEXT_SIZE];
    pthread_t thread;
};

static void *
message_serve_once(void *arg)
{
    struct echo_server *server = arg;

    __atomic_store_n(&server->tid, (int)portolan_thread_self(),
                     __ATOMIC_RELEASE);
    message_echo(server->chid, server->buffer, sizeof(server->buffer), 18);
    return NULL;
}

TEST(message, receive_before_send)
{
    struct channel channel = channel_open(0);
    struct echo_server server = { .chid = channel.chid };
    char reply[TEXT_SIZE] = "";

    pthread_create(&server.thread, NULL, message_serve_once, &server);
    while (__atomic_load_n(&server.tid, __ATOMIC_ACQUIRE) == 0) {
        usleep(1000);
    }
    check_wait_state(-1, server.tid, STATE_RECEIVE);
    EXPECT_EQ(MsgSend(channel.coid, message_text, TEXT_SIZE, reply, TEXT_SIZE),
              18);
    EXPECT(memcmp(reply, message_text, TEXT_SIZE) == 0);
    pthread_join(server.thread, NULL);
    EXPECT(memcmp(server.buffer, message_text, TEXT_SIZE) == 0);
    channel_close(&channel);
}

/* Sends argv[1] on its connection; 0 if the reply is the same. */
PEER(message_sender, argc, argv)
{
    char reply[TEXT_SIZE] = "";

    return argc == 2 &&
                   MsgSend(PEER_COID, argv[1], strlen(argv[1]) + 1, reply,
                           sizeof(reply)) == 19 &&
                   strcmp(reply, argv[1]) == 0
               ? 0
               : 1;
}

TEST(message, goes_between_processes)
{
    struct channel channel = channel_open(0);
    int task = peer_start("message_sender", channel.coid, message_text);
    char buffer[2 * TEXT_SIZE];

    message_echo(channel.chid, buffer, sizeof(buffer), 19);
    EXPECT(memcmp(buffer, message_text, TEXT_SIZE) == 0);
    EXPECT_EQ(portolan_spawn_wait(task), 0);
    channel_close(&channel);
}

TEST(message, state_is_reply_blocked_once_received)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid };
    int rcvid;

    client_block(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    client_wait(&client, STATE_REPLY);
    EXPECT_EQ(MsgReply(rcvid, 0, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 0);
    channel_close(&channel);
}

TEST(message, error_is_the_senders_errno)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid };

    client_start(&client);
    EXPECT_EQ(MsgError(MsgReceive(channel.chid, NULL, 0, NULL), EBUSY), 0);
    EXPECT_EQ(client_join(&client), -EBUSY);
    channel_close(&channel);
}

TEST(message, error_eok_is_status_0)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid };

    client_start(&client);
    EXPECT_EQ(MsgError(MsgReceive(channel.chid, NULL, 0, NULL), EOK), 0);
    EXPECT_EQ(client_join(&client), 0);
    channel_close(&channel);
}

TEST(message, r_returns_negative_errno)
{
    errno = 0;
    EXPECT_EQ(MsgSend_r(12345, NULL, 0, NULL, 0), -EBADF);
    EXPECT_EQ(errno, 0);
}

TEST(message, long_one_is_cut_to_the_receivers_room)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .smsg = message_text,
                             .sbytes = TEXT_SIZE };
    char buffer[16];
    struct _msg_info info;
    int rcvid;

    memset(buffer, '#', sizeof(buffer));
    client_start(&client);
    rcvid = MsgReceive(channel.chid, buffer, 10, &info);
    EXPECT_EQ(info.msglen, 10);
    EXPECT_EQ(info.srcmsglen, TEXT_SIZE);
    EXPECT(memcmp(buffer, message_text, 10) == 0);
    EXPECT(memcmp(buffer + 10, "######", 6) == 0);
    MsgReply(rcvid, 0, NULL, 0);
    client_join(&client);
    channel_close(&channel);
}

TEST(message, short_one_leaves_the_rest_of_the_buffer)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .smsg = message_text,
                             .sbytes = 10 };
    char buffer[16];
    struct _msg_info info;
    int rcvid;

    memset(buffer, '#', sizeof(buffer));
    client_start(&client);
    rcvid = MsgReceive(channel.chid, buffer, sizeof(buffer), &info);
    EXPECT_EQ(info.msglen, 10);
    EXPECT_EQ(info.srcmsglen, 10);
    EXPECT(memcmp(buffer, message_text, 10) == 0);
    EXPECT(memcmp(buffer + 10, "######", 6) == 0);
    MsgReply(rcvid, 0, NULL, 0);
    client_join(&client);
    channel_close(&channel);
}

TEST(message, read_gets_the_rest_by_offset)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .smsg = message_text,
                             .sbytes = TEXT_SIZE };
    char head[10], buffer[2 * TEXT_SIZE];
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, head, sizeof(head), NULL);
    EXPECT_EQ(MsgRead(rcvid, buffer, 8, 10), 8);
    EXPECT(memcmp(buffer, message_text + 10, 8) == 0);
    EXPECT_EQ(MsgRead(rcvid, buffer, sizeof(buffer), 10), TEXT_SIZE - 10);
    EXPECT(memcmp(buffer, message_text + 10, TEXT_SIZE - 10) == 0);
    MsgReply(rcvid, 0, NULL, 0);
    client_join(&client);
    channel_close(&channel);
}

TEST(message, read_may_be_repeated)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .smsg = message_text,
                             .sbytes = TEXT_SIZE };
    char buffer[TEXT_SIZE];
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    for (int i = 0; i < 3; i++) {
        memset(buffer, 0, sizeof(buffer));
        EXPECT_EQ(MsgRead(rcvid, buffer, TEXT_SIZE, 0), TEXT_SIZE);
        EXPECT(memcmp(buffer, message_text, TEXT_SIZE) == 0);
    }
    MsgReply(rcvid, 0, NULL, 0);
    client_join(&client);
    channel_close(&channel);
}

TEST(message, read_at_or_past_the_end_is_0)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .smsg = message_text,
                             .sbytes = TEXT_SIZE };
    char buffer[8];
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_EQ(MsgRead(rcvid, buffer, sizeof(buffer), TEXT_SIZE), 0);
    EXPECT_EQ(MsgRead(rcvid, buffer, sizeof(buffer), TEXT_SIZE + 1), 0);
    EXPECT_EQ(MsgRead(rcvid, buffer, sizeof(buffer), (size_t)1 << 40), 0);
    MsgReply(rcvid, 0, NULL, 0);
    client_join(&client);
    channel_close(&channel);
}

/* Have one message with 16 bytes of room answered by @nr_bytes of text. */
static void
message_reply_sized(size_t nr_bytes, char reply[32])
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .rmsg = reply,
                             .rbytes = 16 };
    struct _msg_info info;
    int rcvid;

    memset(reply, '#', 32);
    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, &info);
    EXPECT_EQ(info.dstmsglen, 16);
    EXPECT_EQ(MsgReply(rcvid, 0, message_text, nr_bytes), 0);
    EXPECT_EQ(client_join(&client), 0);
    channel_close(&channel);
}

TEST(message, reply_larger_than_the_room_is_cut)
{
    char reply[32];

    message_reply_sized(TEXT_SIZE, reply);
    EXPECT(memcmp(reply, message_text, 16) == 0);
    EXPECT(memcmp(reply + 16, "################", 16) == 0);
}

TEST(message, reply_smaller_than_the_room_leaves_the_rest)
{
    char reply[32];

    message_reply_sized(5, reply);
    EXPECT(memcmp(reply, message_text, 5) == 0);
    EXPECT(memcmp(reply + 5, "###########", 11) == 0);
}

TEST(message, write_goes_to_an_offset_and_ends_with_the_room)
{
    struct channel channel = channel_open(0);
    char reply[33] = "";
    struct client client = { .coid = channel.coid,
                             .rmsg = reply,
                             .rbytes = 16 };
    int rcvid;

    memset(reply, '#', 32);
    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_EQ(MsgWrite(rcvid, "abc", 3, 2), 3);
    EXPECT_EQ(MsgWrite(rcvid, "0123456789", 10, 12), 4);
    EXPECT_EQ(MsgWrite(rcvid, "x", 1, 16), 0);
    EXPECT_EQ(MsgReply(rcvid, 16, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 16);
    EXPECT(strcmp(reply, "##abc#######0123################") == 0);
    channel_close(&channel);
}

TEST(message, no_bytes_and_null_both_ways)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid };
    struct _msg_info info;
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, &info);
    EXPECT(rcvid > 0);
    EXPECT_EQ(info.msglen, 0);
    EXPECT_EQ(info.srcmsglen, 0);
    EXPECT_EQ(info.dstmsglen, 0);
    EXPECT_EQ(MsgReply(rcvid, 3, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 3);
    channel_close(&channel);
}

TEST(message, no_parts_both_ways)
{
    struct channel channel = channel_open(0);
    iov_t none[1] = { { NULL, 0 } };
    struct client client = { .coid = channel.coid, .siov = none, .sparts = 1 };
    struct _msg_info info;
    int rcvid;

    client_start(&client);
    rcvid = MsgReceivev(channel.chid, NULL, 0, &info);
    EXPECT(rcvid > 0);
    EXPECT_EQ(info.srcmsglen, 0);
    EXPECT_EQ(MsgReplyv(rcvid, 4, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 4);
    channel_close(&channel);
}

/* Fill with what tells each byte from its neighbours. */
static void
message_fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    }
}

TEST(message, parts_split_unequally_on_both_sides)
{
    struct channel channel = channel_open(0);
    unsigned char data[100], got[100], reply[100];
    iov_t siov[4], riov[3], server[3], answer[2];
    struct client client = { .coid = channel.coid,
                             .siov = siov,
                             .sparts = 4,
                             .riov = riov,
                             .rparts = 3 };
    struct _msg_info info;
    int rcvid;

    message_fill(data, sizeof(data));
    memset(got, 0, sizeof(got));
    memset(reply, 0, sizeof(reply));
    SETIOV(&siov[0], data, 1);
    SETIOV(&siov[1], NULL, 0);
    SETIOV(&siov[2], data + 1, 50);
    SETIOV(&siov[3], data + 51, 49);
    SETIOV(&riov[0], reply, 60);
    SETIOV(&riov[1], NULL, 0);
    SETIOV(&riov[2], reply + 60, 40);
    SETIOV(&server[0], got, 30);
    SETIOV(&server[1], got + 30, 31);
    SETIOV(&server[2], got + 61, 39);
    SETIOV(&answer[0], data, 7);
    SETIOV(&answer[1], data + 7, 93);
    client_start(&client);
    rcvid = MsgReceivev(channel.chid, server, 3, &info);
    EXPECT_EQ(info.msglen, 100);
    EXPECT(memcmp(got, data, sizeof(got)) == 0);
    EXPECT_EQ(MsgReplyv(rcvid, 0, answer, 2), 0);
    EXPECT_EQ(client_join(&client), 0);
    EXPECT(memcmp(reply, data, sizeof(reply)) == 0);
    channel_close(&channel);
}

TEST(message, parts_are_read_and_written_across_their_bounds)
{
    struct channel channel = channel_open(0);
    unsigned char data[100], got[40], reply[100];
    iov_t siov[3], riov[3], server[2];
    struct client client = { .coid = channel.coid,
                             .siov = siov,
                             .sparts = 3,
                             .riov = riov,
                             .rparts = 3 };
    int rcvid;

    message_fill(data, sizeof(data));
    memset(reply, 0, sizeof(reply));
    for (int i = 0; i < 3; i++) {
        SETIOV(&siov[i], data + 30 * i, 30);
        SETIOV(&riov[i], reply + 30 * i, 30);
    }
    SETIOV(&server[0], got, 3);
    SETIOV(&server[1], got + 3, 37);
    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_EQ(MsgReadv(rcvid, server, 2, 25), 40);
    EXPECT(memcmp(got, data + 25, 40) == 0);
    EXPECT_EQ(MsgWritev(rcvid, server, 2, 25), 40);
    EXPECT_EQ(MsgReadv(rcvid, server, 2, 60), 30);
    EXPECT_EQ(MsgReply(rcvid, 0, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 0);
    EXPECT(memcmp(reply + 25, data + 25, 40) == 0);
    EXPECT(reply[24] == 0 && reply[65] == 0);
    channel_close(&channel);
}

TEST(message, simple_and_vector_forms_mix)
{
    struct channel channel = channel_open(0);
    struct echo_server server = { .chid = channel.chid };
    char reply[TEXT_SIZE] = "";
    iov_t iov[2];

    SETIOV(&iov[0], reply, 9);
    SETIOV(&iov[1], reply + 9, TEXT_SIZE - 9);
    pthread_create(&server.thread, NULL, message_serve_once, &server);
    EXPECT_EQ(MsgSendsv(channel.coid, message_text, TEXT_SIZE, iov, 2), 18);
    pthread_join(server.thread, NULL);
    EXPECT(memcmp(reply, message_text, TEXT_SIZE) == 0);
    SETIOV_CONST(&iov[0], message_text, 9);
    SETIOV_CONST(&iov[1], message_text + 9, TEXT_SIZE - 9);
    memset(reply, 0, sizeof(reply));
    pthread_create(&server.thread, NULL, message_serve_once, &server);
    EXPECT_EQ(MsgSendvs(channel.coid, iov, 2, reply, TEXT_SIZE), 18);
    pthread_join(server.thread, NULL);
    EXPECT(memcmp(reply, message_text, TEXT_SIZE) == 0);
    channel_close(&channel);
}

#define LARGE_SIZE ((size_t)300 * 1024 + 5)

TEST(message, large_one_with_parts_across_pages)
{
    struct channel channel = channel_open(0);
    unsigned char *data = malloc(LARGE_SIZE), *got = malloc(LARGE_SIZE);
    unsigned char *reply = calloc(1, LARGE_SIZE);
    iov_t siov[3], riov[2];
    struct client client = { .coid = channel.coid,
                             .siov = siov,
                             .sparts = 3,
                             .riov = riov,
                             .rparts = 2 };
    struct _msg_info info;
    int rcvid;

    message_fill(data, LARGE_SIZE);
    SETIOV(&siov[0], data, 4095);
    SETIOV(&siov[1], data + 4095, 100000);
    SETIOV(&siov[2], data + 104095, LARGE_SIZE - 104095);
    SETIOV(&riov[0], reply, 77777);
    SETIOV(&riov[1], reply + 77777, LARGE_SIZE - 77777);
    client_start(&client);
    rcvid = MsgReceive(channel.chid, got, LARGE_SIZE, &info);
    EXPECT_EQ(info.msglen, LARGE_SIZE);
    EXPECT(memcmp(got, data, LARGE_SIZE) == 0);
    EXPECT_EQ(MsgReply(rcvid, 0, got, LARGE_SIZE), 0);
    EXPECT_EQ(client_join(&client), 0);
    EXPECT(memcmp(reply, data, LARGE_SIZE) == 0);
    free(data);
    free(got);
    free(reply);
    channel_close(&channel);
}

TEST(message, replies_go_out_in_any_order)
{
    struct channel channel = channel_open(0);
    struct client clients[3];
    int rcvids[3];

    for (int i = 0; i < 3; i++) {
        clients[i] = (struct client){ .coid = channel.coid };
        client_start(&clients[i]);
        rcvids[i] = MsgReceive(channel.chid, NULL, 0, NULL);
        EXPECT(rcvids[i] > 0);
    }
    for (int i = 2; i >= 0; i--) {
        EXPECT_EQ(MsgReply(rcvids[i], i, NULL, 0), 0);
        EXPECT_EQ(client_join(&clients[i]), i);
    }
    channel_close(&channel);
}
