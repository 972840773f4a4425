/* SPDX-License-Identifier: MIT */
/*
 * Lines 9 and 10: what happens to those who wait when a server process ends or
 * a channel is destroyed.
 */
#include <semaphore.h>
#include <unistd.h>

#include <portolan/calls.h>
#include <portolan/spawn.h>

#include "client.h"

/* What a server does after it has said hello, when it is told to. */
#define DEATH_IDLE    "idle"    /* receives nothing, until it is killed */
#define DEATH_RECEIVE "receive" /* receives a message and tells so */
#define DEATH_EXIT    "exit"    /* the same, and ends */

PEER(death_server, argc, argv)
{
    struct hello hello = { .chid = hello_send() };

    if (argc < 2 || argv[1][0] == DEATH_IDLE[0]) {
        MsgReceive(ChannelCreate(0), NULL, 0, NULL);
    }
    hello.rcvid = MsgReceive(hello.chid, NULL, 0, NULL);
    MsgSend(PEER_COID, &hello, sizeof(hello), NULL, 0);
    if (argv[1][0] == DEATH_EXIT[0]) {
        return 0;
    }
    MsgReceive(ChannelCreate(0), NULL, 0, NULL);
    return 1;
}

/*
 * Have a server process get a message and end.
 *
 * @what  DEATH_...
 *
 * Returns: a connection to what was its channel
 */
static int
death_of_server(const char *what)
{
    struct channel channel = channel_open(0);
    int task = peer_start("death_server", channel.coid, what);
    struct hello hello;
    int coid = hello_receive(channel.chid, &hello);
    struct client client = { .coid = coid };

    client_start(&client);
    if (what[0] == DEATH_IDLE[0]) {
        client_wait(&client, STATE_SEND);
    } else {
        MsgReply(MsgReceive(channel.chid, &hello, sizeof(hello), NULL), 0, NULL,
                 0);
        EXPECT(hello.rcvid > 0);
    }
    if (what[0] != DEATH_EXIT[0]) {
        EXPECT_EQ(portolan_task_kill(task, 3), 0);
    }
    EXPECT_EQ(client_join(&client), -ESRCH);
    portolan_spawn_wait(task);
    channel_close(&channel);
    return coid;
}

TEST(death, of_the_server_ends_a_send)
{
    ConnectDetach(death_of_server(DEATH_IDLE));
}

TEST(death, of_the_server_ends_the_wait_for_a_reply)
{
    ConnectDetach(death_of_server(DEATH_RECEIVE));
}

TEST(death, by_exit_of_the_server_ends_the_wait_for_a_reply)
{
    ConnectDetach(death_of_server(DEATH_EXIT));
}

TEST(death, of_the_server_makes_its_connections_bad)
{
    int coid = death_of_server(DEATH_RECEIVE);

    EXPECT_ERRNO(MsgSend(coid, NULL, 0, NULL, 0), EBADF);
    ConnectDetach(coid);
}

TEST(death, leaves_the_connection_until_its_detach)
{
    int coid = death_of_server(DEATH_RECEIVE);
    struct channel channel = channel_open(0);

    EXPECT(channel.coid != coid);
    channel_close(&channel);
    EXPECT_EQ(ConnectDetach(coid), 0);
    EXPECT_ERRNO(ConnectDetach(coid), EINVAL);
}

TEST(death, of_the_server_refuses_new_connections)
{
    struct channel channel = channel_open(0);
    int task = peer_start("death_server", channel.coid, DEATH_IDLE);
    struct hello hello;
    int coid = hello_receive(channel.chid, &hello);

    EXPECT_EQ(portolan_task_kill(task, 3), 0);
    portolan_spawn_wait(task);
    EXPECT_ERRNO(ConnectAttach(0, hello.pid, hello.chid, _NTO_SIDE_CHANNEL, 0),
                 ESRCH);
    ConnectDetach(coid);
    channel_close(&channel);
}

/* Sends, and is killed. */
PEER(death_client, argc, argv)
{
    (void)argc;
    (void)argv;
    MsgSend(PEER_COID, "x", 1, NULL, 0);
    return 0;
}

TEST(death, of_a_client_that_waits_for_a_reply_makes_the_rcvid_bad)
{
    struct channel channel = channel_open(0);
    int task = peer_start("death_client", channel.coid, NULL);
    char got;
    int rcvid = MsgReceive(channel.chid, &got, 1, NULL);

    EXPECT(rcvid > 0);
    EXPECT_EQ(portolan_task_kill(task, 3), 0);
    EXPECT(portolan_spawn_wait(task) != 0);
    EXPECT_ERRNO(MsgReply(rcvid, 0, NULL, 0), ESRCH);
    channel_close(&channel);
}

/* A thread that receives until it cannot. */
struct receiver {
    int chid;
    int tid;
    int result;
    int error;
    pthread_t thread;
    sem_t ready;
};

static void *
death_receive(void *arg)
{
    struct receiver *receiver = arg;

    receiver->tid = (int)portolan_thread_self();
    sem_post(&receiver->ready);
    receiver->result = MsgReceive(receiver->chid, NULL, 0, NULL);
    receiver->error = errno;
    return NULL;
}

static void
death_receiver_start(struct receiver *receiver, int chid)
{
    receiver->chid = chid;
    sem_init(&receiver->ready, 0, 0);
    EXPECT_EQ(pthread_create(&receiver->thread, NULL, death_receive, receiver),
              0);
    sem_wait(&receiver->ready);
    check_wait_state(-1, receiver->tid, STATE_RECEIVE);
}

TEST(destroy, ends_receives)
{
    struct receiver receivers[3];
    int chid = ChannelCreate(0);

    for (int i = 0; i < 3; i++) {
        death_receiver_start(&receivers[i], chid);
    }
    EXPECT_EQ(ChannelDestroy(chid), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(receivers[i].thread, NULL);
        EXPECT_EQ(receivers[i].result, -1);
        EXPECT_EQ(receivers[i].error, ESRCH);
    }
}

TEST(destroy, ends_sends)
{
    struct channel channel = channel_open(0);
    struct client clients[3];

    for (int i = 0; i < 3; i++) {
        clients[i] = (struct client){ .coid = channel.coid };
        client_block(&clients[i]);
    }
    EXPECT_EQ(ChannelDestroy(channel.chid), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(client_join(&clients[i]), -ESRCH);
    }
    EXPECT_EQ(ConnectDetach(channel.coid), 0);
}

TEST(destroy, ends_the_wait_for_replies)
{
    struct channel channel = channel_open(0);
    struct client client = { .coid = channel.coid };
    int rcvid;

    client_start(&client);
    rcvid = MsgReceive(channel.chid, NULL, 0, NULL);
    EXPECT_EQ(ChannelDestroy(channel.chid), 0);
    EXPECT_EQ(client_join(&client), -ESRCH);
    EXPECT_ERRNO(MsgReply(rcvid, 0, NULL, 0), ESRCH);
    EXPECT_EQ(ConnectDetach(channel.coid), 0);
}

TEST(destroy, makes_connections_bad)
{
    struct channel channel = channel_open(0);

    EXPECT_EQ(ChannelDestroy(channel.chid), 0);
    EXPECT_ERRNO(MsgSend(channel.coid, NULL, 0, NULL, 0), EBADF);
    EXPECT_EQ(ConnectDetach(channel.coid), 0);
}
