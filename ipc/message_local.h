/* SPDX-License-Identifier: MIT */
/*
 * Messages between threads of one CPU: without a lock, an atomic instruction
 * or a cache line that other CPUs write.
 *
 * PROTOCOL.  A message is LOCAL, or it is shared: in any other state but IDLE
 * (message.h).  One that is LOCAL was received, and is its CPU's own: nobody
 * else touches it, and the CPU itself does with interrupts disabled.
 *
 *   sender    IDLE -> LOCAL, if a thread of its CPU waits that is held
 *   replier   LOCAL -> IDLE, on that CPU: it is over, the port forgotten
 *   that CPU  LOCAL -> RECEIVED, under the lock of the port: it is shared
 *
 * Whoever wants something else of a LOCAL message, or is on another CPU, asks
 * that CPU to share it first, by a cross call: who reads, writes or wants to
 * know; a replier who has moved; the sender, if it goes on before the reply;
 * the port, when it dies.  What shares a message takes a reference to the port
 * for its sender; while it is LOCAL none is needed, since the port has all of
 * them shared before it goes.
 *
 * RECEIVERS wait in the list of their CPU, held by it (kern/pass.h); those with
 * timeouts, and threads of the kernel, in that of the port.  Who queues a
 * message asks the CPUs that are open, one after the other, until one has taken
 * it or none is open.  A CPU is open from when a thread waits there; it is
 * closed when it is asked and none does.  A receiver looks at the queue before
 * it waits:
 *
 *   - The CPU opens under the lock of the port, after a look at the queue: so
 *     either that look finds a message, or its sender finds the CPU open.
 *   - If it is open already the look is one without the lock, at nr_queued:
 *     who queues does so before he asks, and what he asks comes before the look
 *     and the wait, or after both: interrupts are disabled.
 *
 * Others read state and cpu of a message at any time.  What they read together
 * belongs together: the state is stored last, and read first; and only the CPU
 * that is asked acts upon it, after another look.
 *
 * Invariants: 1. state is LOCAL only if the message is in the list of clients
 * of its CPU at its port.  2. A receiver is in the list of CPU @cpu only if
 * its place is HERE, which that CPU alone changes.  3. As long as a message is
 * QUEUED, and no receiver is in the list of the port, its sender asks, or no
 * CPU is open that was so when it was queued.
 *
 * May run concurrently: everything with everything.
 */
#ifndef IPC_MESSAGE_LOCAL_H
#define IPC_MESSAGE_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/cpu.h>
#include <kern/cpu.h>
#include <kern/pass.h>
#include <kern/rcu.h>
#include <lib/list.h>
#include <lib/macros.h>
#include <ipc/message_types.h>
#include <ipc/port.h>
#include <ipc/port_cpu.h>

struct thread;

/* What a CPU has of a port; NULL: nothing. */
static inline struct port_cpu *
port_here(struct port *port, uint32_t cpu)
{
    /* Pairs with the exchange in port_cpu_make(). */
    return rcu_dereference(port->cpus[cpu]);
}

/* Open this CPU.  Context: the port is locked */
void message_open_locked(struct port *port, struct port_cpu *here);

/*
 * Wait in the list of this CPU, which is open.
 *
 * @cpu  this CPU
 *
 * Context: the thread of a program, interrupts disabled, since the queue was
 *          found empty
 * Returns: true: the receiver has a message, interrupts are still disabled;
 *          false: they are enabled, message_stop_waiting() has to follow
 */
static __always_inline bool
message_wait_here(struct port_cpu *here, struct message_receiver *receiver,
                  uint32_t cpu)
{
    receiver->cpu = cpu;
    receiver->place = MESSAGE_HERE;
    list_insert_head(&here->receivers, &receiver->link);
    if (unlikely(!pass_hold(receiver->thread, cpu))) {
        return false;
    }
    if (unlikely(receiver->message == NULL)) {
        cpu_irq_enable();
        return false;
    }
    return true;
}

/*
 * Have a receiver be in the list of no CPU; then it has a message or none, or
 * is GONE.
 *
 * Context: its thread, preemptible, interrupts enabled
 */
void message_stop_waiting(struct message_receiver *receiver);

/*
 * Find a receiver on any CPU for a message that was queued.
 *
 * Context: its sender, preemptible, interrupts enabled
 * Returns: a thread of this CPU that has got it, and has to be unparked; NULL:
 *          the message was taken elsewhere, or is still QUEUED
 */
struct thread *message_find_receiver(struct port *port,
                                     struct message *message);

/*
 * Have a message be shared, if it is LOCAL.
 *
 * Context: thread, preemptible, interrupts enabled; the message is the
 *          caller's, or was found under RCU, in the same section
 */
void message_share(struct message *message);

/*
 * For port_kill(): let go who waits in lists of CPUs, and share what is LOCAL.
 *
 * Context: thread, preemptible; the port is dead
 */
void message_share_all(struct port *port);

#endif /* IPC_MESSAGE_LOCAL_H */
