/* SPDX-License-Identifier: MIT */
/*
 * Line 7: memory that is not there.  Who passed it has EFAULT, the other party
 * ESRVRFAULT if it is the client, and goes on.
 */
#include <string.h>
#include <sys/mman.h>

#include <portolan/spawn.h>

#include "client.h"

/* Where only one of two processes has memory. */
#define FAULT_ADDRESS ((void *)0x123456000000)
#define FAULT_PAGE    4096

/* True if a channel and a server that had a fault still work. */
static bool
fault_survived(struct channel *channel)
{
    char got = 0, reply = 0;
    struct client client = { .coid = channel->coid,
                             .smsg = "s",
                             .sbytes = 1,
                             .rmsg = &reply,
                             .rbytes = 1 };
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel->chid, &got, 1, NULL);
    MsgReply(rcvid, 5, "r", 1);
    return client_join(&client) == 5 && got == 's' && reply == 'r';
}

TEST(fault, clients_message_fails_the_client_alone)
{
    struct channel channel = channel_open(0);
    struct client bad = { .coid = channel.coid,
                          .smsg = check_page(PROT_NONE),
                          .sbytes = 8 };
    struct client good = { .coid = channel.coid, .smsg = "good", .sbytes = 5 };
    char got[8] = "";
    int rcvid;

    client_block(&bad);
    client_block(&good);
    rcvid = MsgReceive(channel.chid, got, sizeof(got), NULL);
    EXPECT(rcvid > 0);
    EXPECT(strcmp(got, "good") == 0);
    EXPECT_EQ(client_join(&bad), -EFAULT);
    EXPECT_EQ(MsgReply(rcvid, 1, NULL, 0), 0);
    EXPECT_EQ(client_join(&good), 1);
    channel_close(&channel);
}

TEST(fault, clients_message_that_begins_well)
{
    struct channel channel = channel_open(0);
    char *page = mmap(NULL, 2 * FAULT_PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct client bad = { .coid = channel.coid,
                          .smsg = page + FAULT_PAGE - 8,
                          .sbytes = 16 };
    struct client good = { .coid = channel.coid };
    char got[16];

    munmap(page + FAULT_PAGE, FAULT_PAGE);
    client_block(&bad);
    client_block(&good);
    EXPECT_EQ(MsgReply(MsgReceive(channel.chid, got, sizeof(got), NULL), 1,
                       NULL, 0),
              0);
    EXPECT_EQ(client_join(&bad), -EFAULT);
    EXPECT_EQ(client_join(&good), 1);
    munmap(page, FAULT_PAGE);
    channel_close(&channel);
}

/* Reply to a client with a bad buffer for it. */
static void
fault_in_reply_buffer(void *page)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid, .rmsg = page, .rbytes = 8 };
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_ERRNO(MsgReply(rcvid, 0, "12345678", 8), EFAULT);
    EXPECT_EQ(client_join(&client), -EFAULT);
    EXPECT(fault_survived(&channel));
    channel_close(&channel);
}

TEST(fault, clients_reply_buffer)
{
    fault_in_reply_buffer(check_page(PROT_NONE));
}

TEST(fault, clients_reply_buffer_that_is_read_only)
{
    fault_in_reply_buffer(check_page(PROT_READ));
}

TEST(fault, clients_reply_buffer_matters_only_if_used)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .rmsg = check_page(PROT_NONE),
                             .rbytes = 8 };

    client_start(&client);
    EXPECT_EQ(MsgReply(MsgReceive(channel.chid, NULL, 0, NULL), 6, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 6);
    channel_close(&channel);
}

TEST(fault, servers_receive_buffer)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .smsg = "12345678",
                             .sbytes = 8 };

    client_block(&client);
    EXPECT_ERRNO(MsgReceive(channel.chid, check_page(PROT_NONE), 8, NULL),
                 EFAULT);
    EXPECT_EQ(client_join(&client), -ESRVRFAULT);
    EXPECT(fault_survived(&channel));
    channel_close(&channel);
}

TEST(fault, servers_reply_buffer)
{
    struct channel channel = channel_open(0);
    char reply[8];
    struct client client = { .coid = channel.coid, .rmsg = reply, .rbytes = 8 };
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_ERRNO(MsgReply(rcvid, 0, check_page(PROT_NONE), 8), ESRVRFAULT);
    EXPECT_EQ(client_join(&client), -ESRVRFAULT);
    EXPECT(fault_survived(&channel));
    channel_close(&channel);
}

