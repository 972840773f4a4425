/* SPDX-License-Identifier: MIT */
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include <portolan/calls.h>

#include "client.h"

/* Posted by a client that has its tid. */
static sem_t client_ready;

struct channel
channel_open(unsigned int flags)
{
    struct channel channel;

    channel.chid = ChannelCreate(flags);
    EXPECT(channel.chid > 0);
    channel.coid =
        ConnectAttach(ND_LOCAL_NODE, 0, channel.chid, _NTO_SIDE_CHANNEL, 0);
    EXPECT(channel.coid != -1);
    return channel;
}

void
channel_close(struct channel *channel)
{
    EXPECT_EQ(ConnectDetach(channel->coid), 0);
    EXPECT_EQ(ChannelDestroy(channel->chid), 0);
}

static void *
client_run(void *arg)
{
    struct client *client = arg;

    client->tid = (int)portolan_thread_self();
    sem_post(&client_ready);
    if (client->sparts == 0 && client->rparts == 0) {
        client->status = MsgSend(client->coid, client->smsg, client->sbytes,
                                 client->rmsg, client->rbytes);
    } else {
        client->status = MsgSendv(client->coid, client->siov, client->sparts,
                                  client->riov, client->rparts);
    }
    client->error = client->status == -1 ? errno : 0;
    return NULL;
}

void
client_start(struct client *client)
{
    struct sched_param param = { .sched_priority = client->priority };
    pthread_attr_t attr;

    sem_init(&client_ready, 0, 0);
    pthread_attr_init(&attr);
    if (client->priority != 0) {
        pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy(&attr, SCHED_RR);
        pthread_attr_setschedparam(&attr, &param);
    }
    if (!EXPECT_EQ(pthread_create(&client->thread, &attr, client_run, client),
                   0)) {
        _exit(EXIT_FAILURE);
    }
    pthread_attr_destroy(&attr);
    while (sem_wait(&client_ready) != 0) {
    }
}

void
client_wait(struct client *client, int state)
{
    check_wait_state(PORTOLAN_SELF, client->tid, state);
}

long
client_join(struct client *client)
{
    EXPECT_EQ(pthread_join(client->thread, NULL), 0);
    return client->status == -1 ? -client->error : client->status;
}

void
client_block(struct client *client)
{
    client_start(client);
    client_wait(client, STATE_SEND);
}

int
hello_receive(int chid, struct hello *hello)
{
    int rcvid, coid;

    rcvid = MsgReceive(chid, hello, sizeof(*hello), NULL);
    if (!EXPECT(rcvid > 0)) {
        return -1;
    }
    coid = ConnectAttach(ND_LOCAL_NODE, hello->pid, hello->chid,
                         _NTO_SIDE_CHANNEL, 0);
    EXPECT(coid != -1);
    EXPECT_EQ(MsgReply(rcvid, EOK, NULL, 0), 0);
    return coid;
}

int
hello_send(void)
{
    struct hello hello = { .pid = getpid(),
                           .tid = (int)portolan_thread_self(),
                           .chid = ChannelCreate(0) };

    MsgSend(PEER_COID, &hello, sizeof(hello), NULL, 0);
    return hello.chid;
}
