/* SPDX-License-Identifier: MIT */
/*
 * System calls: messages between threads of one CPU, in line.
 *
 * These calls begin with interrupts disabled.  Nothing is changed before all
 * is known to be possible: else the call begins anew, the long way.  What is
 * wanted, and why it was not possible, is in doc/ipc.md, "The fast path"; how
 * often, in the monitor.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/types.h>
#include <arch/user_copy.h>
#include <kern/pass.h>
#include <kern/rcu.h>
#include <lib/macros.h>
#include <ipc/call_error.h>
#include <ipc/call_msg.h>
#include <ipc/calls.h>
#include <ipc/connection.h>
#include <ipc/message.h>
#include <ipc/message_count.h>
#include <ipc/message_i.h>
#include <ipc/message_local.h>
#include <ipc/right_table.h>
#include <vm/copy.h>

/* Bytes of a message at most. */
#define CALL_FAST_MAX 256

/* Parts of a list at most: such a list needs no memory. */
#define CALL_FAST_PARTS MSG_BUFFER_OWN

/*
 * Buffers
 */

/* Say what a buffer of one part is. */
static inline void
call_fast_part(struct msg_buffer *buffer, uintptr_t base, size_t size)
{
    buffer->size = size;
    buffer->own[0].base = base;
    buffer->own[0].size = size;
}

/* Describe a list of parts, if that is possible in line. */
static bool
call_fast_parts(struct msg_buffer *buffer, struct task *task, uintptr_t list,
                size_t nr_parts)
{
    return nr_parts <= CALL_FAST_PARTS &&
           msg_buffer_init_parts(buffer, task->space, list, nr_parts,
                                 task->container) == 0;
}

/* Gather bytes of the calling program. */
static bool
call_fast_gather(uint8_t *bytes, const struct msg_buffer *from, size_t size)
{
    for (size_t i = 0; size != 0; i++) {
        size_t n = MIN(size, from->parts[i].size);

        if (user_copy_in(bytes, from->parts[i].base, n) != 0) {
            return false;
        }
        bytes += n;
        size -= n;
    }
    return true;
}

/* Copy to one page of another program. */
static bool
call_fast_put(struct vm_space *space, uintptr_t to, const uint8_t *bytes,
              size_t size)
{
    void *place = space_reach(space, to, size);

    if (place != NULL) {
        user_copy_frames(place, bytes, size);
    }
    return place != NULL;
}

/* Scatter bytes to another program. */
static bool
call_fast_scatter(const struct msg_buffer *to, const uint8_t *bytes,
                  size_t size)
{
    for (size_t i = 0; size != 0; i++) {
        uintptr_t base = to->parts[i].base;
        size_t n = MIN(size, to->parts[i].size);
        /* In two pages at most. */
        size_t first = MIN(n, PAGE_SIZE - base % PAGE_SIZE);

        if ((first != 0 && !call_fast_put(to->space, base, bytes, first)) ||
            (n != first && !call_fast_put(to->space, base + first,
                                          bytes + first, n - first))) {
            return false;
        }
        bytes += n;
        size -= n;
    }
    return true;
}

/* All kinds of buffers and places. */
static __noinline bool
call_fast_copy_any(const struct msg_buffer *to, const struct msg_buffer *from,
                   size_t size)
{
    uint8_t bytes[CALL_FAST_MAX];

    if (size > sizeof(bytes) || !call_fast_gather(bytes, from, size) ||
        !call_fast_scatter(to, bytes, size)) {
        message_count(MESSAGE_NO_PAGE);
        return false;
    }
    return true;
}

/*
 * Copy from the calling program to another one, if all pages are there.
 *
 * @size  up to CALL_FAST_MAX, of the buffers
 *
 * Returns: whether all was copied; if not, some of it may have been
 */
static bool
call_fast_copy(const struct msg_buffer *to, const struct msg_buffer *from,
               size_t size)
{
    const struct portolan_iov *dst = &to->parts[0];
    const struct portolan_iov *src = &from->parts[0];
    void *place;

    if (likely(size <= dst->size && size <= src->size &&
               size <= CALL_FAST_MAX)) {
        place = space_reach(to->space, dst->base, size);
        if (likely(place != NULL &&
                   user_copy_in(place, src->base, size) == 0)) {
            return true;
        }
    }
    return call_fast_copy_any(to, from, size);
}

