/* SPDX-License-Identifier: MIT */
#include <kern/container.h>
#include <ipc/calls.h>
#include <ipc/connection.h>
#include <ipc/console_reads.h>
#include <ipc/message.h>
#include <ipc/right_table.h>
#include <test/ipc/peer.h>

/* Numbers of nobody's messages. */
#define READS_DEAD 5000

#define READS_CLIENTS 3

/* Take all that are left. */
static void
reads_drain(struct console_reads *reads)
{
    while (reads->nr != 0) {
        console_reads_next(reads);
    }
}

TEST(console_reads, those_that_nobody_waits_for_are_forgotten)
{
    static struct console_reads reads;

    console_reads_init(&reads);
    for (uint32_t i = 0; i < READS_DEAD; i++) {
        EXPECT_EQ(console_reads_add(&reads, 0), 0);
        EXPECT(reads.nr <= CONSOLE_READS_MIN);
    }
    reads_drain(&reads);
}

/* Sends to a port of the kernel. */
static long
reads_client(struct peer *self)
{
    struct port *port = self->arg;
    struct right *right;
    uint32_t coid = 0;
    long result;

    verify(connection_right(port, self->of->task, 0, &right) == OK);
    verify(right_table_insert(&self->of->task->rights, right, 0, 0, &coid) ==
           OK);
    right_put(right);
    result = PEER_FAST(call_msg_send(coid, 0, 0, 0, 0, 0));
    verify(call_connect_detach(coid) == 0);
    return result;
}

/* Receive a message of one who waits. */
static uint32_t
reads_receive(struct port *port)
{
    struct portolan_msg_info info;
    struct msg_buffer nothing;
    long rcvid;

    verify(msg_buffer_init(&nothing, NULL, 0, 0) == 0);
    rcvid = message_receive(port, &nothing, &info, NULL, NULL);
    verify(rcvid > 0);
    return (uint32_t)rcvid;
}

TEST(console_reads, those_that_somebody_waits_for_stay_in_order)
{
    static struct console_reads reads;
    struct peer clients[READS_CLIENTS];
    uint32_t rcvids[READS_CLIENTS];
    struct port *port;

    console_reads_init(&reads);
    ASSERT(port_create(&port, NULL, container_root, 0, "test") == OK);
    for (int i = 0; i < READS_CLIENTS; i++) {
        clients[i] = (struct peer){ .of = peer_task_create(t),
                                    .fn = reads_client,
                                    .arg = port };
        peer_start(&clients[i], NULL);
        rcvids[i] = reads_receive(port);
        EXPECT_EQ(console_reads_add(&reads, rcvids[i]), 0);
        for (int j = 0; j < CONSOLE_READS_MIN; j++) {
            EXPECT_EQ(console_reads_add(&reads, 0), 0);
        }
    }
    for (int i = 0; i < READS_CLIENTS; i++) {
        uint32_t rcvid = 0;

        while (rcvid == 0) {
            rcvid = console_reads_next(&reads);
        }
        EXPECT_EQ(rcvid, rcvids[i]);
        EXPECT_EQ(message_reply(NULL, rcvid, 7, NULL, NULL), 0);
        EXPECT_EQ(peer_join(&clients[i]), 7);
    }
    reads_drain(&reads);
    port_put(port);
}
