/* SPDX-License-Identifier: MIT */
/*
 * Programs that mean ill, or have bad luck: what others do to a thread that
 * waits in a message, and what it may do to them.
 */
#include <stdatomic.h>

#include <arch/types.h>
#include <kern/clock.h>
#include <kern/fail.h>
#include <kern/rcu.h>
#include <ipc/call_error.h>
#include <ipc/calls.h>
#include <ipc/rcvid.h>
#include <portolan/msg.h>
#include <test/ipc/msg_pair.h>
#include <test/ipc/peer.h>

/* Offsets in a program's memory. */
#define HOSTILE_OPTIONS 0

/* Nanoseconds in which something happens that must. */
#define HOSTILE_PATIENCE UINT64_C(20000000000)

/*
 * A server, and a client that sends to it.
 */
struct hostile_case {
    struct test *t;
    struct msg_pair pair;
    uint32_t states;     /* of the client's timeout; 0: no options */
    long sent, received; /* what the calls returned */
    atomic_bool is_over; /* the thread that matters has gone on */
};

/* Connect, and write options that say when to give up. */
static uint32_t
hostile_connect(struct peer *self, uint64_t timeout)
{
    struct hostile_case *c = self->arg;
    struct portolan_msg_options options = { .states = c->states,
                                            .timeout = timeout };
    long coid = msg_pair_connect(&c->pair, 0);

    verify(coid >= 0);
    verify(user_copy_out(self->of->memory + HOSTILE_OPTIONS, &options,
                         sizeof(options)) == 0);
    return (uint32_t)coid;
}

/* Sends nothing. */
static long
hostile_client(struct peer *self)
{
    struct hostile_case *c = self->arg;
    uint32_t coid = hostile_connect(self, clock_now() + 2000000);
    uintptr_t options = self->of->memory + HOSTILE_OPTIONS;

    c->sent = PEER_FAST(
        call_msg_send(coid, 0, 0, 0, 0, c->states != 0 ? options : 0));
    atomic_store(&c->is_over, true);
    return 0;
}

/* Receives, and never replies. */
static long
hostile_server(struct peer *self)
{
    struct hostile_case *c = self->arg;

    c->received = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, 0, 0));
    return 0;
}

static void
hostile_prepare(struct test *t, struct hostile_case *c)
{
    c->t = t;
    msg_pair_prepare(t, &c->pair, hostile_server, hostile_client, c);
}

/* Wait until the thread that matters has gone on; or have its task killed. */
static void
hostile_expect_over(struct hostile_case *c, struct peer *who)
{
    struct test *t = c->t;
    uint64_t deadline = clock_now() + HOSTILE_PATIENCE;

    while (!atomic_load(&c->is_over) && clock_now() < deadline) {
        test_pause();
    }
    EXPECT(atomic_load(&c->is_over));
    if (!atomic_load(&c->is_over)) {
        peer_task_kill(who->of);
    }
    peer_join(who);
}

/*
 * Time
 */

/* The server is there already, so it gets the client's turn. */
static void
hostile_check_handed_off(struct test *t, struct hostile_case *c)
{
    hostile_prepare(t, c);
    peer_start(&c->pair.server, NULL);
    peer_await(&c->pair.server, PORTOLAN_THREAD_RECEIVE);
    peer_start(&c->pair.client, NULL);
    hostile_expect_over(c, &c->pair.client);
    /* It may wait for another one, if the time was over at once. */
    peer_task_kill(c->pair.server_task);
    peer_join(&c->pair.server);
}

TEST(msg, time_to_reply_is_limited_when_the_server_waits)
{
    struct hostile_case c = { .states = PORTOLAN_MSG_TIMEOUT_REPLY };

    hostile_check_handed_off(t, &c);
    EXPECT_EQ(c.sent, CALL_ETIMEDOUT);
}

TEST(msg, time_to_send_and_reply_is_limited_when_the_server_waits)
{
    struct hostile_case c = { .states = PORTOLAN_MSG_TIMEOUT_SEND |
                                        PORTOLAN_MSG_TIMEOUT_REPLY };

    hostile_check_handed_off(t, &c);
    EXPECT_EQ(c.sent, CALL_ETIMEDOUT);
}