/*
 * Sending
 */

/* Who waits here for a message from the calling thread; NULL: nobody */
static inline struct message_receiver *
call_fast_receiver(struct thread *self, const struct port_cpu *here,
                   uint32_t cpu)
{
    struct message_receiver *receiver;

    if (unlikely(here == NULL || list_is_empty(&here->receivers))) {
        message_count(MESSAGE_NO_RECEIVER);
        return NULL;
    }
    receiver =
        list_first_entry(&here->receivers, struct message_receiver, link);
    if (unlikely(receiver->to == NULL ||
                 !pass_is_possible(self, receiver->thread, cpu))) {
        message_count(MESSAGE_NO_EQUAL);
        return NULL;
    }
    return receiver;
}

/* The message is received: LOCAL. */
static inline struct thread *
call_fast_give(struct port_cpu *here, struct message_receiver *receiver,
               struct uthread *sender, uint32_t cpu)
{
    struct message *message = &sender->message;

    list_remove(&receiver->link);
    receiver->place = MESSAGE_NOWHERE;
    receiver->message = message;
    list_insert_tail(&here->clients, &message->link);
    message->cpu = cpu;
    message_note(sender, PORTOLAN_THREAD_REPLY);
    /* Others see what was written before; pairs with message_share(). */
    __atomic_store_n(&message->state, MESSAGE_LOCAL, __ATOMIC_RELEASE);
    message_count(MESSAGE_FAST_SEND);
    return receiver->thread;
}

/*
 * Send the calling thread's message, whose buffers are set, to who waits here.
 *
 * Returns: who has received it, and is to be passed to; NULL: nothing was done
 */
static __always_inline struct thread *
call_fast_send(struct thread *self, struct uthread *sender, uint32_t coid,
               uint32_t cpu)
{
    struct message *message = &sender->message;
    struct message_receiver *receiver;
    struct connection *connection;
    struct right *right;
    struct port_cpu *here;
    struct port *port;
    size_t size;

    rcu_assert_irq_section();
    right = right_table_find(task_table(sender->task, coid), coid);
    if (unlikely(right->object->kind != KOBJECT_CONNECTION)) {
        return NULL;
    }
    connection = connection_of_object(right->object);
    port = connection->port;
    here = port_here(port, cpu);
    receiver = call_fast_receiver(self, here, cpu);
    if (unlikely(receiver == NULL)) {
        return NULL;
    }
    size = MIN(message->send.size, receiver->to->size);
    if (size != 0 && !call_fast_copy(receiver->to, &message->send, size)) {
        return NULL;
    }
    if (unlikely(!rcvid_next_here(&message->rcvid))) {
        message_count(MESSAGE_NO_NUMBER);
        return NULL;
    }
    message->label = right->label;
    message->scoid = connection->scoid;
    message->coid = (int32_t)coid;
    message->priority = self->priority;
    message->received = size;
    WRITE_ONCE(message->port, port);
    return call_fast_give(here, receiver, sender, cpu);
}

/* Wait, the long way, for the end of the message, or look for it. */
static __noinline long
call_fast_wait_slow(struct uthread *sender)
{
    long result;

    cpu_irq_enable();
    result = message_wait(&sender->message, NULL);
    message_note(sender, PORTOLAN_THREAD_READY);
    return result;
}

/* Pass the CPU on, until the message is over. */
static __always_inline long
call_fast_wait(struct thread *self, struct uthread *sender, struct thread *next,
               uint32_t cpu)
{
    if (unlikely(!pass_to(self, next, cpu) ||
                 sender->message.state != MESSAGE_IDLE)) {
        return call_fast_wait_slow(sender);
    }
    message_note(sender, PORTOLAN_THREAD_READY);
    return sender->message.status;
}

/* Send what could not be sent in line. */
static __noinline long
call_send_again(uint32_t coid, const struct message *message)
{
    const struct portolan_iov send = message->send.own[0];
    const struct portolan_iov reply = message->reply.own[0];

    return call_msg_send_parts(
        coid, (struct call_parts){ send.base, send.size, false },
        (struct call_parts){ reply.base, reply.size, false }, 0);
}

