/* SPDX-License-Identifier: MIT */
/*
 * Messages: see message.h for the protocol.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/pass.h>
#include <kern/rcu.h>
#include <kern/spinlock.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <ipc/call_error.h>
#include <ipc/connection.h>
#include <ipc/message.h>
#include <ipc/message_i.h>
#include <ipc/message_local.h>
#include <ipc/msg_rights.h>

/*
 * Waiting
 */

/*
 * The time, for a look at a timeout and the wait that follows: were it read
 * for each, a time that is over in between would be missed by both.
 */
static uint64_t
message_time(const struct message_timeout *timeout)
{
    return timeout != NULL && timeout->states != 0 ? clock_now() : 0;
}

/* Why not to wait any longer in a state; 0: no reason. */
static long
message_reason(const struct message_timeout *timeout, uint32_t state,
               uint64_t now)
{
    if (thread_is_ending()) {
        return CALL_EINTR;
    }
    if (timeout != NULL && (timeout->states & state) && now >= timeout->time) {
        return CALL_ETIMEDOUT;
    }
    return 0;
}

/* Until when to park: what is over already was not meant for the state. */
static uint64_t
message_deadline(const struct message_timeout *timeout, uint64_t now)
{
    if (timeout == NULL || timeout->states == 0 || now >= timeout->time) {
        return CLOCK_NEVER;
    }
    return timeout->time;
}

/*
 * The port
 */

/*
 * Have a thread go on: as soon as the calling one waits, if it may be passed
 * the CPU then.
 */
static void
message_wake(struct thread *thread)
{
    uint64_t flags = cpu_irq_save();
    bool is_let_go = pass_may_let_go(thread_self(), thread, cpu_id());

    if (is_let_go) {
        pass_let_go(thread);
    }
    cpu_irq_restore(flags);
    if (!is_let_go) {
        thread_unpark(thread);
    }
}

/* Unlock, and let go who was waited for.  @thread  NULL: nobody */
static void
message_unlock(struct port *port, uint64_t flags, struct thread *thread)
{
    spinlock_unlock_irqrestore(&port->lock, flags);
    if (thread != NULL) {
        message_wake(thread);
    }
}

/* Take the receiver that came last off the list of those who wait, if any. */
static struct message_receiver *
message_next_receiver_locked(struct port *port)
{
    struct message_receiver *receiver;

    if (list_is_empty(&port->receivers)) {
        return NULL;
    }
    receiver =
        list_first_entry(&port->receivers, struct message_receiver, link);
    list_remove(&receiver->link);
    receiver->place = MESSAGE_NOWHERE;
    return receiver;
}

