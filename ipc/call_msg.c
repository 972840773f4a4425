/* SPDX-License-Identifier: MIT */
/*
 * System calls: messages, the long way, which is open to all of them.
 */
#include <arch/cpu.h>
#include <kern/rcu.h>
#include <ipc/call_msg.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/connection.h>
#include <ipc/message.h>
#include <ipc/msg_rights.h>
#include <ipc/right_table.h>
#include <ipc/uthread.h>
#include <lib/macros.h>

static long
call_msg_buffer(struct msg_buffer *buffer, struct call_parts parts)
{
    struct task *self = task_self();

    return parts.is_list
               ? msg_buffer_init_parts(buffer, self->space, parts.base,
                                       parts.size, self->container)
               : msg_buffer_init(buffer, self->space, parts.base, parts.size);
}

/*
 * What a call's options say; the program's struct is read once.
 */
struct call_options {
    uintptr_t user; /* address of the program's; 0: there are none */
    struct portolan_msg_options from;
    struct message_timeout timeout;
    struct msg_rights *rights; /* NULL: none are given or wanted */
};

static long
call_options_read(struct call_options *options)
{
    static const uint64_t nothing;
    long error;

    error = call_copy_in(&options->from, options->user, sizeof(options->from));
    if (error == 0) {
        error = call_copy_out(
            options->user + offsetof(struct portolan_msg_options, nr_receive),
            &nothing, sizeof(nothing));
    }
    if (error != 0) {
        return error;
    }
    options->timeout.states = options->from.states;
    options->timeout.time = options->from.timeout;
    return msg_rights_begin(&options->rights, &options->from);
}

static inline long
call_options_begin(struct call_options *options, uintptr_t user)
{
    options->user = user;
    options->timeout = (struct message_timeout){ 0 };
    options->rights = NULL;
    return likely(user == 0) ? 0 : call_options_read(options);
}