/* How long a thread may wait goes up by so many nanoseconds. */
#define HOSTILE_TIME_STEP UINT64_C(20)
#define HOSTILE_TIMES     1000

/* Receives where nobody sends, for a time that is over any moment. */
static long
hostile_hasty(struct peer *self)
{
    struct hostile_case *c = self->arg;
    struct test *t = c->t;
    uintptr_t at = self->of->memory + HOSTILE_OPTIONS;
    struct portolan_msg_options options = {
        .states = PORTOLAN_MSG_TIMEOUT_RECEIVE,
    };
    long result = CALL_ETIMEDOUT;

    for (uint64_t i = 0; result == CALL_ETIMEDOUT && i < HOSTILE_TIMES; i++) {
        options.timeout = clock_now() + i * HOSTILE_TIME_STEP;
        verify(user_copy_out(at, &options, sizeof(options)) == 0);
        result = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, 0, at));
    }
    EXPECT_EQ(result, CALL_ETIMEDOUT);
    atomic_store(&c->is_over, true);
    return 0;
}

TEST(msg, time_that_is_over_at_any_moment_ends_the_wait)
{
    struct hostile_case c = { 0 };

    hostile_prepare(t, &c);
    c.pair.server.fn = hostile_hasty;
    peer_start(&c.pair.server, NULL);
    hostile_expect_over(&c, &c.pair.server);
}

/* Waits until the end of all times. */
static long
hostile_patient(struct peer *self)
{
    struct hostile_case *c = self->arg;
    uintptr_t at = self->of->memory + HOSTILE_OPTIONS;
    struct portolan_msg_options options = {
        .states = PORTOLAN_MSG_TIMEOUT_RECEIVE,
        .timeout = UINT64_MAX - 1,
    };

    verify(user_copy_out(at, &options, sizeof(options)) == 0);
    c->received = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, 0, at));
    return 0;
}

TEST(msg, time_that_never_comes_is_waited_for)
{
    struct hostile_case c = { 0 };

    hostile_prepare(t, &c);
    c.pair.server.fn = hostile_patient;
    peer_start(&c.pair.server, NULL);
    peer_await(&c.pair.server, PORTOLAN_THREAD_RECEIVE);
    thread_sleep(1000000);
    EXPECT_EQ(atomic_load(&c.pair.server.uthread->doing),
              PORTOLAN_THREAD_RECEIVE);
    peer_task_kill(c.pair.server_task);
    peer_join(&c.pair.server);
    EXPECT_EQ(c.received, CALL_EINTR);
}

/*
 * Ends
 */

/* Is told to end while it waits for something else, then sends. */
static long
hostile_ending_client(struct peer *self)
{
    thread_request_end(thread_self());
    /* A wait for a page, a mutex or memory uses the permit up. */
    thread_park(CLOCK_NEVER);
    return hostile_client(self);
}

TEST(msg, client_that_is_to_end_does_not_wait_for_the_server)
{
    struct hostile_case c = { 0 };

    hostile_prepare(t, &c);
    c.pair.client.fn = hostile_ending_client;
    peer_start(&c.pair.server, NULL);
    peer_await(&c.pair.server, PORTOLAN_THREAD_RECEIVE);
    peer_start(&c.pair.client, NULL);
    hostile_expect_over(&c, &c.pair.client);
    EXPECT_EQ(c.sent, CALL_EINTR);
    peer_task_kill(c.pair.server_task);
    peer_join(&c.pair.server);
}

/* Sends to its own channel. */
static long
hostile_narcissist(struct peer *self)
{
    struct hostile_case *c = self->arg;
    uint32_t coid = hostile_connect(self, 0);

    c->sent = PEER_FAST(call_msg_send(coid, 0, 0, 0, 0, 0));
    return 0;
}

TEST(msg, client_of_itself_can_be_killed)
{
    struct hostile_case c = { 0 };

    hostile_prepare(t, &c);
    c.pair.server.fn = hostile_narcissist;
    peer_start(&c.pair.server, NULL);
    peer_await(&c.pair.server, PORTOLAN_THREAD_SEND);
    peer_task_kill(c.pair.server_task);
    peer_join(&c.pair.server);
    EXPECT_EQ(c.sent, CALL_EINTR);
}

