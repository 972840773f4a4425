/* SPDX-License-Identifier: MIT */
/*
 * Ports: what servers receive messages from.  QNX calls them channels.
 *
 * A port belongs to a task, in which its number is its name in the table of
 * channels.  It dies when it is closed there, or with the task; then nobody
 * stays blocked on it, and sending to it fails.
 *
 * May run concurrently: everything with everything.
 * Lock ranks: LOCK_PORT_CLIENTS, LOCK_PORT.  Design: doc/ipc.md.
 */
#ifndef IPC_PORT_H
#define IPC_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/rtmutex.h>
#include <kern/spinlock.h>
#include <ipc/kobject.h>
#include <lib/list.h>
#include <lib/macros.h>
#include <lib/rbtree.h>
#include <lib/status.h>

struct container;
struct port_cpu;
struct task;

/*
 * Keys: [P] lock   [C] mutex of the clients   [c] constant   [a] atomic,
 *       written under the lock
 */
struct port {
    struct kobject object;
    struct container *container; /* [c] charged and referenced */
    struct task *task;           /* [c] whose it is, referenced; NULL: nobody */
    int32_t chid;                /* [c] in the task, once it is found */
    uint32_t flags;              /* [c] PORTOLAN_CHANNEL_... */

    __aligned(CACHE_LINE) struct spinlock lock; /* rank LOCK_PORT */
    bool is_dead;                               /* [a] */
    struct rbtree senders; /* [P] messages that are QUEUED: by priority, FIFO */
    struct list receivers; /* [P] who waits, the last one first */
    struct list clients;   /* [P] messages that are RECEIVED */
    uint64_t nr_arrived;   /* [P] */
    uint32_t nr_queued;    /* [P] in @senders; read by anybody */

    struct rtmutex mutex;      /* rank LOCK_PORT_CLIENTS */
    struct rbtree connections; /* [C] those that are open, by client */

    struct port_cpu *cpus[]; /* by CPU; written once each; NULL: not yet */
};

/*
 * Make a port.
 *
 * @task       whose messages it gets; NULL: the kernel
 * @container  pays
 * @flags      PORTOLAN_CHANNEL_...
 * @name       for people; copied
 *
 * Context: thread, preemptible
 * Returns: OK, with one reference; ERR_NO_MEMORY
 */
status_t port_create(struct port **portp, struct task *task,
                     struct container *container, uint32_t flags,
                     const char *name) __must_check;

/* The port that an object is. */
static inline struct port *
port_of_object(struct kobject *object)
{
    return container_of(object, struct port, object);
}

/* Take another reference.  Context: as kobject_get(); the caller has one */
static inline void
port_get(struct port *port)
{
    kobject_get(&port->object);
}

/* Give a reference up.  Context: as kobject_put() */
static inline void
port_put(struct port *port)
{
    kobject_put(&port->object);
}

/*
 * Have a port die: who waits to send, or for a reply, gets ESRCH, and so do
 * those who wait to receive.  Takes as long as there are any, preemptible.
 *
 * Context: thread, preemptible, no lock held
 */
void port_kill(struct port *port);

#endif /* IPC_PORT_H */