long
call_msg_send(uint32_t coid, uintptr_t smsg, size_t sbytes, uintptr_t rmsg,
              size_t rbytes, uintptr_t options)
{
    struct thread *self = thread_self();
    struct uthread *sender = self->uthread;
    struct message *message = &sender->message;
    uint32_t cpu = cpu_id();
    struct thread *next;

    if (unlikely(options != 0 || sbytes > CALL_FAST_MAX ||
                 rbytes > INT64_MAX)) {
        message_count(MESSAGE_LONG);
        return call_msg_send_parts(coid,
                                   (struct call_parts){ smsg, sbytes, false },
                                   (struct call_parts){ rmsg, rbytes, false },
                                   options);
    }
    call_fast_part(&message->send, smsg, sbytes);
    call_fast_part(&message->reply, rmsg, rbytes);
    next = call_fast_send(self, sender, coid, cpu);
    if (unlikely(next == NULL)) {
        return call_send_again(coid, message);
    }
    return call_fast_wait(self, sender, next, cpu);
}

long
call_msg_sendv(uint32_t coid, uintptr_t siov, size_t sparts, uintptr_t riov,
               size_t rparts, uintptr_t options)
{
    struct thread *self = thread_self();
    struct uthread *sender = self->uthread;
    struct task *task = sender->task;
    struct message *message = &sender->message;
    uint32_t cpu = cpu_id();
    struct thread *next = NULL;
    long result;

    if (options == 0 && call_fast_parts(&message->send, task, siov, sparts) &&
        call_fast_parts(&message->reply, task, riov, rparts)) {
        next = call_fast_send(self, sender, coid, cpu);
    } else {
        message_count(MESSAGE_LONG);
    }
    if (next == NULL) {
        return call_msg_send_parts(coid,
                                   (struct call_parts){ siov, sparts, true },
                                   (struct call_parts){ riov, rparts, true },
                                   options);
    }
    result = call_fast_wait(self, sender, next, cpu);
    msg_buffer_set(&message->send, task->space, 0, 0);
    msg_buffer_set(&message->reply, task->space, 0, 0);
    return result;
}

/*
 * Receiving
 */

/*
 * What this CPU has of a port, if a thread may wait there at once.
 *
 * Returns: valid as long as interrupts stay disabled; NULL: it may not
 */
static __always_inline struct port_cpu *
call_fast_here(struct thread *self, int32_t chid, uint32_t cpu)
{
    struct kobject *object;
    struct port_cpu *here;
    struct port *port;

    rcu_assert_irq_section();
    object = right_table_find(&self->uthread->task->channels, (uint32_t)chid)
                 ->object;
    if (unlikely(object->kind != KOBJECT_PORT)) {
        return NULL;
    }
    port = port_of_object(object);
    here = port_here(port, cpu);
    if (unlikely(here == NULL || READ_ONCE(port->nr_queued) != 0 ||
                 !atomic_load_explicit(&here->is_open, memory_order_relaxed))) {
        return NULL;
    }
    return here;
}

/* Tell who sent a message that has come.  Returns: as the call */
static __noinline long
call_fast_tell(const struct message *message, uintptr_t info)
{
    uint32_t rcvid = rcvid_number(&message->rcvid);
    struct portolan_msg_info told;

    message_describe(message, &told);
    cpu_irq_enable();
    return call_msg_tell(rcvid, info, &told);
}

/* What a call asked for, to begin anew. */
struct call_receive {
    int32_t chid;
    uintptr_t info;
    struct call_parts to;
};

/* Receive what has come but is not received, or wait on. */
static __noinline long
call_receive_again(struct message *message, struct call_receive how)
{
    return call_msg_receive_parts(how.chid, message, how.to, how.info, 0);
}

/* Somebody has ended the wait; a port that died may have a successor. */
static __noinline long
call_receive_stopped(struct uthread *self, struct message_receiver *receiver,
                     struct call_receive how)
{
    message_stop_waiting(receiver);
    if (receiver->place == MESSAGE_GONE) {
        message_note(self, PORTOLAN_THREAD_READY);
        return CALL_ESRCH;
    }
    return call_receive_again(receiver->message, how);
}

