/* SPDX-License-Identifier: MIT */
/*
 * Messages from many threads to many threads of a server, some of whose
 * clients are killed at any time: each gets the answer to what it asked, no
 * message is answered twice, nothing is left.
 */
#include <stdatomic.h>

#include <arch/types.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <ipc/call_error.h>
#include <ipc/calls.h>
#include <lib/rand.h>
#include <lib/string.h>
#include <portolan/msg.h>
#include <test/ipc/peer.h>

#define TORTURE_CLIENTS 4
#define TORTURE_SERVERS 3
#define TORTURE_ROUNDS  200
#define TORTURE_KILLS   10

/* Most bytes of a message; each thread has so much of its task's memory. */
#define TORTURE_BYTES (3 * PAGE_SIZE)

/* What a message begins with. */
struct torture_head {
    uint64_t size;  /* of the message */
    uint64_t reply; /* bytes that are wanted */
    uint64_t byte;  /* that all is filled with behind this */
};

struct torture_shared {
    struct test *t;
    struct peer_task *server_task;
    int32_t chid;
    atomic_ulong nr_replied; /* by servers, and the client waited */
    atomic_ulong nr_answers; /* that clients got */
    uint64_t nr_rounds;
};

struct torture_peer {
    struct peer peer;
    struct torture_shared *shared;
    struct rand rand;
    uintptr_t memory; /* its own part */
};

/*
 * Clients
 */

/* Send once.  Returns: false: the thread is to end */
static bool
torture_ask(struct torture_peer *self, uint32_t coid)
{
    struct test *t = self->shared->t;
    struct torture_head head = {
        .size = sizeof(head) +
                rand_below(&self->rand, TORTURE_BYTES - sizeof(head)),
        .reply = rand_below(&self->rand, TORTURE_BYTES),
        .byte = rand_below(&self->rand, 256),
    };
    uintptr_t reply = self->memory + TORTURE_BYTES;
    long result;

    peer_fill(self->memory, (int)head.byte, head.size);
    peer_fill(reply, 0, head.reply);
    verify(user_copy_out(self->memory, &head, sizeof(head)) == 0);
    result = PEER_FAST(
        call_msg_send(coid, self->memory, head.size, reply, head.reply, 0));
    if (result == CALL_EINTR) {
        return false;
    }
    EXPECT_EQ(result, head.byte);
    EXPECT(peer_has(reply, (int)head.byte ^ 0x5a, head.reply));
    atomic_fetch_add(&self->shared->nr_answers, 1);
    return true;
}

static long
torture_client(struct peer *peer)
{
    struct torture_peer *self = peer->arg;
    struct torture_shared *shared = self->shared;
    long coid =
        call_connect_attach(shared->server_task->task->pid, shared->chid, 0, 0);

    for (uint64_t i = 0; coid >= 0 && i < shared->nr_rounds; i++) {
        if (!torture_ask(self, (uint32_t)coid)) {
            break;
        }
    }
    return coid;
}

/*
 * Servers
 */

/* Read what did not fit, and look at all of it. */
static void
torture_check(struct torture_peer *self, int32_t rcvid,
              const struct torture_head *head, size_t got)
{
    struct test *t = self->shared->t;
    size_t rest = head->size - got;
    long result = (long)rest;

    if (rest != 0) {
        result = call_msg_read(rcvid, self->memory + got, rest, got);
    }
    if (result != CALL_ESRCH) {
        EXPECT_EQ(result, rest);
        EXPECT(peer_has(self->memory + sizeof(*head), (int)head->byte,
                        head->size - sizeof(*head)));
    }
}

/* Answer; in two parts now and then. */
static long
torture_answer(struct torture_peer *self, int32_t rcvid,
               const struct torture_head *head)
{
    uintptr_t from = self->memory + TORTURE_BYTES;
    size_t first = head->reply;
    long result = 0;

    peer_fill(from, (int)head->byte ^ 0x5a, head->reply);
    if (rand_below(&self->rand, 4) == 0) {
        first = rand_below(&self->rand, head->reply + 1);
        result = call_msg_write(rcvid, from, head->reply - first, first);
    }
    if (rand_below(&self->rand, 8) == 0) {
        thread_yield();
    }
    return result < 0 ? result
                      : PEER_FAST(call_msg_reply(rcvid, (long)head->byte, from,
                                                 first, 0));
}

