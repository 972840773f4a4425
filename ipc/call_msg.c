/* SPDX-License-Identifier: MIT */
/*
 * System calls: messages.
 */
#include <arch/cpu.h>
#include <kern/rcu.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/connection.h>
#include <ipc/message.h>
#include <ipc/right_table.h>
#include <ipc/uthread.h>
#include <lib/macros.h>

/* What a side of a message is made of. */
struct call_parts {
    uintptr_t base; /* bytes, or a list of parts */
    size_t size;    /* of them */
    bool is_list;
};

static long
call_msg_buffer(struct msg_buffer *buffer, struct call_parts parts)
{
    struct task *self = task_self();

    return parts.is_list
               ? msg_buffer_init_parts(buffer, self->space, parts.base,
                                       parts.size, self->container)
               : msg_buffer_init(buffer, self->space, parts.base, parts.size);
}

/* Take the timeout out of a call's options. */
static long
call_msg_timeout(uintptr_t options, struct message_timeout *timeout)
{
    struct portolan_msg_options from;
    long error;

    *timeout = (struct message_timeout){ 0 };
    if (likely(options == 0)) {
        return 0;
    }
    error = call_copy_in(&from, options, sizeof(from));
    if (error != 0) {
        return error;
    }
    timeout->states = from.states;
    timeout->time = from.timeout;
    return 0;
}

/*
 * Sending
 */

/* Find a right to a connection, and take a reference to it. */
static long
call_get_connection(uint32_t coid, struct right **rightp)
{
    struct right *right;
    bool is_found;

    rcu_read_lock();
    right = right_table_find(task_table(task_self(), coid), coid);
    is_found = right->object->kind == KOBJECT_CONNECTION &&
               right_try_get(right);
    rcu_read_unlock();
    *rightp = right;
    return is_found ? 0 : CALL_EBADF;
}

/* Send between buffers that are there. */
static long
call_msg_send_through(uint32_t coid, const struct message_timeout *timeout)
{
    struct right *right;
    long result;

    result = call_get_connection(coid, &right);
    if (result == 0) {
        result = message_send(&uthread_self()->message,
                              connection_of_object(right->object),
                              (int32_t)coid, right->label, timeout);
        right_put(right);
    }
    return result;
}

static long
call_msg_send_parts(uint32_t coid, struct call_parts send,
                    struct call_parts reply, uintptr_t options)
{
    struct message *message = &uthread_self()->message;
    struct message_timeout timeout;
    long result;

    cpu_irq_enable();
    result = call_msg_timeout(options, &timeout);
    if (result != 0) {
        return result;
    }
    result = call_msg_buffer(&message->send, send);
    if (result != 0) {
        return result;
    }
    result = call_msg_buffer(&message->reply, reply);
    if (result == 0) {
        result = call_msg_send_through(coid, &timeout);
        msg_buffer_end(&message->reply);
    }
    msg_buffer_end(&message->send);
    return result;
}

long
call_msg_send(uint32_t coid, uintptr_t smsg, size_t sbytes, uintptr_t rmsg,
              size_t rbytes, uintptr_t options)
{
    return call_msg_send_parts(coid, (struct call_parts){ smsg, sbytes, false },
                               (struct call_parts){ rmsg, rbytes, false },
                               options);
}

long
call_msg_sendv(uint32_t coid, uintptr_t siov, size_t sparts, uintptr_t riov,
               size_t rparts, uintptr_t options)
{
    return call_msg_send_parts(coid, (struct call_parts){ siov, sparts, true },
                               (struct call_parts){ riov, rparts, true },
                               options);
}

/*
 * Receiving
 */

static long
call_msg_receive_to(int32_t chid, const struct msg_buffer *to, uintptr_t info,
                    const struct message_timeout *timeout)
{
    struct portolan_msg_info told;
    struct port *port;
    long result;

    result = call_get_port(task_self(), chid, &port);
    if (result != 0) {
        return result;
    }
    result = message_receive(port, to, &told, timeout);
    port_put(port);
    if (result > 0 && info != 0 &&
        call_copy_out(info, &told, sizeof(told)) != 0) {
        message_reply(task_self(), (uint32_t)result, CALL_ESRVRFAULT, NULL);
        return CALL_EFAULT;
    }
    return result;
}

static long
call_msg_receive_parts(int32_t chid, struct call_parts to, uintptr_t info,
                       uintptr_t options)
{
    struct message_timeout timeout;
    struct msg_buffer buffer;
    long result;

    cpu_irq_enable();
    result = call_msg_timeout(options, &timeout);
    if (result != 0) {
        return result;
    }
    result = call_msg_buffer(&buffer, to);
    if (result == 0) {
        result = call_msg_receive_to(chid, &buffer, info, &timeout);
        msg_buffer_end(&buffer);
    }
    return result;
}