/*
 * Ends in the middle of a copy
 */

#define HOSTILE_LIST PAGE_SIZE

/* Write a list of parts that are all the program's memory each. */
static uintptr_t
hostile_vast_list(struct peer *self)
{
    struct portolan_iov part = { self->of->memory, PEER_MEMORY };
    uintptr_t list = self->of->memory + HOSTILE_LIST;

    for (size_t i = 0; i < PORTOLAN_IOV_MAX; i++) {
        verify(user_copy_out(list + i * sizeof(part), &part, sizeof(part)) ==
               0);
    }
    return list;
}

static long
hostile_vast_client(struct peer *self)
{
    struct hostile_case *c = self->arg;
    uint32_t coid = hostile_connect(self, 0);
    uintptr_t list = hostile_vast_list(self);

    c->sent = PEER_FAST(call_msg_sendv(coid, list, PORTOLAN_IOV_MAX, list,
                                       PORTOLAN_IOV_MAX, 0));
    return 0;
}

static long
hostile_vast_receive(struct peer *self)
{
    struct hostile_case *c = self->arg;
    uintptr_t list = hostile_vast_list(self);

    peer_await(&c->pair.client, PORTOLAN_THREAD_SEND);
    atomic_store(&c->is_over, true);
    return PEER_FAST(
        call_msg_receivev(c->pair.chid, list, PORTOLAN_IOV_MAX, 0, 0));
}

/* Receive nothing of the message yet, and be about to do more. */
static int32_t
hostile_vast_begin(struct peer *self)
{
    struct hostile_case *c = self->arg;
    long rcvid = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, 0, 0));

    atomic_store(&c->is_over, true);
    return (int32_t)rcvid;
}

static long
hostile_vast_reply(struct peer *self)
{
    uintptr_t list = hostile_vast_list(self);
    int32_t rcvid = hostile_vast_begin(self);

    return PEER_FAST(call_msg_replyv(rcvid, 0, list, PORTOLAN_IOV_MAX, 0));
}

static long
hostile_vast_read(struct peer *self)
{
    uintptr_t list = hostile_vast_list(self);

    return call_msg_readv(hostile_vast_begin(self), list, PORTOLAN_IOV_MAX, 0);
}

static long
hostile_vast_write(struct peer *self)
{
    uintptr_t list = hostile_vast_list(self);

    return call_msg_writev(hostile_vast_begin(self), list, PORTOLAN_IOV_MAX, 0);
}

/* Kill the server, or its client, that copies 2 GiB, which takes long. */
static void
hostile_check_vast(struct test *t, long (*fn)(struct peer *self),
                   bool kills_client)
{
    struct hostile_case c = { 0 };

    hostile_prepare(t, &c);
    c.pair.server.fn = fn;
    c.pair.client.fn = hostile_vast_client;
    peer_start(&c.pair.client, NULL);
    peer_start(&c.pair.server, NULL);
    while (!atomic_load(&c.is_over)) {
        test_pause();
    }
    peer_task_kill(kills_client ? c.pair.client_task : c.pair.server_task);
    if (kills_client) {
        peer_join(&c.pair.client);
        EXPECT_EQ(c.sent, CALL_EINTR);
        peer_task_kill(c.pair.server_task);
        peer_join(&c.pair.server);
    } else {
        EXPECT_EQ(peer_join(&c.pair.server), CALL_EINTR);
        peer_join(&c.pair.client);
        EXPECT_EQ(c.sent, CALL_ESRCH);
    }
}

TEST(msg, killed_server_stops_receiving)
{
    hostile_check_vast(t, hostile_vast_receive, false);
}

TEST(msg, killed_server_stops_replying)
{
    hostile_check_vast(t, hostile_vast_reply, false);
}

TEST(msg, killed_server_stops_reading)
{
    hostile_check_vast(t, hostile_vast_read, false);
}

TEST(msg, killed_server_stops_writing)
{
    hostile_check_vast(t, hostile_vast_write, false);
}

TEST(msg, killed_client_stops_being_received)
{
    hostile_check_vast(t, hostile_vast_receive, true);
}