/* After a call.  Returns: its result, unless rights could not be told */
static inline long
call_options_end(struct call_options *options, long result)
{
    long error;

    if (likely(options->rights == NULL)) {
        return result;
    }
    error = msg_rights_end(options->rights, options->user, &options->from);
    return result < 0 || error == 0 ? result : error;
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
call_msg_send_through(uint32_t coid, struct call_options *options)
{
    struct message *message = &uthread_self()->message;
    struct right *right;
    long result;

    result = call_get_connection(coid, &right);
    if (result == 0) {
        message->rights = options->rights;
        result = message_send(message, connection_of_object(right->object),
                              (int32_t)coid, right->label, &options->timeout);
        right_put(right);
    }
    return result;
}

/* Send with options that are there. */
static long
call_msg_send_with(uint32_t coid, struct call_parts send,
                   struct call_parts reply, struct call_options *options)
{
    struct message *message = &uthread_self()->message;
    long result;

    result = call_msg_buffer(&message->send, send);
    if (result != 0) {
        return result;
    }
    result = call_msg_buffer(&message->reply, reply);
    if (result == 0) {
        result = call_msg_send_through(coid, options);
        msg_buffer_end(&message->reply);
        msg_buffer_set(&message->reply, task_self()->space, 0, 0);
    }
    msg_buffer_end(&message->send);
    msg_buffer_set(&message->send, task_self()->space, 0, 0);
    return result;
}

long
call_msg_send_parts(uint32_t coid, struct call_parts send,
                    struct call_parts reply, uintptr_t user)
{
    struct call_options options;
    long result;

    cpu_irq_enable();
    result = call_options_begin(&options, user);
    if (result != 0) {
        return result;
    }
    result = call_msg_send_with(coid, send, reply, &options);
    return call_options_end(&options, result);
}

/*
 * Receiving
 */

long
call_msg_tell(uint32_t rcvid, uintptr_t info,
              const struct portolan_msg_info *told)
{
    if (call_copy_out(info, told, sizeof(*told)) == 0) {
        return (long)rcvid;
    }
    message_reply(task_self(), rcvid, CALL_ESRVRFAULT, NULL, NULL);
    return CALL_EFAULT;
}

/*
 * Get a reference to the port to receive from.
 *
 * @message  as of call_msg_receive_parts(); its sender keeps the port
 */
static long
call_msg_port(int32_t chid, struct message *message, struct port **portp)
{
    if (likely(message == NULL)) {
        return call_get_port(task_self(), chid, portp);
    }
    *portp = message->port;
    port_get(*portp);
    return 0;
}

static long
call_msg_receive_to(int32_t chid, struct message *message,
                    const struct msg_buffer *to, uintptr_t info,
                    struct call_options *options)
{
    struct portolan_msg_info told;
    const struct message_wish wish = { .to = to,
                                       .info = &told,
                                       .rights = options->rights,
                                       .timeout = &options->timeout };
    struct port *port;
    long result;

    result = call_msg_port(chid, message, &port);
    if (result != 0) {
        return result;
    }
    result = message_receive_from(port, message, &wish);
    port_put(port);
    if (result > 0 && info != 0) {
        return call_msg_tell((uint32_t)result, info, &told);
    }
    return result;
}

/* Receive with options that are there. */
static long
call_msg_receive_with(int32_t chid, struct message *message,
                      struct call_parts to, uintptr_t info,
                      struct call_options *options)
{
    struct msg_buffer buffer;
    long result;

    result = call_msg_buffer(&buffer, to);
    if (result == 0) {
        result = call_msg_receive_to(chid, message, &buffer, info, options);
        msg_buffer_end(&buffer);
    } else if (message != NULL) {
        /* The list has changed since the wait began. */
        message_refuse(message);
    }
    return result;
}

long
call_msg_receive_parts(int32_t chid, struct message *message,
                       struct call_parts to, uintptr_t info, uintptr_t user)
{
    struct call_options options;
    long result;

    cpu_irq_enable();
    result = call_options_begin(&options, user);
    if (result != 0) {
        return result;
    }
    result = call_msg_receive_with(chid, message, to, info, &options);
    return call_options_end(&options, result);
}

/*
 * Replying
 */

/* Reply with options that are there. */
static long
call_msg_reply_with(int32_t rcvid, long status, struct call_parts from,
                    struct call_options *options)
{
    struct msg_buffer buffer;
    long error;

    error = call_msg_buffer(&buffer, from);
    if (error == 0) {
        error = message_reply(task_self(), (uint32_t)rcvid, status, &buffer,
                              options->rights);
        msg_buffer_end(&buffer);
    }
    return error;
}

long
call_msg_reply_parts(int32_t rcvid, long status, struct call_parts from,
                     uintptr_t user)
{
    struct call_options options;
    long error;

    cpu_irq_enable();
    error = call_options_begin(&options, user);
    if (error != 0) {
        return error;
    }
    error = call_msg_reply_with(rcvid, status, from, &options);
    return call_options_end(&options, error);
}

long
call_msg_error(int32_t rcvid, int32_t error)
{
    cpu_irq_enable();
    return message_reply(task_self(), (uint32_t)rcvid, -(long)error, NULL,
                         NULL);
}

/*
 * Replying and receiving
 */

/* Reply, if there is a number, and receive as a struct says. */
static long
call_msg_reply_receive_with(int32_t rcvid, long status, struct call_parts from,
                            uintptr_t receive, struct call_options *options)
{
    struct portolan_msg_receive how;
    struct call_parts to;
    long error = 0;

    error = call_copy_in(&how, receive, sizeof(how));
    if (error == 0 && rcvid != 0) {
        error = call_msg_reply_with(rcvid, status, from, options);
    }
    if (error != 0) {
        return error;
    }
    to = (struct call_parts){ how.msg, how.size, from.is_list };
    return call_msg_receive_with(how.chid, NULL, to, how.info, options);
}

long
call_msg_reply_receive_parts(int32_t rcvid, long status, struct call_parts from,
                             uintptr_t receive, uintptr_t user)
{
    struct call_options options;
    long result;

    cpu_irq_enable();
    result = call_options_begin(&options, user);
    if (result != 0) {
        return result;
    }
    result =
        call_msg_reply_receive_with(rcvid, status, from, receive, &options);
    return call_options_end(&options, result);
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