static int
message_compare(const struct rbtree_node *a, const struct rbtree_node *b)
{
    const struct message *x = rbtree_entry(a, struct message, node);
    const struct message *y = rbtree_entry(b, struct message, node);

    if (x->priority != y->priority) {
        return x->priority > y->priority ? -1 : 1;
    }
    return (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

/*
 * Give a message to who waits for one, or queue it.
 *
 * Returns: who got it, is to be unparked; NULL: nobody
 */
static struct thread *
message_offer_locked(struct port *port, struct message *message)
{
    struct message_receiver *receiver = message_next_receiver_locked(port);

    WRITE_ONCE(message->port, port);
    if (receiver == NULL) {
        WRITE_ONCE(message->state, MESSAGE_QUEUED);
        message->arrival = port->nr_arrived++;
        ADD_ONCE(port->nr_queued, 1);
        rbtree_insert(&port->senders, &message->node, message_compare);
        return NULL;
    }
    receiver->message = message;
    WRITE_ONCE(message->state, MESSAGE_TAKEN);
    return receiver->thread;
}

/* A message leaves the queue. */
static void
message_unqueue_locked(struct port *port, struct message *message)
{
    rbtree_remove(&port->senders, &message->node);
    ADD_ONCE(port->nr_queued, -1);
}

struct message *
message_dequeue_locked(struct port *port)
{
    struct rbtree_node *node = rbtree_first(&port->senders);
    struct message *message;

    if (node == NULL) {
        return NULL;
    }
    message = rbtree_entry(node, struct message, node);
    message_unqueue_locked(port, message);
    WRITE_ONCE(message->state, MESSAGE_TAKEN);
    return message;
}

/*
 * End of a message
 */

/*
 * The sender is to go on, as soon as nobody uses its memory.
 *
 * Returns: its thread, to be unparked when the port is unlocked; NULL: not yet
 */
static struct thread *
message_finish_locked(struct message *message, long status)
{
    struct thread *thread = message->thread;

    message->status = status;
    if (message->nr_users != 0) {
        WRITE_ONCE(message->state, MESSAGE_REPLIED);
        return NULL;
    }
    WRITE_ONCE(message->state, MESSAGE_DONE);
    return thread;
}

/* The same for a message that is the caller's: TAKEN, or REPLYING. */
static void
message_finish(struct message *message, long status)
{
    struct port *port = message->port;
    struct thread *thread;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&port->lock);
    thread = message_finish_locked(message, status);
    message_unlock(port, flags, thread);
}

/* Let go a sender that wants to leave; it knows why. */
static struct thread *
message_give_up_locked(struct message *message)
{
    message->is_given_up = true;
    return message_finish_locked(message, 0);
}

static void
message_give_up(struct message *message)
{
    message->is_given_up = true;
    message_finish(message, 0);
}

/* Let go who sends to a dead port. */
static struct thread *
message_drop_locked(struct port *port)
{
    struct message *message = message_dequeue_locked(port);

    if (message == NULL && !list_is_empty(&port->clients)) {
        message = list_first_entry(&port->clients, struct message, link);
        list_remove(&message->link);
    }
    return message != NULL ? message_finish_locked(message, CALL_ESRCH) : NULL;
}

bool
message_drop_one(struct port *port)
{
    struct message_receiver *receiver;
    struct thread *thread;
    uint64_t flags;
    bool is_empty;

    flags = spinlock_lock_irqsave(&port->lock);
    is_empty = list_is_empty(&port->receivers) &&
               rbtree_is_empty(&port->senders) && list_is_empty(&port->clients);
    receiver = message_next_receiver_locked(port);
    thread = receiver != NULL ? receiver->thread : message_drop_locked(port);
    message_unlock(port, flags, thread);
    return !is_empty;
}

/*
 * Sending
 */

/*
 * Let go on who got the message: in the caller's place, which then waits
 * without looking at anything, if there is nothing that it has to look at.
 */
static void
message_wake_receiver(const struct message *message, struct thread *receiver)
{
    if (likely(message->timeout_states == 0 && !thread_is_ending())) {
        thread_hand_off(receiver);
    } else {
        thread_unpark(receiver);
    }
}

/* Which timeouts are meant in the state that a message is in. */
static uint32_t
message_timeout_state(const struct message *message)
{
    return message->state == MESSAGE_QUEUED ? PORTOLAN_MSG_TIMEOUT_SEND
                                            : PORTOLAN_MSG_TIMEOUT_REPLY;
}

/* Take the message back, if nobody uses it. */
static bool
message_leave_locked(struct message *message)
{
    if (message->state == MESSAGE_QUEUED) {
        message_unqueue_locked(message->port, message);
        return true;
    }
    if (message->state == MESSAGE_RECEIVED && message->nr_users == 0) {
        list_remove(&message->link);
        return true;
    }
    return false;
}

/*
 * Whether the sender goes on now.
 *
 * @resultp  why it leaves, if it wanted to before; receives the result
 */
static bool
message_is_over_locked(struct message *message,
                       const struct message_timeout *timeout, uint64_t now,
                       long *resultp)
{
    long reason;

    if (message->state == MESSAGE_DONE) {
        *resultp = message->is_given_up ? *resultp : message->status;
        return true;
    }
    reason = message_reason(timeout, message_timeout_state(message), now);
    if (reason == 0) {
        return false;
    }
    *resultp = reason;
    /* Who copies looks at this; pairs with msg_copy(). */
    atomic_store(&message->is_leaving, true);
    return message_leave_locked(message);
}

/* What the next message expects of one that is IDLE. */
static void
message_clear(struct message *message)
{
    message->nr_users = 0;
    message->is_given_up = false;
    atomic_store_explicit(&message->is_leaving, false, memory_order_relaxed);
    message->timeout_states = 0;
    message->rights = NULL;
    message->has_port = false;
}

/*
 * A message is over: it is IDLE.
 *
 * Returns: whether a reference to the port has to be given up
 */
static bool
message_end_locked(struct message *message)
{
    bool has_port = message->has_port;

    message_clear(message);
    WRITE_ONCE(message->state, MESSAGE_IDLE);
    WRITE_ONCE(message->port, NULL);
    return has_port;
}

long
message_wait(struct message *message, const struct message_timeout *timeout)
{
    struct port *port;
    uint64_t flags;
    long result = 0;
    bool is_over, has_port = false;

    message_share(message);
    /* Pairs with the release in call_fast_reply_in_section(). */
    if (__atomic_load_n(&message->state, __ATOMIC_ACQUIRE) == MESSAGE_IDLE) {
        return message->status;
    }
    port = message->port;

    for (;;) {
        uint64_t now = message_time(timeout);

        flags = spinlock_lock_irqsave(&port->lock);
        is_over = message_is_over_locked(message, timeout, now, &result);
        if (is_over) {
            has_port = message_end_locked(message);
        }
        spinlock_unlock_irqrestore(&port->lock, flags);
        if (has_port) {
            port_put(port);
        }
        if (is_over) {
            return result;
        }
        thread_park(message_deadline(timeout, now));
    }
}

static void
message_init(struct message *message, struct connection *connection,
             int32_t coid, uint64_t label,
             const struct message_timeout *timeout)
{
    message->thread = thread_self();
    message->scoid = connection->scoid;
    message->label = label;
    message->coid = coid;
    message->priority = thread_priority(message->thread);
    message->timeout_states = timeout != NULL ? timeout->states : 0;
    message->received = 0;
}

long
message_send(struct message *message, struct connection *connection,
             int32_t coid, uint64_t label,
             const struct message_timeout *timeout)
{
    struct port *port = connection->port;
    struct thread *receiver = NULL;
    uint64_t flags;
    bool is_dead;
    long result;

    assert(message->port == NULL);
    if (rcvid_next(&message->rcvid, message) != OK) {
        message->rights = NULL;
        return CALL_EAGAIN;
    }
    message_init(message, connection, coid, label, timeout);
    uthread_does(PORTOLAN_THREAD_SEND);
    flags = spinlock_lock_irqsave(&port->lock);
    is_dead = port->is_dead;
    if (!is_dead) {
        receiver = message_offer_locked(port, message);
    }
    spinlock_unlock_irqrestore(&port->lock, flags);
    if (receiver == NULL && !is_dead) {
        receiver = message_find_receiver(port, message);
    }
    if (receiver != NULL) {
        message_wake_receiver(message, receiver);
    }
    if (is_dead) {
        message_clear(message);
        result = CALL_EBADF;
    } else {
        result = message_wait(message, timeout);
    }
    uthread_does(PORTOLAN_THREAD_READY);
    return result;
}

/*
 * Receiving
 */

/*
 * Whether a receiver goes on; if without a message, @errorp says why.  Then it
 * is in no list.
 */
static bool
message_has_come_locked(struct port *port, struct message_receiver *receiver,
                        const struct message_timeout *timeout, uint64_t now,
                        long *errorp)
{
    *errorp = 0;
    if (receiver->message == NULL) {
        receiver->message = message_dequeue_locked(port);
    }
    if (receiver->message == NULL) {
        *errorp =
            port->is_dead
                ? CALL_ESRCH
                : message_reason(timeout, PORTOLAN_MSG_TIMEOUT_RECEIVE, now);
    }
    if (receiver->message == NULL && *errorp == 0) {
        return false;
    }
    if (receiver->place == MESSAGE_LISTED) {
        list_remove(&receiver->link);
        receiver->place = MESSAGE_NOWHERE;
    }
    return true;
}

/*
 * Wait in the list of the port, for a while.
 *
 * Returns: whether to go on
 */
static bool
message_await_listed(struct port *port, struct message_receiver *receiver,
                     const struct message_timeout *timeout, long *errorp)
{
    uint64_t flags, now = message_time(timeout);
    bool has_come;

    flags = spinlock_lock_irqsave(&port->lock);
    has_come = message_has_come_locked(port, receiver, timeout, now, errorp);
    if (!has_come && receiver->place == MESSAGE_NOWHERE) {
        receiver->place = MESSAGE_LISTED;
        list_insert_head(&port->receivers, &receiver->link);
    }
    spinlock_unlock_irqrestore(&port->lock, flags);
    if (!has_come) {
        thread_park(message_deadline(timeout, now));
    }
    return has_come;
}

/*
 * What has come may be LOCAL, and received.
 *
 * @resultp  receives its receive id
 *
 * Context: interrupts disabled
 */
static void
message_see_local(const struct message_receiver *receiver,
                  struct portolan_msg_info *info, long *resultp)
{
    if (receiver->message->state == MESSAGE_LOCAL) {
        message_describe(receiver->message, info);
        *resultp = (long)rcvid_number(&receiver->message->rcvid);
    }
}

/*
 * Wait in the list of this CPU, for ever.
 *
 * @resultp  receives why there is no message, or the id of one that is received
 *
 * Returns: whether to go on
 */
static bool
message_await_here(struct port *port, struct message_receiver *receiver,
                   struct portolan_msg_info *info, long *resultp)
{
    struct port_cpu *here;
    uint64_t flags;
    bool has_come;

    flags = cpu_irq_save();
    here = port_here(port, cpu_id());
    spinlock_lock(&port->lock);
    has_come = message_has_come_locked(port, receiver, NULL, 0, resultp);
    if (!has_come && here != NULL) {
        message_open_locked(port, here);
    }
    spinlock_unlock(&port->lock);
    if (has_come || here == NULL) {
        cpu_irq_restore(flags);
        return has_come;
    }
    if (message_wait_here(here, receiver, cpu_id())) {
        message_see_local(receiver, info, resultp);
        cpu_irq_enable();
    } else {
        message_stop_waiting(receiver);
    }
    return receiver->message != NULL;
}

/*
 * Get a message that is this thread's to copy, or that was.  It waits in the
 * list of its CPU unless there is a timeout, it is the kernel's, or memory is
 * short.
 *
 * Returns: 0: *@messagep is to be copied; the receive id of one that is
 *          received; why there is none
 */
static long
message_await(struct port *port, const struct message_wish *wish,
              struct message **messagep)
{
    const struct message_timeout *timeout = wish->timeout;
    bool is_plain = wish->to->container == NULL && wish->rights == NULL;
    struct message_receiver receiver = { .thread = thread_self(),
                                         .to = is_plain ? wish->to : NULL };
    bool is_listed = uthread_self() == NULL ||
                     (timeout != NULL && timeout->states != 0);
    long result = 0;
    bool has_come;

    do {
        is_listed = is_listed || !port_cpu_make(port, cpu_id());
        has_come =
            is_listed
                ? message_await_listed(port, &receiver, timeout, &result)
                : message_await_here(port, &receiver, wish->info, &result);
    } while (!has_come);
    *messagep = receiver.message;
    return result;
}

/*
 * A message was copied: from now on it may be replied to.
 *
 * Returns: its number; 0: the sender did not wait; CALL_ESRCH: the port died
 */
static long
message_received(struct port *port, struct message *message)
{
    struct thread *thread = NULL;
    long result = (long)rcvid_number(&message->rcvid);
    uint64_t flags;

    flags = spinlock_lock_irqsave(&port->lock);
    if (unlikely(port->is_dead)) {
        thread = message_finish_locked(message, CALL_ESRCH);
        result = CALL_ESRCH;
    } else if (unlikely(atomic_load(&message->is_leaving))) {
        thread = message_give_up_locked(message);
        result = 0;
    } else {
        WRITE_ONCE(message->state, MESSAGE_RECEIVED);
        list_insert_tail(&port->clients, &message->link);
        /* Its time may be over, but was not meant for the queue. */
        if ((message->timeout_states & PORTOLAN_MSG_TIMEOUT_REPLY) &&
            !(message->timeout_states & PORTOLAN_MSG_TIMEOUT_SEND)) {
            thread = message->thread;
        }
    }
    message_unlock(port, flags, thread);
    return result;
}

/* Copy a message.  Returns: as message_receive(); 0: wait for another one */
static long
message_take(struct port *port, struct message *message,
             const struct message_wish *wish)
{
    struct msg_copy copy = { .to = wish->to,
                             .from = &message->send,
                             .size = UINT64_MAX,
                             .stop = &message->is_leaving };
    long result;

    switch (msg_copy(&copy)) {
    case MSG_COPY_DONE:
        break;
    case MSG_COPY_BAD_SRC:
        message_finish(message, CALL_EFAULT);
        return 0;
    case MSG_COPY_BAD_DST:
        message_finish(message, CALL_ESRVRFAULT);
        return CALL_EFAULT;
    case MSG_COPY_STOPPED:
        message_give_up(message);
        return 0;
    case MSG_COPY_ENDING:
        message_finish(message, CALL_ESRCH);
        return CALL_EINTR;
    }
    message->received = copy.copied;
    message_describe(message, wish->info);
    atomic_store_explicit(&message->sender->doing, PORTOLAN_THREAD_REPLY,
                          memory_order_relaxed);
    if (likely(wish->rights == NULL)) {
        return message_received(port, message);
    }
    msg_rights_give(message->rights, wish->rights, port->task);
    result = message_received(port, message);
    if (result <= 0) {
        msg_rights_take_back(wish->rights, port->task);
    }
    return result;
}

long
message_receive_from(struct port *port, struct message *message,
                     const struct message_wish *wish)
{
    long result = 0;

    uthread_does(PORTOLAN_THREAD_RECEIVE);
    do {
        if (message == NULL) {
            result = message_await(port, wish, &message);
        }
        if (result == 0) {
            result = message_take(port, message, wish);
        }
        message = NULL;
    } while (result == 0);
    uthread_does(PORTOLAN_THREAD_READY);
    return result;
}

void
message_refuse(struct message *message)
{
    message_finish(message, CALL_ESRVRFAULT);
}

long
message_receive(struct port *port, const struct msg_buffer *to,
                struct portolan_msg_info *info, struct msg_rights *rights,
                const struct message_timeout *timeout)
{
    const struct message_wish wish = {
        .to = to, .info = info, .rights = rights, .timeout = timeout
    };

    return message_receive_from(port, NULL, &wish);
}

/*
 * What is done with a message that was received
 */

/* Whether a number means a message of a task's port, which is locked. */
static bool
message_is_meant_locked(const struct message *message, const struct port *port,
                        const struct task *task, uint32_t rcvid)
{
    /* If it is not, others write it. */
    return READ_ONCE(message->port) == port && port->task == task &&
           message->state == MESSAGE_RECEIVED &&
           rcvid_number(&message->rcvid) == rcvid &&
           !atomic_load_explicit(&message->is_leaving, memory_order_relaxed);
}

/*
 * Find a message by its number, not LOCAL any more if that is what it was.
 *
 * Context: inside a section of RCU
 * Returns: it may be another one meanwhile; NULL: there is none
 */
static struct message *
message_find_shared(const struct task *task, uint32_t rcvid)
{
    struct message *message = rcvid_find(rcvid);
    struct port *port = message != NULL ? READ_ONCE(message->port) : NULL;

    if (port != NULL && port->task == task &&
        rcvid_number(&message->rcvid) == rcvid) {
        message_share(message);
    }
    return message;
}

/*
 * Find a message by its number.
 *
 * @is_reply  be the one who replies; else be counted in nr_users
 *
 * Returns: NULL: there is none; else message_finish() or message_unuse()
 */
static struct message *
message_claim(const struct task *task, uint32_t rcvid, bool is_reply)
{
    struct message *message;
    struct port *port;
    uint64_t flags;
    bool is_found = false;

    rcu_read_lock();
    message = message_find_shared(task, rcvid);
    port = message != NULL ? READ_ONCE(message->port) : NULL;
    if (port != NULL) {
        flags = spinlock_lock_irqsave(&port->lock);
        is_found = message_is_meant_locked(message, port, task, rcvid);
        if (is_found && is_reply) {
            list_remove(&message->link);
            WRITE_ONCE(message->state, MESSAGE_REPLYING);
        } else if (is_found) {
            message->nr_users++;
        }
        spinlock_unlock_irqrestore(&port->lock, flags);
    }
    rcu_read_unlock();
    return is_found ? message : NULL;
}

static void
message_unuse(struct message *message)
{
    struct port *port = message->port;
    struct thread *thread = NULL;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&port->lock);
    if (--message->nr_users == 0) {
        if (message->state == MESSAGE_REPLIED) {
            thread = message_finish_locked(message, message->status);
        } else if (atomic_load(&message->is_leaving)) {
            thread = message->thread;
        }
    }
    message_unlock(port, flags, thread);
}