TEST(msg, killed_client_stops_being_replied_to)
{
    hostile_check_vast(t, hostile_vast_reply, true);
}

TEST(msg, killed_client_stops_being_read)
{
    hostile_check_vast(t, hostile_vast_read, true);
}

/*
 * Results
 */

/* Replies with the status that is furthest from any other. */
static long
hostile_odd_server(struct peer *self)
{
    struct hostile_case *c = self->arg;

    c->received = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, 0, 0));
    return PEER_FAST(call_msg_reply((int32_t)c->received, INT64_MIN, 0, 0, 0));
}

TEST(msg, every_status_is_the_clients_result)
{
    struct hostile_case c = { 0 };

    hostile_prepare(t, &c);
    c.pair.server.fn = hostile_odd_server;
    peer_start(&c.pair.server, NULL);
    peer_start(&c.pair.client, NULL);
    peer_join(&c.pair.client);
    EXPECT_EQ(peer_join(&c.pair.server), 0);
    EXPECT_EQ(c.sent, INT64_MIN);
}

/*
 * Numbers
 */

static bool
hostile_has_message(uint32_t rcvid)
{
    bool is_found;

    rcu_read_lock();
    is_found = rcvid_find(rcvid) != NULL;
    rcu_read_unlock();
    return is_found;
}

/* There are fewer numbers than threads that others may forget to join. */
TEST(msg, thread_that_ended_holds_no_number)
{
    struct hostile_case c = { 0 };
    struct uthread *uthread;

    hostile_prepare(t, &c);
    peer_start(&c.pair.client, NULL);
    peer_start(&c.pair.server, NULL);
    peer_join(&c.pair.server);
    EXPECT(hostile_has_message((uint32_t)c.received));
    uthread = c.pair.client.uthread;
    uthread_get(uthread);
    peer_task_kill(c.pair.client_task);
    peer_join(&c.pair.client);
    EXPECT(!hostile_has_message((uint32_t)c.received));
    uthread_put(uthread);
}

#define HOSTILE_ROUNDS 500

/* Results that tell who replied. */
#define HOSTILE_BY_SERVER  1
#define HOSTILE_BY_GUESSER 2

/*
 * A task with two channels, each with a thread that serves it, and one that
 * replies to numbers that others may have received; a client of both.
 */
struct hostile_guess {
    struct test *t;
    struct peer_task *server_task, *client_task;
    struct peer servers[2], guesser, client;
    atomic_uint last;    /* number that was received */
    atomic_bool is_over; /* the client has gone */
    uint64_t nr_rounds;
};

static long
hostile_guess_serve(struct peer *self)
{
    struct hostile_guess *c = self->arg;
    long rcvid, chid = call_channel_create(0, 0, 0);

    verify(chid == self - c->servers + 1);
    do {
        rcvid = PEER_FAST(call_msg_receive((int32_t)chid, 0, 0, 0, 0));
        atomic_store(&c->last, (unsigned int)rcvid);
        if (rcvid > 0) {
            PEER_FAST(
                call_msg_reply((int32_t)rcvid, HOSTILE_BY_SERVER, 0, 0, 0));
        }
    } while (rcvid > 0);
    return rcvid;
}

static long
hostile_guess_client(struct peer *self)
{
    struct hostile_guess *c = self->arg;
    struct test *t = c->t;
    int32_t pid = c->server_task->task->pid;
    uint32_t coids[2];

    for (int32_t i = 0; i < 2; i++) {
        coids[i] = (uint32_t)call_connect_attach(pid, i + 1, 0, 0);
    }
    for (uint64_t i = 0; i < c->nr_rounds; i++) {
        long by = PEER_FAST(call_msg_send(coids[i % 2], 0, 0, 0, 0, 0));

        EXPECT(by == HOSTILE_BY_SERVER || by == HOSTILE_BY_GUESSER);
    }
    atomic_store(&c->is_over, true);
    return 0;
}