/* Wait for a message. */
static __always_inline long
call_fast_receive(struct thread *self, struct port_cpu *here,
                  struct message_receiver *receiver,
                  const struct call_receive *how, uint32_t cpu)
{
    message_note(self->uthread, PORTOLAN_THREAD_RECEIVE);
    if (unlikely(!message_wait_here(here, receiver, cpu))) {
        return call_receive_stopped(self->uthread, receiver, *how);
    }
    if (unlikely(receiver->message->state != MESSAGE_LOCAL)) {
        return call_receive_again(receiver->message, *how);
    }
    message_note(self->uthread, PORTOLAN_THREAD_READY);
    message_count(MESSAGE_FAST_RECEIVE);
    if (how->info != 0) {
        return call_fast_tell(receiver->message, how->info);
    }
    return (long)rcvid_number(&receiver->message->rcvid);
}

/* Receive to one buffer. */
static __always_inline long
call_fast_receive_part(struct thread *self, const struct call_receive *how,
                       uintptr_t options)
{
    struct uthread *uthread = self->uthread;
    uint32_t cpu = cpu_id();
    struct port_cpu *here = NULL;

    if (likely(options == 0 && how->to.size <= INT64_MAX)) {
        here = call_fast_here(self, how->chid, cpu);
    }
    if (unlikely(here == NULL)) {
        return call_msg_receive_parts(how->chid, NULL, how->to, how->info,
                                      options);
    }
    call_fast_part(&uthread->to, how->to.base, how->to.size);
    uthread->receiver.message = NULL;
    return call_fast_receive(self, here, &uthread->receiver, how, cpu);
}

long
call_msg_receive(int32_t chid, uintptr_t msg, size_t bytes, uintptr_t info,
                 uintptr_t options)
{
    const struct call_receive how = { .chid = chid,
                                      .info = info,
                                      .to = { msg, bytes, false } };

    return call_fast_receive_part(thread_self(), &how, options);
}

long
call_msg_receivev(int32_t chid, uintptr_t iov, size_t nr_parts, uintptr_t info,
                  uintptr_t options)
{
    const struct call_receive how = { .chid = chid,
                                      .info = info,
                                      .to = { iov, nr_parts, true } };
    struct thread *self = thread_self();
    uint32_t cpu = cpu_id();
    struct message_receiver receiver = { .thread = self };
    struct port_cpu *here = NULL;
    struct msg_buffer buffer;

    if (options == 0 &&
        call_fast_parts(&buffer, self->uthread->task, iov, nr_parts)) {
        here = call_fast_here(self, chid, cpu);
    }
    if (here == NULL) {
        return call_msg_receive_parts(chid, NULL, how.to, info, options);
    }
    receiver.to = &buffer;
    return call_fast_receive(self, here, &receiver, &how, cpu);
}

/*
 * Replying
 */

/* Whether a message is LOCAL here, has a number, and is a task's to reply to.
 */
static inline bool
call_fast_is_meant(const struct message *message, const struct task *task,
                   uint32_t rcvid, uint32_t cpu)
{
    return message != NULL && READ_ONCE(message->state) == MESSAGE_LOCAL &&
           READ_ONCE(message->cpu) == cpu &&
           rcvid_number(&message->rcvid) == rcvid &&
           message->port->task == task;
}

/*
 * Find the message of this CPU that a number means, if its sender can be let
 * go.
 */
static __always_inline struct message *
call_fast_find(struct thread *self, uint32_t rcvid, uint32_t cpu)
{
    struct message *message;

    rcu_assert_irq_section();
    message = rcvid_find(rcvid);
    if (unlikely(
            !call_fast_is_meant(message, self->uthread->task, rcvid, cpu))) {
        return NULL;
    }
    if (unlikely(!pass_may_let_go(self, message->thread, cpu))) {
        message_count(MESSAGE_NO_EQUAL);
        return NULL;
    }
    return message;
}