long
message_reply(struct task *task, uint32_t rcvid, long status,
              const struct msg_buffer *from, struct msg_rights *rights)
{
    struct message *message = message_claim(task, rcvid, true);
    struct msg_copy copy;
    long error = 0;

    if (message == NULL) {
        return CALL_ESRCH;
    }
    if (from != NULL) {
        copy = (struct msg_copy){ .to = &message->reply,
                                  .from = from,
                                  .size = UINT64_MAX,
                                  .stop = &message->is_leaving };
        switch (msg_copy(&copy)) {
        case MSG_COPY_DONE:
            break;
        case MSG_COPY_BAD_DST:
            status = error = CALL_EFAULT;
            break;
        case MSG_COPY_BAD_SRC:
            status = error = CALL_ESRVRFAULT;
            break;
        case MSG_COPY_STOPPED:
            message_give_up(message);
            return CALL_ESRCH;
        case MSG_COPY_ENDING:
            status = CALL_ESRCH;
            error = CALL_EINTR;
            break;
        }
    }
    if (error == 0 && rights != NULL) {
        msg_rights_give(rights, message->rights, message->sender->task);
    }
    message_finish(message, status);
    return error;
}

/*
 * Copy to or from the memory of a sender, which is counted among those who use
 * it, and use it no longer.
 *
 * @senders_fault  which side is the sender's
 */
