/* SPDX-License-Identifier: MIT */
/*
 * Connections: what a task has to a port.  There is one for a task and a port,
 * whatever the number of rights to it, each with the label that it was minted
 * with.  By its number, the scoid, the server knows the client.
 *
 * LIFE.  A connection is open while there are rights to it: in tables, in
 * messages under way, in calls.  Nobody counts them but by references: that the
 * last one is gone is noticed some epochs later (kern/sref.h), and then the
 * server's number is free.  Who attaches before that has the same connection.
 *
 * Invariant: the port knows a connection from the time it is made until it is
 * dead; who finds it so before it has gone takes it out in its place.
 *
 * May run concurrently: everything with everything.
 * Lock: the mutex of the port's clients.  Design: doc/ipc.md.
 */
#ifndef IPC_CONNECTION_H
#define IPC_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <ipc/kobject.h>
#include <ipc/port.h>
#include <ipc/right.h>
#include <ipc/task.h>
#include <lib/rbtree.h>
#include <lib/macros.h>
#include <lib/status.h>

/* Scoids are more than this: _NTO_CONNECTION_SCOID. */
#define CONNECTION_SCOID 0x10000

/*
 * Keys: [c] constant   [C] mutex of the port's clients
 */
struct connection {
    struct kobject object;
    struct port *port;           /* [c] referenced */
    struct container *container; /* [c] charged and referenced */
    uint64_t client;             /* [c] the task's serial: pids come again */
    int32_t pid;                 /* [c] of the client */
    int32_t scoid;               /* [c] */
    bool is_open;                /* [C] the port knows it */
    struct rbtree_node node;     /* [C] */
};

/* The connection that an object is. */
static inline struct connection *
connection_of_object(struct kobject *object)
{
    return container_of(object, struct connection, object);
}

/*
 * Make a right of a task to send to a port.
 *
 * @task  whose the right is going to be
 *
 * Context: thread, preemptible; the caller has references to both
 * Returns: OK, with one reference; ERR_NO_MEMORY; ERR_CLOSED: the port is dead
 */
status_t connection_right(struct port *port, struct task *task, uint64_t label,
                          struct right **rightp) __must_check;

/* Who has the port: a pid; 0: the kernel. */
int32_t connection_server_pid(const struct connection *connection);

/*
 * Whose connection has a number.
 *
 * @server   the task that has the port
 * @serialp  receives the serial of the task
 *
 * Context: thread, preemptible
 * Returns: its pid, which may be another task's if that one has ended; 0: there
 *          is no such number
 */
int32_t connection_client(struct task *server, int32_t scoid,
                          uint64_t *serialp);

/*
 * The right that a task gets when it is given one: the same, but for
 * connections of others, of which it gets its own.
 *
 * Context: thread, preemptible; the caller has references to both
 * Returns: as connection_right()
 */
status_t connection_right_for(struct right *right, struct task *task,
                              struct right **copyp) __must_check;

#endif /* IPC_CONNECTION_H */
