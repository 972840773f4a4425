/* SPDX-License-Identifier: MIT */
/*
 * What the files of messages share.
 */
#ifndef IPC_MESSAGE_I_H
#define IPC_MESSAGE_I_H

#include <stdatomic.h>
#include <stdint.h>

#include <lib/macros.h>
#include <ipc/connection.h>
#include <ipc/message_types.h>
#include <ipc/port.h>
#include <ipc/task.h>
#include <ipc/uthread.h>
#include <portolan/msg.h>

/* Take the most urgent message that waits; NULL: none. */
struct message *message_dequeue_locked(struct port *port);

/* Say who sent a message.  Context: it does not change meanwhile */
static inline void
message_describe(const struct message *message, struct portolan_msg_info *info)
{
    *info = (struct portolan_msg_info){
        .pid = message->sender->task->pid,
        .tid = message->sender->tid,
        .chid = message->port->chid,
        .scoid = message->scoid,
        .coid = message->coid,
        .priority = (int16_t)message->priority,
        .flags = PORTOLAN_MSG_64BIT,
        .msglen = (int64_t)message->received,
        .srcmsglen = (int64_t)message->send.size,
        .dstmsglen = (int64_t)message->reply.size,
        .label = message->label,
    };
}

/* Say for people what a thread of a program waits for. */
static inline void
message_note(struct uthread *uthread, enum portolan_thread_state what)
{
    atomic_store_explicit(&uthread->doing, what, memory_order_relaxed);
}

#endif /* IPC_MESSAGE_I_H */