static long
torture_server(struct peer *peer)
{
    struct torture_peer *self = peer->arg;
    struct test *t = self->shared->t;

    for (;;) {
        struct torture_head head;
        size_t room = sizeof(head) + rand_below(&self->rand, TORTURE_BYTES);
        long rcvid, result;

        room = MIN(room, TORTURE_BYTES);
        rcvid = PEER_FAST(
            call_msg_receive(self->shared->chid, self->memory, room, 0, 0));
        if (rcvid <= 0) {
            return rcvid;
        }
        verify(user_copy_in(&head, self->memory, sizeof(head)) == 0);
        torture_check(self, (int32_t)rcvid, &head, MIN(room, head.size));
        result = torture_answer(self, (int32_t)rcvid, &head);
        EXPECT(result == 0 || result == CALL_ESRCH);
        if (result == 0) {
            atomic_fetch_add(&self->shared->nr_replied, 1);
        }
    }
}

/*
 * All of it
 */

static void
torture_begin(struct torture_peer *self, struct torture_shared *shared,
              struct peer_task *of, unsigned int nr,
              long (*fn)(struct peer *self))
{
    self->shared = shared;
    rand_init(&self->rand, rand_u64(&shared->t->rand));
    self->memory = of->memory + nr * 2 * TORTURE_BYTES;
    self->peer = (struct peer){ .of = of, .fn = fn, .arg = self };
    peer_start(&self->peer, NULL);
}

static long
torture_channel(struct peer *peer)
{
    struct torture_shared *shared = peer->arg;

    shared->chid = (int32_t)call_channel_create(0, 0, 0);
    return shared->chid;
}

static long
torture_destroy(struct peer *peer)
{
    struct torture_shared *shared = peer->arg;

    return call_channel_destroy(shared->chid);
}

/* Kill a task with two threads that send. */
static void
torture_kill(struct torture_shared *shared, uint64_t delay)
{
    struct peer_task *victim = peer_task_make(shared->t);
    struct torture_peer peers[2];

    for (unsigned int i = 0; i < 2; i++) {
        torture_begin(&peers[i], shared, victim, i, torture_client);
    }
    thread_sleep(delay);
    peer_task_kill(victim);
    peer_join(&peers[0].peer);
    peer_join(&peers[1].peer);
    peer_task_destroy(victim);
}

TEST(msg, torture_answers_are_right_whoever_is_killed)
{
    struct torture_shared shared = {
        .t = t, .nr_rounds = TORTURE_ROUNDS * t->iterations
    };
    struct torture_peer clients[TORTURE_CLIENTS], servers[TORTURE_SERVERS];
    struct peer_task *client_task;
    struct peer maker;

    shared.server_task = peer_task_create(t);
    client_task = peer_task_create(t);
    maker = (struct peer){ .of = shared.server_task,
                           .fn = torture_channel,
                           .arg = &shared };
    EXPECT_EQ(peer_play(&maker), 1);
    for (unsigned int i = 0; i < TORTURE_SERVERS; i++) {
        torture_begin(&servers[i], &shared, shared.server_task, i,
                      torture_server);
    }
    for (unsigned int i = 0; i < TORTURE_CLIENTS; i++) {
        torture_begin(&clients[i], &shared, client_task, i, torture_client);
    }
    for (unsigned int i = 0; i < TORTURE_KILLS * t->iterations; i++) {
        torture_kill(&shared, rand_below(&t->rand, 2000000));
    }
    for (unsigned int i = 0; i < TORTURE_CLIENTS; i++) {
        EXPECT(peer_join(&clients[i].peer) >= 0);
    }
    maker.fn = torture_destroy;
    EXPECT_EQ(peer_play(&maker), 0);
    for (unsigned int i = 0; i < TORTURE_SERVERS; i++) {
        EXPECT_EQ(peer_join(&servers[i].peer), CALL_ESRCH);
    }
    EXPECT(atomic_load(&shared.nr_answers) >=
           TORTURE_CLIENTS * shared.nr_rounds);
    EXPECT(atomic_load(&shared.nr_replied) >= atomic_load(&shared.nr_answers));
}