static long
hostile_guesser(struct peer *self)
{
    struct hostile_guess *c = self->arg;
    uintptr_t memory = self->of->memory;

    while (!atomic_load(&c->is_over)) {
        int32_t rcvid = (int32_t)atomic_load(&c->last);

        call_msg_info(rcvid, memory);
        call_msg_read(rcvid + 1, memory, 8, 0);
        PEER_FAST(call_msg_reply(rcvid + 1, HOSTILE_BY_GUESSER, 0, 0, 0));
        PEER_FAST(call_msg_reply(rcvid, HOSTILE_BY_GUESSER, 0, 0, 0));
        thread_yield();
    }
    return 0;
}

TEST(msg, guessed_numbers_do_no_harm)
{
    struct hostile_guess c = { .t = t,
                               .nr_rounds = HOSTILE_ROUNDS * t->iterations };

    c.server_task = peer_task_create(t);
    c.client_task = peer_task_create(t);
    c.guesser =
        (struct peer){ .of = c.server_task, .fn = hostile_guesser, .arg = &c };
    c.client = (struct peer){ .of = c.client_task,
                              .fn = hostile_guess_client,
                              .arg = &c };
    for (int i = 0; i < 2; i++) {
        c.servers[i] = (struct peer){ .of = c.server_task,
                                      .fn = hostile_guess_serve,
                                      .arg = &c };
        peer_start(&c.servers[i], NULL);
        peer_await(&c.servers[i], PORTOLAN_THREAD_RECEIVE);
    }
    peer_start(&c.guesser, NULL);
    peer_start(&c.client, NULL);
    peer_join(&c.client);
    peer_join(&c.guesser);
    peer_task_kill(c.server_task);
    for (int i = 0; i < 2; i++) {
        peer_join(&c.servers[i]);
    }
}

/*
 * Without memory
 */

/* More allocations than anything here makes. */
#define HOSTILE_SITES 200

/* Rights that go with a message, and room for them. */
#define HOSTILE_RIGHTS 2
#define HOSTILE_GIVEN  (100 * PAGE_SIZE)
#define HOSTILE_GOT    (101 * PAGE_SIZE)

/* Write options that give rights, or take some. */
static uintptr_t
hostile_rights(struct peer *self, const struct portolan_msg_right *given,
               uint32_t nr_given, uint32_t states)
{
    uintptr_t memory = self->of->memory;
    struct portolan_msg_options options = {
        .states = states, /* at once */
        .send = memory + HOSTILE_GIVEN,
        .nr_send = nr_given,
        .receive = memory + HOSTILE_GOT,
        .max_receive = HOSTILE_RIGHTS,
    };

    verify(user_copy_out(memory + HOSTILE_OPTIONS, &options, sizeof(options)) ==
           0);
    verify(user_copy_out(memory + HOSTILE_GIVEN, given,
                         nr_given * sizeof(*given)) == 0);
    return memory + HOSTILE_OPTIONS;
}

/* Send much to one's own channel, with rights, where nobody receives. */
static long
hostile_send_to_self(struct peer *self, int32_t chid, uintptr_t list)
{
    long coid = call_connect_attach(0, chid, PORTOLAN_SIDE_CHANNEL, 0);
    long minted = coid < 0 ? coid : call_channel_mint(chid, 1, 0, 0);
    struct portolan_msg_right given[HOSTILE_RIGHTS] = {
        { .name = (int32_t)coid },
        { .name = (int32_t)minted, .flags = PORTOLAN_MSG_RIGHT_MOVE },
    };
    long result = minted;

    if (result >= 0) {
        uintptr_t options = hostile_rights(self, given, HOSTILE_RIGHTS,
                                           PORTOLAN_MSG_TIMEOUT_SEND);

        result =
            PEER_FAST(call_msg_sendv((uint32_t)coid, list, PORTOLAN_IOV_MAX,
                                     list, PORTOLAN_IOV_MAX, options));
        verify(call_connect_detach((uint32_t)minted) == 0);
    }
    if (coid >= 0) {
        verify(call_connect_detach((uint32_t)coid) == 0);
    }
    return result;
}