static long
message_access(struct message *message, struct msg_copy copy,
               enum msg_copy_end senders_fault)
{
    enum msg_copy_end end;

    copy.size = UINT64_MAX;
    copy.stop = &message->is_leaving;
    end = msg_copy(&copy);
    message_unuse(message);
    switch (end) {
    case MSG_COPY_DONE:
        return (long)copy.copied;
    case MSG_COPY_STOPPED:
        return CALL_ESRCH;
    case MSG_COPY_ENDING:
        return CALL_EINTR;
    default:
        return end == senders_fault ? CALL_EFAULT : CALL_ESRVRFAULT;
    }
}

long
message_read(struct task *task, uint32_t rcvid, const struct msg_buffer *to,
             uint64_t offset)
{
    struct message *message = message_claim(task, rcvid, false);

    if (message == NULL) {
        return CALL_ESRCH;
    }
    return message_access(message,
                          (struct msg_copy){ .to = to,
                                             .from = &message->send,
                                             .from_offset = offset },
                          MSG_COPY_BAD_SRC);
}

long
message_write(struct task *task, uint32_t rcvid, const struct msg_buffer *from,
              uint64_t offset)
{
    struct message *message = message_claim(task, rcvid, false);

    if (message == NULL) {
        return CALL_ESRCH;
    }
    return message_access(message,
                          (struct msg_copy){ .to = &message->reply,
                                             .to_offset = offset,
                                             .from = from },
                          MSG_COPY_BAD_DST);
}

long
message_info(struct task *task, uint32_t rcvid, struct portolan_msg_info *info)
{
    struct message *message = message_claim(task, rcvid, false);

    if (message == NULL) {
        return CALL_ESRCH;
    }
    message_describe(message, info);
    message_unuse(message);
    return 0;
}
