/* SPDX-License-Identifier: MIT */
/*
 * System calls: channels and connections.
 */
#include <kern/rcu.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/connection.h>
#include <ipc/port.h>
#include <ipc/right_table.h>
#include <ipc/uthread.h>
#include <lib/macros.h>
#include <portolan/msg.h>

/* Flags of channels that there are. */
#define CALL_CHANNEL_FLAGS 0x19ffU

/* Flags of connections. */
#define CALL_CONNECTION_FLAGS                                                  \
    (PORTOLAN_RIGHT_CLOEXEC | PORTOLAN_RIGHT_NOSHARE |                         \
     PORTOLAN_RIGHT_NOEVENT | PORTOLAN_RIGHT_INSECURE |                        \
     PORTOLAN_RIGHT_REGEVENTS)

/* Enter a port into the caller's table of channels.  Returns: its chid */
static long
call_channel_enter(struct port *port)
{
    struct task *self = task_self();
    struct right *right;
    status_t status;
    uint32_t chid;

    status = right_create(&right, &port->object, 0, self->container);
    if (status != OK) {
        return call_error(status);
    }
    status = right_table_reserve(&self->channels, 1, 1, &chid);
    if (status == OK) {
        port->chid = (int32_t)chid;
        status = right_table_commit(&self->channels, chid, right, 0);
    }
    if (status != OK) {
        right_put(right);
        return status == ERR_RANGE ? CALL_EAGAIN : call_error(status);
    }
    return (long)chid;
}

long
call_channel_create(uint32_t flags, uintptr_t name, size_t size)
{
    char text[PORTOLAN_NAME_SIZE] = "channel";
    struct task *self = task_self();
    struct port *port;
    status_t status;
    long result;

    if (flags & ~CALL_CHANNEL_FLAGS) {
        return CALL_EINVAL;
    }
    if (name != 0) {
        result = call_copy_name(text, name, size);
        if (result != 0) {
            return result;
        }
    }
    status = port_create(&port, self, self->container, flags, text);
    if (status != OK) {
        return call_error(status);
    }
    result = call_channel_enter(port);
    port_put(port);
    return result;
}

long
call_channel_destroy(int32_t chid)
{
    status_t status;

    status = right_table_close(&task_self()->channels, (uint32_t)chid);
    return status == OK ? 0 : CALL_EINVAL;
}

/* Make a connection and enter it. */
static long
call_connect(struct port *port, uint64_t label, uint32_t index, uint32_t flags)
{
    struct right *right;
    status_t status;
    long name;

    status = connection_right(port, task_self(), label, &right);
    if (status != OK) {
        return call_error(status);
    }
    name = call_enter_right(right, index, flags & RIGHT_FLAGS);
    right_put(right);
    return name;
}

long
call_channel_mint(int32_t chid, uint64_t label, uint32_t index, uint32_t flags)
{
    struct port *port;
    long result;

    if (flags & ~CALL_CONNECTION_FLAGS) {
        return CALL_EINVAL;
    }
    result = call_get_port(task_self(), chid, &port);
    if (result == 0) {
        result = call_connect(port, label, index, flags);
        port_put(port);
    }
    return result;
}

/* Find the port of another task, or of the caller's. */
static long
call_get_port_of(int32_t pid, int32_t chid, struct port **portp)
{
    struct task *self = task_self();
    struct task *task = self;
    long result;

    if (pid == 0 || pid == self->pid) {
        return call_get_port(self, chid, portp);
    }
    task = task_find(pid);
    if (task == NULL) {
        return CALL_ESRCH;
    }
    result = call_get_port(task, chid, portp);
    task_put(task);
    if (result == 0 && ((*portp)->flags & PORTOLAN_CHANNEL_PRIVATE)) {
        port_put(*portp);
        return CALL_EPERM;
    }
    return result;
}

long
call_connect_attach(int32_t pid, int32_t chid, uint32_t index, uint32_t flags)
{
    struct port *port;
    long result;

    if (flags & ~CALL_CONNECTION_FLAGS) {
        return CALL_EINVAL;
    }
    result = call_get_port_of(pid, chid, &port);
    if (result == 0) {
        result = call_connect(port, 0, index, flags);
        port_put(port);
    }
    return result;
}

long
call_connect_detach(uint32_t coid)
{
    struct right_table *table = task_table(task_self(), coid);
    bool is_connection;

    rcu_read_lock();
    is_connection = right_table_find(table, coid)->object->kind ==
                    KOBJECT_CONNECTION;
    rcu_read_unlock();
    if (!is_connection || right_table_close(table, coid) != OK) {
        return CALL_EINVAL;
    }
    return 0;
}

/*
 * What is told
 */

/* Whether a call means the caller: there is nothing to be told of others. */
static bool
call_is_own_pid(int32_t pid)
{
    return pid == 0 || pid == task_self()->pid;
}

long
call_connect_flags(int32_t pid, uint32_t coid, uint32_t mask, uint32_t bits)
{
    return call_is_own_pid(pid) ? call_right_set_flags(coid, mask, bits)
                                : CALL_EPERM;
}

/* Describe a right if it is a connection. */
static bool
call_describe_server(uint32_t coid, uint32_t flags,
                     struct portolan_server_info *info)
{
    const struct connection *connection;
    struct right *right;
    bool is_connection;

    if (right_table_get(task_table(task_self(), coid), coid, &right) != OK) {
        return false;
    }
    is_connection = right->object->kind == KOBJECT_CONNECTION;
    if (is_connection) {
        connection = connection_of_object(right->object);
        *info = (struct portolan_server_info){
            .pid = connection_server_pid(connection),
            .chid = connection->port->chid,
            .scoid = connection->scoid,
            .flags = flags |
                     (READ_ONCE(connection->port->is_dead) ? PORTOLAN_RIGHT_DEAD
                                                           : 0),
            .coid = (int32_t)coid,
        };
    }
    right_put(right);
    return is_connection;
}

/* Find the connection with the lowest name from @coid on, in its table. */
static bool
call_next_server(uint32_t coid, struct portolan_server_info *info)
{
    struct right_table *table = task_table(task_self(), coid);
    struct right_info next;

    while (!thread_is_ending() && right_table_next(table, coid, &next) == OK) {
        if (next.kind == KOBJECT_CONNECTION &&
            call_describe_server(next.name, next.flags, info)) {
            return true;
        }
        coid = next.name + 1;
    }
    return false;
}

long
call_connect_server_info(int32_t pid, uint32_t coid, uintptr_t info)
{
    struct portolan_server_info told;
    long error;

    if (!call_is_own_pid(pid)) {
        return CALL_EPERM;
    }
    if (!call_next_server(coid, &told) &&
        (coid >= RIGHT_BASE_SIDE ||
         !call_next_server(RIGHT_BASE_SIDE, &told))) {
        return CALL_EINVAL;
    }
    error = call_copy_out(info, &told, sizeof(told));
    return error != 0 ? error : told.coid;
}

long
call_connect_client_info(int32_t scoid, uintptr_t info)
{
    struct portolan_client_info told = { 0 };
    struct task *client;
    uint64_t serial;
    bool is_same;

    told.pid = connection_client(task_self(), scoid, &serial);
    client = told.pid != 0 ? task_find(told.pid) : NULL;
    if (client == NULL) {
        return CALL_EINVAL;
    }
    /* Another one may have the number by now. */
    is_same = client->object.serial == serial;
    task_get_credentials(client, &told.credentials);
    task_put(client);
    return is_same ? call_copy_out(info, &told, sizeof(told)) : CALL_EINVAL;
}