static long
hostile_poor_client(struct peer *self)
{
    struct hostile_case *c = self->arg;
    struct test *t = c->t;
    uintptr_t list = hostile_vast_list(self);
    struct fail fail;
    uint64_t at = 0;
    long result;

    do {
        long chid;

        fail_begin_at(&fail, at++);
        chid = call_channel_create(0, 0, 0);
        result = chid < 0 ? chid
                          : hostile_send_to_self(self, (int32_t)chid, list);
        fail_end(&fail);
        EXPECT(result == CALL_ETIMEDOUT || fail.nr_failed != 0);
        EXPECT(result == CALL_ETIMEDOUT || result == CALL_ENOMEM ||
               result == CALL_EAGAIN);
        if (chid >= 0) {
            EXPECT_EQ(call_channel_destroy((int32_t)chid), 0);
        }
    } while (fail.nr_failed != 0 && at < HOSTILE_SITES);
    EXPECT_EQ(result, CALL_ETIMEDOUT);
    return 0;
}

TEST(msg, sending_fails_at_each_allocation_and_leaves_nothing)
{
    struct hostile_case c = { 0 };

    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    hostile_prepare(t, &c);
    c.pair.client.fn = hostile_poor_client;
    peer_play(&c.pair.client);
}

/* Sends rights, until the server is no more. */
static long
hostile_generous_client(struct peer *self)
{
    struct hostile_case *c = self->arg;
    uint32_t coid = hostile_connect(self, 0);
    struct portolan_msg_right given[HOSTILE_RIGHTS];
    uintptr_t options;

    verify(call_channel_create(0, 0, 0) == 1);
    for (uint64_t i = 0; i < HOSTILE_RIGHTS; i++) {
        given[i] = (struct portolan_msg_right){
            .name = (int32_t)call_channel_mint(1, i, 0, 0),
        };
    }
    options = hostile_rights(self, given, HOSTILE_RIGHTS, 0);
    do {
        c->sent = PEER_FAST(call_msg_send(coid, 0, 0, 0, 0, options));
    } while (c->sent == 0);
    return c->sent;
}

/* Close what was got with a message.  Returns: how many */
static uint64_t
hostile_drop_got(struct peer *self)
{
    struct portolan_msg_right got[HOSTILE_RIGHTS];
    struct portolan_msg_options options;

    verify(user_copy_in(&options, self->of->memory + HOSTILE_OPTIONS,
                        sizeof(options)) == 0);
    verify(user_copy_in(got, self->of->memory + HOSTILE_GOT, sizeof(got)) == 0);
    for (uint64_t i = 0; i < options.nr_receive; i++) {
        verify(call_connect_detach((uint32_t)got[i].name) == 0);
    }
    return options.nr_receive;
}

static long
hostile_poor_server(struct peer *self)
{
    struct hostile_case *c = self->arg;
    struct test *t = c->t;
    uint64_t at = 0, nr_got;
    struct fail fail;

    do {
        uintptr_t options = hostile_rights(self, NULL, 0, 0);
        long rcvid;

        fail_begin_at(&fail, at++);
        rcvid = PEER_FAST(call_msg_receive(c->pair.chid, 0, 0, 0, options));
        fail_end(&fail);
        EXPECT(rcvid > 0 || rcvid == CALL_ENOMEM);
        nr_got = rcvid > 0 ? hostile_drop_got(self) : 0;
        EXPECT(nr_got == 0 || nr_got == HOSTILE_RIGHTS);
        if (rcvid > 0) {
            EXPECT_EQ(PEER_FAST(call_msg_reply((int32_t)rcvid, 0, 0, 0, 0)), 0);
        }
    } while (fail.nr_failed != 0 && at < HOSTILE_SITES);
    EXPECT_EQ(nr_got, HOSTILE_RIGHTS);
    return call_channel_destroy(c->pair.chid);
}

TEST(msg, receiving_fails_at_each_allocation_and_leaves_nothing)
{
    struct hostile_case c = { 0 };

    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    hostile_prepare(t, &c);
    c.pair.server.fn = hostile_poor_server;
    c.pair.client.fn = hostile_generous_client;
    peer_start(&c.pair.client, NULL);
    EXPECT_EQ(peer_play(&c.pair.server), 0);
    /* It is in time for the port's death, or comes after it. */
    peer_join(&c.pair.client);
    EXPECT(c.sent == CALL_ESRCH || c.sent == CALL_EBADF);
}
