/* SPDX-License-Identifier: MIT */
/*
 * Synchronous messages, with the semantics of QNX: a sender waits until it is
 * replied to; what it sends is copied when it is received, what it gets when
 * it is replied to, from space to space and nowhere else.
 *
 * PROTOCOL.  A message is part of its sender's thread, and at each moment
 * somebody's, as its state says (message_types.h).  States change under the
 * lock of the port, by who owns the message:
 *
 *   sender    IDLE -> QUEUED, or TAKEN if a receiver waits
 *   receiver  QUEUED -> TAKEN -> RECEIVED, or DONE if the copy fails
 *   replier   RECEIVED -> REPLYING -> DONE, or REPLIED if somebody still reads
 *   reader    counted in nr_users while RECEIVED; the last one REPLIED -> DONE
 *   port      QUEUED, RECEIVED -> DONE when it dies
 *   sender    DONE -> IDLE; QUEUED, RECEIVED without users -> IDLE if it is to
 *             end, or its time is over
 *
 * Invariants: 1. Memory of the sender is touched by others only while TAKEN,
 * REPLYING, or counted; in none of these states it leaves, so its thread, its
 * space and its buffers are there.  2. Who copies for long looks at is_leaving,
 * and whether it is to end itself; so both wait for a bounded time.  3. Whoever
 * makes the state DONE, or takes away what a leaving sender waits for, wakes
 * it, and does not touch the message afterwards.  4. A number means the message
 * only while its state is RECEIVED and it has that number.
 *
 * Results of all functions are those of system calls: -errno.
 *
 * May run concurrently: everything with everything.
 * Lock rank: LOCK_PORT.  Design: doc/ipc.md.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <ipc/message_types.h>
#include <ipc/port.h>
#include <ipc/uthread.h>
#include <portolan/msg.h>

struct connection;

/* Until when to wait, and in which states; zeros: for ever. */
struct message_timeout {
    uint32_t states; /* PORTOLAN_MSG_TIMEOUT_... */
    uint64_t time;   /* absolute nanoseconds of clock_now() */
};

/*
 * Send the calling thread's message, and wait for the reply.
 *
 * @message     its send, reply and rights are set; all else is set here
 * @coid, @label  the right that is used; it is referenced, and so is
 *                @connection, to which it is
 * @timeout     NULL: none
 *
 * Context: the thread of a program, preemptible
 * Returns: the status that the server replied; CALL_EBADF: the port is dead;
 *          CALL_ESRCH: it died meanwhile; CALL_EFAULT: of the buffers;
 *          CALL_ESRVRFAULT: of the server's; CALL_EINTR: the thread is to end;
 *          CALL_ETIMEDOUT; CALL_EAGAIN: no receive id; what the server says
 */
long message_send(struct message *message, struct connection *connection,
                  int32_t coid, uint64_t label,
                  const struct message_timeout *timeout);

/*
 * Wait until the calling thread's message is over, shared if it was LOCAL; then
 * it is IDLE.
 *
 * Context, Returns: as message_send()
 */
long message_wait(struct message *message,
                  const struct message_timeout *timeout);

/*
 * Receive a message.
 *
 * @port     referenced
 * @to       where to
 * @info     receives who sent it
 * @rights   receives rights; NULL: none are wanted
 * @timeout  NULL: none
 *
 * Context: thread, preemptible
 * Returns: the receive id; CALL_ESRCH: the port died; CALL_EFAULT: of @to;
 *          CALL_EINTR; CALL_ETIMEDOUT
 */
long message_receive(struct port *port, const struct msg_buffer *to,
                     struct portolan_msg_info *info, struct msg_rights *rights,
                     const struct message_timeout *timeout);

/* The arguments of message_receive(). */
struct message_wish {
    const struct msg_buffer *to;
    struct portolan_msg_info *info;
    struct msg_rights *rights;
    const struct message_timeout *timeout;
};

/*
 * The same, beginning with a message that is this thread's to copy already.
 *
 * @message  TAKEN; NULL: none
 */
long message_receive_from(struct port *port, struct message *message,
                          const struct message_wish *wish);

/*
 * Give a message up that is this thread's to copy: its sender's call fails with
 * CALL_ESRVRFAULT.
 *
 * @message  TAKEN
 *
 * Context: thread, preemptible
 */
void message_refuse(struct message *message);

/*
 * Reply.
 *
 * @task    of the port, NULL: the kernel
 * @status  what the sender's call returns
 * @from    the reply; NULL: nothing is copied
 * @rights  go with it; NULL: none
 *
 * Context: thread, preemptible
 * Returns: 0; CALL_ESRCH: no such message; CALL_EFAULT: of the sender's
 *          buffers; CALL_ESRVRFAULT: of @from; CALL_EINTR: the thread is to
 *          end, and so the sender's call fails
 */
long message_reply(struct task *task, uint32_t rcvid, long status,
                   const struct msg_buffer *from, struct msg_rights *rights);

/*
 * Read of what was sent, from an offset on.
 *
 * Returns: bytes; CALL_ESRCH; CALL_EFAULT: of the sender's; CALL_ESRVRFAULT:
 *          of @to; CALL_EINTR: the thread is to end
 */
long message_read(struct task *task, uint32_t rcvid,
                  const struct msg_buffer *to, uint64_t offset);

/* Write of the reply, at an offset; as message_read(). */
long message_write(struct task *task, uint32_t rcvid,
                   const struct msg_buffer *from, uint64_t offset);

/* Tell who sent a message that is not replied to.  Returns: 0; CALL_ESRCH */
long message_info(struct task *task, uint32_t rcvid,
                  struct portolan_msg_info *info);

/*
 * For port_kill(): let one go who waits at a dead port.
 *
 * Context: thread
 * Returns: false: nobody waits any more
 */
bool message_drop_one(struct port *port);

#endif /* IPC_MESSAGE_H */