TEST(fault, read_tells_whose_buffer_it_was)
{
    struct channel channel = channel_open(0);
    iov_t siov[2];
    struct client client = { .coid = channel.coid, .siov = siov, .sparts = 2 };
    char buffer[16];
    int rcvid;

    SETIOV(&siov[0], "12345678", 8);
    SETIOV(&siov[1], check_page(PROT_NONE), 8);
    client_start(&client);
    rcvid = MsgReceive(channel.chid, buffer, 8, NULL);
    EXPECT(rcvid > 0);
    EXPECT_ERRNO(MsgRead(rcvid, buffer, 8, 8), EFAULT);
    EXPECT_ERRNO(MsgRead(rcvid, check_page(PROT_NONE), 8, 0), ESRVRFAULT);
    EXPECT_EQ(MsgReply(rcvid, 2, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 2);
    channel_close(&channel);
}

TEST(fault, write_tells_whose_buffer_it_was)
{
    struct channel channel = channel_open(0);
    char reply[8] = "";
    iov_t riov[2];
    struct client client = { .coid = channel.coid, .riov = riov, .rparts = 2 };
    int rcvid;

    SETIOV(&riov[0], reply, 8);
    SETIOV(&riov[1], check_page(PROT_NONE), 8);
    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_ERRNO(MsgWrite(rcvid, "abcdefgh", 8, 8), EFAULT);
    EXPECT_ERRNO(MsgWrite(rcvid, check_page(PROT_NONE), 8, 0), ESRVRFAULT);
    EXPECT_EQ(MsgWrite(rcvid, "abcdefgh", 8, 0), 8);
    EXPECT_EQ(MsgReply(rcvid, 2, NULL, 0), 0);
    EXPECT_EQ(client_join(&client), 2);
    EXPECT(memcmp(reply, "abcdefgh", 8) == 0);
    channel_close(&channel);
}

TEST(fault, addresses_of_the_kernel_are_refused)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid,
                             .smsg = (void *)0xffffffff80000000,
                             .sbytes = 64 };
    struct client good = { .coid = channel.coid };
    char got[64];

    client_start(&client);
    client_block(&good);
    EXPECT_EQ(MsgReply(MsgReceive(channel.chid, got, sizeof(got), NULL), 1,
                       NULL, 0),
              0);
    EXPECT_EQ(client_join(&client), -EFAULT);
    EXPECT_EQ(client_join(&good), 1);
    channel_close(&channel);
}

/* Sends what only its parent has; then a good message. */
PEER(fault_sender, argc, argv)
{
    (void)argc;
    (void)argv;
    if (MsgSend(PEER_COID, FAULT_ADDRESS, 8, NULL, 0) != -1 ||
        errno != EFAULT) {
        return 1;
    }
    if (MsgSend(PEER_COID, NULL, 0, FAULT_ADDRESS, 8) != -1 ||
        errno != EFAULT) {
        return 2;
    }
    return MsgSend(PEER_COID, "good", 5, NULL, 0) == 3 ? 0 : 3;
}

TEST(fault, addresses_are_those_of_the_process_that_passed_them)
{
    struct channel channel = channel_open(0);
    char *page = mmap(FAULT_ADDRESS, FAULT_PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    int task = peer_start("fault_sender", channel.coid, NULL);
    struct _msg_info info;
    int rcvid;

    EXPECT(page == FAULT_ADDRESS);
    /* Its first message does not arrive. */
    rcvid = MsgReceive(channel.chid, page, FAULT_PAGE, &info);
    EXPECT_EQ(info.srcmsglen, 0);
    EXPECT_EQ(info.dstmsglen, 8);
    EXPECT_ERRNO(MsgReply(rcvid, 0, page, 8), EFAULT);
    rcvid = MsgReceive(channel.chid, page, FAULT_PAGE, NULL);
    EXPECT(strcmp(page, "good") == 0);
    EXPECT_EQ(MsgReply(rcvid, 3, NULL, 0), 0);
    EXPECT_EQ(portolan_spawn_wait(task), 0);
    munmap(page, FAULT_PAGE);
    channel_close(&channel);
}
