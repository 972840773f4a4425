/* SPDX-License-Identifier: MIT */
/*
 * Options of messages: rights that go with them, and limits of time.
 */
#include <arch/types.h>
#include <kern/clock.h>
#include <ipc/call_error.h>
#include <ipc/calls.h>
#include <lib/macros.h>
#include <portolan/msg.h>
#include <test/ipc/msg_pair.h>
#include <test/ipc/peer.h>

/* Offsets in a program's memory. */
#define MSG_OPTIONS (402 * PAGE_SIZE)
#define MSG_RIGHTS  (403 * PAGE_SIZE)

/*
 * A client that sends with options, and a server.
 */
struct options_case {
    struct msg_pair pair;
    size_t sbytes;   /* of the client */
    uint32_t states; /* of its timeout */
    uint32_t room;   /* for rights, of the server */
    uintptr_t receive_to;
    size_t receive_size;
    long sent, received;
};

/*
 * Rights in messages
 */

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
    struct options_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_msg_right rights[2] = {
        { .flags = PORTOLAN_MSG_RIGHT_MOVE },
    };
    long coid = msg_pair_connect(&c->pair, PORTOLAN_SIDE_CHANNEL);
    uintptr_t options;

    EXPECT_EQ(call_channel_create(0, 0, 0), 1);
    rights[0].name = (int32_t)call_channel_mint(1, 111, 5, 0);
    rights[1].name = (int32_t)call_channel_mint(1, 222, 6, 0);
    EXPECT_EQ(rights[0].name, 5);
    options = msg_options(memory, rights, 2, 0);
    c->sent = PEER_FAST(
        call_msg_send((uint32_t)coid, memory, c->sbytes, memory, 0, options));
    EXPECT_EQ(call_connect_detach(5), c->room != 0 ? CALL_EINVAL : 0);
    EXPECT_EQ(call_connect_detach(6), 0);
    return 0;
}

/* Takes them, sends through one, and looks whose message it is. */
static long
msg_taker(struct peer *self)
{
    struct options_case *c = self->arg;
    struct test *t = self->of->t;
    uintptr_t memory = self->of->memory;
    struct portolan_msg_right rights[2];
    uintptr_t options;

    options = msg_options(memory, NULL, 0, c->room);
    c->received = PEER_FAST(call_msg_receive(c->pair.chid, c->receive_to,
                                             c->receive_size, 0, options));
    EXPECT_EQ(msg_got(memory, rights, 2), c->received > 0 ? c->room : 0);
    if (c->received > 0 && c->room == 2) {
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
msg_transfer(struct test *t, struct options_case *c)
{
    msg_pair_prepare(t, &c->pair, msg_taker, msg_giver, c);
    peer_start(&c->pair.server, NULL);
    peer_start(&c->pair.client, NULL);
    EXPECT_EQ(peer_join(&c->pair.client), 0);
    peer_join(&c->pair.server);
}

TEST(call_msg, rights_are_given_with_their_labels)
{
    struct options_case c = { .room = 2 };

    msg_transfer(t, &c);
    EXPECT_EQ(c.sent, 0);
}

TEST(call_msg, rights_without_room_stay)
{
    struct options_case c = { .room = 0 };

    msg_transfer(t, &c);
    EXPECT_EQ(c.sent, 0);
}

TEST(call_msg, rights_of_a_message_that_fails_stay)
{
    struct options_case c = {
        .room = 0, .sbytes = 10, .receive_size = 10, .receive_to = MSG_NOWHERE
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
    EXPECT_EQ(msg_send_options(coid,
                               msg_options(memory, many,
                                           PORTOLAN_MSG_RIGHTS_MAX + 1, 0)),
              CALL_EINVAL);
    EXPECT_EQ(msg_send_options(coid, MSG_NOWHERE), CALL_EFAULT);
    return 0;
}

TEST(call_msg, bad_rights_are_told)
{
    struct peer peer = { .of = peer_task_create(t), .fn = msg_bad_rights };

    peer_play(&peer);
}

/*
 * Limits of time
 */

static long
msg_receiver(struct peer *self)
{
    struct options_case *c = self->arg;

    return PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, 0, 0));
}

static long
msg_timed_client(struct peer *self)
{
    struct options_case *c = self->arg;
    uintptr_t memory = self->of->memory;
    struct portolan_msg_options options = {
        .states = c->states,
        .timeout = clock_now() + 2000000,
    };
    long coid = msg_pair_connect(&c->pair, 0);

    verify(user_copy_out(memory + MSG_OPTIONS, &options, sizeof(options)) == 0);
    c->sent = PEER_FAST(
        call_msg_send((uint32_t)coid, 0, 0, 0, 0, memory + MSG_OPTIONS));
    return coid;
}

TEST(call_msg, time_to_send_is_limited)
{
    struct options_case c = { .states = PORTOLAN_MSG_TIMEOUT_SEND };

    msg_pair_prepare(t, &c.pair, NULL, msg_timed_client, &c);
    EXPECT_EQ(peer_play(&c.pair.client), 0);
    EXPECT_EQ(c.sent, CALL_ETIMEDOUT);
}

TEST(call_msg, time_to_reply_is_limited)
{
    struct options_case c = { .states = PORTOLAN_MSG_TIMEOUT_REPLY };

    msg_pair_prepare(t, &c.pair, msg_receiver, msg_timed_client, &c);
    peer_start(&c.pair.client, NULL);
    /* It is over by then; but it was not meant for the queue. */
    thread_sleep(4000000);
    EXPECT_EQ(atomic_load(&c.pair.client.uthread->doing), PORTOLAN_THREAD_SEND);
    EXPECT(peer_play(&c.pair.server) > 0);
    peer_join(&c.pair.client);
    EXPECT_EQ(c.sent, CALL_ETIMEDOUT);
}