long
call_msg_receive(int32_t chid, uintptr_t msg, size_t bytes, uintptr_t info,
                 uintptr_t options)
{
    return call_msg_receive_parts(chid,
                                  (struct call_parts){ msg, bytes, false },
                                  info, options);
}

long
call_msg_receivev(int32_t chid, uintptr_t iov, size_t parts, uintptr_t info,
                  uintptr_t options)
{
    return call_msg_receive_parts(chid, (struct call_parts){ iov, parts, true },
                                  info, options);
}

/*
 * Replying
 */

static long
call_msg_reply_parts(int32_t rcvid, long status, struct call_parts from)
{
    struct msg_buffer buffer;
    long error;

    cpu_irq_enable();
    error = call_msg_buffer(&buffer, from);
    if (error == 0) {
        error = message_reply(task_self(), (uint32_t)rcvid, status, &buffer);
        msg_buffer_end(&buffer);
    }
    return error;
}

long
call_msg_reply(int32_t rcvid, int64_t status, uintptr_t msg, size_t bytes,
               uintptr_t options __unused)
{
    return call_msg_reply_parts(rcvid, status,
                                (struct call_parts){ msg, bytes, false });
}

long
call_msg_replyv(int32_t rcvid, int64_t status, uintptr_t iov, size_t parts,
                uintptr_t options __unused)
{
    return call_msg_reply_parts(rcvid, status,
                                (struct call_parts){ iov, parts, true });
}

long
call_msg_error(int32_t rcvid, int32_t error)
{
    cpu_irq_enable();
    return message_reply(task_self(), (uint32_t)rcvid, -(long)error, NULL);
}

/* Receive as a struct says. */
static long
call_msg_then_receive(uintptr_t receive, bool is_list, uintptr_t options)
{
    struct portolan_msg_receive how;
    long error;

    error = call_copy_in(&how, receive, sizeof(how));
    return error != 0 ? error
                      : call_msg_receive_parts(how.chid,
                                               (struct call_parts){
                                                   how.msg, how.size, is_list },
                                               how.info, options);
}

long
call_msg_reply_receive(int32_t rcvid, int64_t status, uintptr_t msg,
                       size_t bytes, uintptr_t receive, uintptr_t options)
{
    long error = 0;

    cpu_irq_enable();
    if (rcvid != 0) {
        error = call_msg_reply(rcvid, status, msg, bytes, 0);
    }
    return error != 0 ? error : call_msg_then_receive(receive, false, options);
}

long
call_msg_reply_receivev(int32_t rcvid, int64_t status, uintptr_t iov,
                        size_t parts, uintptr_t receive, uintptr_t options)
{
    long error = 0;

    cpu_irq_enable();
    if (rcvid != 0) {
        error = call_msg_replyv(rcvid, status, iov, parts, 0);
    }
    return error != 0 ? error : call_msg_then_receive(receive, true, options);
}

/*
 * A sender's memory
 */

/* message_read() or message_write(). */
typedef long (*call_msg_access_fn_t)(struct task *task, uint32_t rcvid,
                                     const struct msg_buffer *buffer,
                                     uint64_t offset);

static long
call_msg_access(call_msg_access_fn_t access, int32_t rcvid,
                struct call_parts parts, size_t offset)
{
    struct msg_buffer buffer;
    long result;

    result = call_msg_buffer(&buffer, parts);
    if (result == 0) {
        result = access(task_self(), (uint32_t)rcvid, &buffer, offset);
        msg_buffer_end(&buffer);
    }
    return result;
}

long
call_msg_read(int32_t rcvid, uintptr_t msg, size_t bytes, size_t offset)
{
    return call_msg_access(message_read, rcvid,
                           (struct call_parts){ msg, bytes, false }, offset);
}

long
call_msg_readv(int32_t rcvid, uintptr_t iov, size_t parts, size_t offset)
{
    return call_msg_access(message_read, rcvid,
                           (struct call_parts){ iov, parts, true }, offset);
}

long
call_msg_write(int32_t rcvid, uintptr_t msg, size_t bytes, size_t offset)
{
    return call_msg_access(message_write, rcvid,
                           (struct call_parts){ msg, bytes, false }, offset);
}

long
call_msg_writev(int32_t rcvid, uintptr_t iov, size_t parts, size_t offset)
{
    return call_msg_access(message_write, rcvid,
                           (struct call_parts){ iov, parts, true }, offset);
}

long
call_msg_info(int32_t rcvid, uintptr_t info)
{
    struct portolan_msg_info told;
    long error;

    error = message_info(task_self(), (uint32_t)rcvid, &told);
    return error != 0 ? error : call_copy_out(info, &told, sizeof(told));
}
