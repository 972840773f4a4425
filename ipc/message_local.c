/* SPDX-License-Identifier: MIT */
/*
 * Messages between threads of one CPU: see message_local.h.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/pass.h>
#include <kern/spinlock.h>
#include <kern/thread.h>
#include <kern/xcall.h>
#include <lib/assert.h>
#include <ipc/message_i.h>
#include <ipc/message_local.h>

/* How many one cross call lets go or shares, so that it takes a short time. */
#define MESSAGE_SHARE_MAX 3

/* Take a receiver off the list of this CPU.  Context: interrupts disabled */
static inline void
message_detach(struct message_receiver *receiver)
{
    assert(receiver->place == MESSAGE_HERE && receiver->cpu == cpu_id());
    list_remove(&receiver->link);
    receiver->place = MESSAGE_NOWHERE;
}

/*
 * Receivers
 */

void
message_open_locked(struct port *port, struct port_cpu *here)
{
    assert(spinlock_is_locked(&port->lock));
    atomic_store_explicit(&here->is_open, true, memory_order_relaxed);
}

/* Nobody is to wait here any more before the CPU is opened again. */
static void
message_close(struct port *port, struct port_cpu *here)
{
    spinlock_lock(&port->lock);
    atomic_store_explicit(&here->is_open, false, memory_order_relaxed);
    spinlock_unlock(&port->lock);
}

static void
message_detach_call(void *arg)
{
    struct message_receiver *receiver = arg;

    if (receiver->place == MESSAGE_HERE) {
        message_detach(receiver);
    }
}

void
message_stop_waiting(struct message_receiver *receiver)
{
    /* For the thread's own CPU that is a call with interrupts disabled. */
    xcall_one(receiver->cpu, message_detach_call, receiver);
    assert(receiver->place != MESSAGE_HERE);
}

/*
 * Have a thread of this CPU take the most urgent message; close the CPU if
 * none waits.
 *
 * Context: interrupts disabled
 * Returns: who got one, has to be unparked; NULL: nobody
 */
static struct thread *
message_serve_here(struct port *port)
{
    struct port_cpu *here = port_here(port, cpu_id());
    struct message_receiver *receiver = NULL;
    struct message *message = NULL;

    if (here == NULL) {
        return NULL;
    }
    if (!list_is_empty(&here->receivers)) {
        receiver =
            list_first_entry(&here->receivers, struct message_receiver, link);
    }
    spinlock_lock(&port->lock);
    if (receiver == NULL) {
        atomic_store_explicit(&here->is_open, false, memory_order_relaxed);
    } else {
        message = message_dequeue_locked(port);
    }
    spinlock_unlock(&port->lock);
    if (message == NULL) {
        return NULL;
    }
    message_detach(receiver);
    receiver->message = message;
    return receiver->thread;
}

static void
message_serve_call(void *arg)
{
    struct thread *thread = message_serve_here(arg);

    if (thread != NULL) {
        thread_unpark(thread);
    }
}

/* A CPU that is open; cpu_nr_possible: none. */
static uint32_t
message_find_open(const struct port *port)
{
    uint32_t cpu;

    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        /* Pairs with the exchange in port_cpu_make(). */
        const struct port_cpu *there = rcu_dereference(port->cpus[cpu]);

        if (there != NULL &&
            atomic_load_explicit(&there->is_open, memory_order_relaxed)) {
            break;
        }
    }
    return cpu;
}

static bool
message_is_queued(const struct message *message)
{
    return READ_ONCE(message->state) == MESSAGE_QUEUED;
}

struct thread *
message_find_receiver(struct port *port, struct message *message)
{
    struct thread *thread;
    uint64_t flags;
    uint32_t cpu;

    flags = cpu_irq_save();
    thread = message_serve_here(port);
    cpu_irq_restore(flags);
    if (thread != NULL && !message_is_queued(message)) {
        return thread;
    }
    if (thread != NULL) {
        thread_unpark(thread);
    }
    while (message_is_queued(message) &&
           (cpu = message_find_open(port)) != cpu_nr_possible) {
        xcall_one(cpu, message_serve_call, port);
    }
    return NULL;
}

/*
 * Sharing
 */

/* Context: interrupts disabled, on the CPU of the message, which is LOCAL */
static void
message_share_here(struct message *message)
{
    struct port *port = message->port;

    list_remove(&message->link);
    kobject_get(&port->object);
    message->has_port = true;
    spinlock_lock(&port->lock);
    WRITE_ONCE(message->state, MESSAGE_RECEIVED);
    list_insert_tail(&port->clients, &message->link);
    spinlock_unlock(&port->lock);
}

static void
message_share_call(void *arg)
{
    struct message *message = arg;

    if (READ_ONCE(message->state) == MESSAGE_LOCAL &&
        READ_ONCE(message->cpu) == cpu_id()) {
        message_share_here(message);
    }
}

void
message_share(struct message *message)
{
    /* Pairs with the release in call_fast_give(). */
    if (__atomic_load_n(&message->state, __ATOMIC_ACQUIRE) == MESSAGE_LOCAL) {
        xcall_one(READ_ONCE(message->cpu), message_share_call, message);
    }
}

/* One step of message_share_all() on one CPU. */
struct message_share_step {
    struct port *port;
    bool is_done;
};

/* Returns: whether there was anything */
static bool
message_share_one(struct port_cpu *here)
{
    if (!list_is_empty(&here->receivers)) {
        struct message_receiver *receiver =
            list_first_entry(&here->receivers, struct message_receiver, link);

        message_detach(receiver);
        receiver->place = MESSAGE_GONE;
        thread_unpark(receiver->thread);
        return true;
    }
    if (!list_is_empty(&here->clients)) {
        message_share_here(
            list_first_entry(&here->clients, struct message, link));
        return true;
    }
    return false;
}

static void
message_share_all_call(void *arg)
{
    struct message_share_step *step = arg;
    struct port_cpu *here = port_here(step->port, cpu_id());

    message_close(step->port, here);
    for (unsigned i = 0; i < MESSAGE_SHARE_MAX && !step->is_done; i++) {
        step->is_done = !message_share_one(here);
    }
}

void
message_share_all(struct port *port)
{
    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        struct message_share_step step = { .port = port };

        /* Pairs with the exchange in port_cpu_make(). */
        step.is_done = rcu_dereference(port->cpus[cpu]) == NULL;
        while (!step.is_done) {
            xcall_one(cpu, message_share_all_call, &step);
        }
    }
}
