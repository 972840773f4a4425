/* SPDX-License-Identifier: MIT */
#include <ipc/calls.h>
#include <test/ipc/msg_pair.h>

static long
msg_pair_make_channel(struct peer *self)
{
    struct msg_pair *pair = self->arg;

    pair->chid = (int32_t)call_channel_create(0, 0, 0);
    return pair->chid;
}

void
msg_pair_prepare(struct test *t, struct msg_pair *pair,
                 long (*server)(struct peer *self),
                 long (*client)(struct peer *self), void *arg)
{
    struct peer maker;

    pair->server_task = peer_task_create(t);
    pair->client_task = peer_task_create(t);
    maker = (struct peer){ .of = pair->server_task,
                           .fn = msg_pair_make_channel,
                           .arg = pair };
    EXPECT_EQ(peer_play(&maker), 1);
    pair->server =
        (struct peer){ .of = pair->server_task, .fn = server, .arg = arg };
    pair->client =
        (struct peer){ .of = pair->client_task, .fn = client, .arg = arg };
}

long
msg_pair_connect(const struct msg_pair *pair, uint32_t index)
{
    return call_connect_attach(pair->server_task->task->pid, pair->chid, index,
                               0);
}

static long
msg_pair_destroy(struct peer *self)
{
    struct msg_pair *pair = self->arg;

    return call_channel_destroy(pair->chid);
}

void
msg_pair_destroy_channel(struct test *t, struct msg_pair *pair)
{
    struct peer destroyer = { .of = pair->server_task,
                              .fn = msg_pair_destroy,
                              .arg = pair };

    EXPECT_EQ(peer_play(&destroyer), 0);
}