/* The reply was copied. */
static __always_inline void
call_fast_finish(struct message *message, long status)
{
    list_remove(&message->link);
    message->status = status;
    WRITE_ONCE(message->port, NULL);
    /* Pairs with the acquire in message_wait(). */
    __atomic_store_n(&message->state, MESSAGE_IDLE, __ATOMIC_RELEASE);
    message_count(MESSAGE_FAST_REPLY);
    pass_let_go(message->thread);
}

/*
 * Copy a reply of one buffer, and reply.
 *
 * Returns: whether that was possible
 */
static __noinline bool
call_fast_reply_bytes(struct message *message, long status, uintptr_t msg,
                      size_t size)
{
    struct msg_buffer from;

    msg_buffer_set(&from, task_self()->space, msg, size);
    if (!call_fast_copy(&message->reply, &from, size)) {
        return false;
    }
    call_fast_finish(message, status);
    return true;
}

/* Reply with one buffer.  Returns: whether that was possible */
static __always_inline bool
call_fast_reply_part(struct thread *self, uint32_t rcvid, long status,
                     uintptr_t msg, size_t bytes)
{
    struct message *message = call_fast_find(self, rcvid, cpu_id());
    size_t size;

    if (unlikely(message == NULL)) {
        return false;
    }
    size = MIN(bytes, message->reply.size);
    if (size != 0) {
        return call_fast_reply_bytes(message, status, msg, size);
    }
    call_fast_finish(message, status);
    return true;
}

long
call_msg_reply(int32_t rcvid, int64_t status, uintptr_t msg, size_t bytes,
               uintptr_t options)
{
    if (likely(options == 0 && bytes <= INT64_MAX &&
               call_fast_reply_part(thread_self(), (uint32_t)rcvid, status, msg,
                                    bytes))) {
        return 0;
    }
    return call_msg_reply_parts(rcvid, status,
                                (struct call_parts){ msg, bytes, false },
                                options);
}

/* Reply with a list.  Returns: whether that was possible */
static bool
call_fast_replyv(struct thread *self, uint32_t rcvid, long status,
                 uintptr_t iov, size_t nr_parts)
{
    struct message *message = call_fast_find(self, rcvid, cpu_id());
    struct msg_buffer from;
    size_t size;

    if (message == NULL ||
        !call_fast_parts(&from, self->uthread->task, iov, nr_parts)) {
        return false;
    }
    size = MIN(from.size, message->reply.size);
    if (!call_fast_copy(&message->reply, &from, size)) {
        return false;
    }
    call_fast_finish(message, status);
    return true;
}

long
call_msg_replyv(int32_t rcvid, int64_t status, uintptr_t iov, size_t parts,
                uintptr_t options)
{
    if (options == 0 &&
        call_fast_replyv(thread_self(), (uint32_t)rcvid, status, iov, parts)) {
        return 0;
    }
    return call_msg_reply_parts(rcvid, status,
                                (struct call_parts){ iov, parts, true },
                                options);
}

/*
 * Replying and receiving
 */

long
call_msg_reply_receive(int32_t rcvid, int64_t status, uintptr_t msg,
                       size_t bytes, uintptr_t receive, uintptr_t options)
{
    struct thread *self = thread_self();
    struct portolan_msg_receive how;

    if (likely(options == 0 && bytes <= INT64_MAX &&
               user_copy_in(&how, receive, sizeof(how)) == 0 &&
               (rcvid == 0 || call_fast_reply_part(self, (uint32_t)rcvid,
                                                   status, msg, bytes)))) {
        const struct call_receive receive_how = { .chid = how.chid,
                                                  .info = how.info,
                                                  .to = { how.msg, how.size,
                                                          false } };

        return call_fast_receive_part(self, &receive_how, 0);
    }
    return call_msg_reply_receive_parts(
        rcvid, status, (struct call_parts){ msg, bytes, false }, receive,
        options);
}

long
call_msg_reply_receivev(int32_t rcvid, int64_t status, uintptr_t iov,
                        size_t parts, uintptr_t receive, uintptr_t options)
{
    return call_msg_reply_receive_parts(rcvid, status,
                                        (struct call_parts){ iov, parts, true },
                                        receive, options);
}
