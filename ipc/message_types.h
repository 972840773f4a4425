/* SPDX-License-Identifier: MIT */
/*
 * struct message, for those who embed it.
 */
#ifndef IPC_MESSAGE_TYPES_H
#define IPC_MESSAGE_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ipc/msg_buffer.h>
#include <ipc/rcvid.h>
#include <lib/list.h>
#include <lib/rbtree.h>

struct msg_rights;
struct port;
struct right;
struct thread;
struct uthread;

/*
 * What a message's thread waits for, and whose the message is meanwhile.
 *
 *   IDLE      the thread's own; it waits for nothing
 *   QUEUED    the port's: in its queue, SEND-blocked
 *   TAKEN     a receiver's, who copies it
 *   RECEIVED  the port's: in its list, REPLY-blocked
 *   REPLYING  a replier's, who copies the reply
 *   REPLIED   the same, done; somebody still reads or writes
 *   DONE      the thread's again
 *   LOCAL     its CPU's own, REPLY-blocked: see message_local.h
 */
enum message_state {
    MESSAGE_IDLE,
    MESSAGE_QUEUED,
    MESSAGE_TAKEN,
    MESSAGE_RECEIVED,
    MESSAGE_REPLYING,
    MESSAGE_REPLIED,
    MESSAGE_DONE,
    MESSAGE_LOCAL,
};

/*
 * What a thread sends: it has one, since it waits for the reply.
 *
 * Keys: [P] lock of the port, or the CPU of the message while it is LOCAL
 *       [O] the sender, while IDLE or DONE; constant otherwise
 *       [W] who the state says   [a] atomic   [Z] as [O]; zero while IDLE
 *
 * @port is written by the sender, under the port's lock if it was not NULL.
 * Who found the message by its number under RCU, reads it once, and finds it
 * not NULL, may use the port until the section ends; having locked it he looks
 * whether it still is the message's.
 */
struct message {
    struct port *port;         /* [O] NULL: IDLE */
    enum message_state state;  /* [P] */
    uint32_t cpu;              /* [O] on which it was sent, if LOCAL */
    uint32_t nr_users;         /* [P] who read and write the sender's memory */
    atomic_bool is_leaving;    /* [a] the sender waits to be let go */
    struct rbtree_node node;   /* [P] QUEUED */
    struct list link;          /* [P] RECEIVED, LOCAL */
    uint64_t arrival;          /* [P] QUEUED */
    struct rcvid rcvid;        /* [O] */
    struct thread *thread;     /* [O] */
    struct uthread *sender;    /* [O] */
    uint64_t label;            /* [O] */
    int32_t scoid;             /* [O] */
    int32_t coid;              /* [O] */
    int priority;              /* [O] */
    uint32_t timeout_states;   /* [Z] PORTOLAN_MSG_TIMEOUT_... */
    struct msg_buffer send;    /* [O] */
    struct msg_buffer reply;   /* [O] */
    struct msg_rights *rights; /* [W] that it gives and gets; NULL: none */
    uint64_t received;         /* [W] bytes of @send that were copied */
    long status;               /* [W] result for the sender */
    bool is_given_up;          /* [W] not that: it was leaving */
    bool has_port;             /* [P] a reference to it is the sender's */
};

enum message_place {
    MESSAGE_NOWHERE,
    MESSAGE_LISTED, /* in the list of the port */
    MESSAGE_HERE,   /* in that of a CPU */
    MESSAGE_GONE,   /* in none: the port died */
};

/*
 * One who waits for a message.
 *
 * Keys: [c] constant   [p] lock of the port if LISTED, CPU @cpu with interrupts
 *       disabled if HERE, else the thread's own
 */
struct message_receiver {
    struct list link;            /* [p] */
    struct thread *thread;       /* [c] */
    struct message *message;     /* [p] for him; NULL: none yet */
    uint32_t cpu;                /* [p] */
    enum message_place place;    /* [p] */
    const struct msg_buffer *to; /* [c] where LOCAL messages may be copied, of
                                    MSG_BUFFER_OWN parts; NULL: nowhere */
};

#endif /* IPC_MESSAGE_TYPES_H */
