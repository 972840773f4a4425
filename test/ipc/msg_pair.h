/* SPDX-License-Identifier: MIT */
/*
 * For tests of messages: a server with a channel, and a client, in a task each.
 */
#ifndef TEST_IPC_MSG_PAIR_H
#define TEST_IPC_MSG_PAIR_H

#include <stdint.h>

#include <test/ipc/peer.h>
#include <test/test.h>

/* An address where no program of these has memory. */
#define MSG_NOWHERE UINT64_C(0x12345000)

struct msg_pair {
    struct peer_task *server_task, *client_task;
    struct peer server, client; /* not started */
    int32_t chid;               /* of the server's channel, its first */
};

/*
 * Make both tasks, and the channel.
 *
 * @server, @client  what they do, with @arg
 */
void msg_pair_prepare(struct test *t, struct msg_pair *pair,
                      long (*server)(struct peer *self),
                      long (*client)(struct peer *self), void *arg);

/* Have the calling program connect to the channel; as call_connect_attach(). */
long msg_pair_connect(const struct msg_pair *pair, uint32_t index);

/* Have the server's task destroy the channel. */
void msg_pair_destroy_channel(struct test *t, struct msg_pair *pair);

#endif /* TEST_IPC_MSG_PAIR_H */
