/* SPDX-License-Identifier: MIT */
#include <kern/init.h>
#include <kern/slab.h>
#include <lib/assert.h>
#include <ipc/charged.h>
#include <ipc/connection.h>

/* Scoids of a task are less than this behind CONNECTION_SCOID. */
#define CONNECTION_SCOIDS_MAX (UINT32_C(1) << 20)

static struct slab_cache connection_cache;

/*
 * Numbers
 */

static status_t
connection_number(struct connection *connection)
{
    struct task *server = connection->port->task;
    status_t status;
    uint32_t key = 0;

    connection->scoid = 0;
    if (server == NULL) {
        return OK;
    }
    rtmutex_lock(&server->mutex);
    status = rcu_radix_insert_lowest(&server->scoids, connection, 1,
                                     CONNECTION_SCOIDS_MAX, &key);
    rtmutex_unlock(&server->mutex);
    connection->scoid = (int32_t)(CONNECTION_SCOID + key);
    return status == ERR_RANGE ? ERR_NO_MEMORY : status;
}

static void
connection_forget_number(struct connection *connection)
{
    struct task *server = connection->port->task;

    if (server != NULL) {
        rtmutex_lock(&server->mutex);
        rcu_radix_remove(&server->scoids,
                         (uint32_t)connection->scoid - CONNECTION_SCOID);
        rtmutex_unlock(&server->mutex);
    }
}

int32_t
connection_server_pid(const struct connection *connection)
{
    const struct task *server = connection->port->task;

    return server != NULL ? server->pid : 0;
}

int32_t
connection_client_pid(struct task *server, int32_t scoid)
{
    const struct connection *connection;
    int32_t pid = 0;

    if (scoid <= CONNECTION_SCOID ||
        (uint32_t)scoid - CONNECTION_SCOID >= CONNECTION_SCOIDS_MAX) {
        return 0;
    }
    rtmutex_lock(&server->mutex);
    connection =
        rcu_radix_find(&server->scoids, (uint32_t)scoid - CONNECTION_SCOID);
    if (connection != NULL) {
        pid = connection->pid;
    }
    rtmutex_unlock(&server->mutex);
    return pid;
}

/*
 * The connections of a port
 */

static int
connection_compare(const struct rbtree_node *a, const struct rbtree_node *b)
{
    int32_t a_pid = rbtree_entry(a, struct connection, node)->pid;
    int32_t b_pid = rbtree_entry(b, struct connection, node)->pid;

    return (a_pid > b_pid) - (a_pid < b_pid);
}

static int
connection_compare_key(const void *key, const struct rbtree_node *node)
{
    int32_t pid = *(const int32_t *)key;
    int32_t other = rbtree_entry(node, struct connection, node)->pid;

    return (pid > other) - (pid < other);
}

/* The port knows it no longer. */
static void
connection_shut_locked(struct connection *connection)
{
    assert(rtmutex_is_owned(&connection->port->mutex));
    connection->is_open = false;
    rbtree_remove(&connection->port->connections, &connection->node);
    connection_forget_number(connection);
}

/*
 * The object
 */

/* Who is counted has a reference: so nobody is, and the port forgot it. */
static void
connection_release(struct kobject *object)
{
    assert(!connection_of_object(object)->is_open);
    kobject_free(object);
}

static void
connection_free(struct kobject *object)
{
    struct connection *connection = connection_of_object(object);

    port_put(connection->port);
    charged_free(&connection_cache, connection, sizeof(*connection),
                 connection->container);
}

static status_t
connection_open(struct kobject *object, uint64_t label __unused)
{
    struct connection *connection = connection_of_object(object);
    struct port *port = connection->port;
    status_t status = ERR_CLOSED;

    rtmutex_lock(&port->mutex);
    if (connection->is_open) {
        connection->nr_rights++;
        status = OK;
    }
    rtmutex_unlock(&port->mutex);
    return status;
}

static void
connection_close(struct kobject *object, uint64_t label __unused)
{
    struct connection *connection = connection_of_object(object);
    struct port *port = connection->port;

    rtmutex_lock(&port->mutex);
    assert(connection->is_open && connection->nr_rights != 0);
    if (--connection->nr_rights == 0) {
        connection_shut_locked(connection);
    }
    rtmutex_unlock(&port->mutex);
}

static const struct kobject_ops connection_ops = {
    .kind = KOBJECT_CONNECTION,
    .release = connection_release,
    .free = connection_free,
    .open = connection_open,
    .close = connection_close,
};

static struct connection *
connection_alloc(struct port *port, struct task *task)
{
    struct connection *connection =
        charged_alloc(&connection_cache, sizeof(*connection), task->container);

    if (connection == NULL) {
        return NULL;
    }
    kobject_init(&connection->object, &connection_ops, port->object.name);
    port_get(port);
    connection->port = port;
    connection->container = task->container;
    connection->pid = task->pid;
    connection->nr_rights = 0;
    connection->is_open = false;
    return connection;
}

/* The open connection of a task, with a reference; or NULL. */
static struct connection *
connection_find_locked(struct port *port, int32_t pid)
{
    struct connection *connection;
    struct rbtree_node *node;

    node = rbtree_find(&port->connections, &pid, connection_compare_key);
    if (node == NULL) {
        return NULL;
    }
    connection = rbtree_entry(node, struct connection, node);
    kobject_get(&connection->object);
    return connection;
}

static status_t
connection_add_locked(struct port *port, struct connection *connection)
{
    status_t status;

    if (READ_ONCE(port->is_dead)) {
        return ERR_CLOSED;
    }
    status = connection_number(connection);
    if (status == OK) {
        rbtree_insert(&port->connections, &connection->node,
                      connection_compare);
        connection->is_open = true;
    }
    return status;
}

/* The connection of a task to a port, with a reference, and counted. */
static status_t
connection_get(struct port *port, struct task *task,
               struct connection **connectionp)
{
    struct connection *connection;
    status_t status = OK;

    rtmutex_lock(&port->mutex);
    connection = connection_find_locked(port, task->pid);
    if (connection == NULL) {
        connection = connection_alloc(port, task);
        status = connection != NULL ? connection_add_locked(port, connection)
                                    : ERR_NO_MEMORY;
    }
    if (status == OK) {
        connection->nr_rights++;
    }
    rtmutex_unlock(&port->mutex);
    if (status != OK && connection != NULL) {
        kobject_put(&connection->object);
    }
    *connectionp = connection;
    return status;
}

status_t
connection_right(struct port *port, struct task *task, uint64_t label,
                 struct right **rightp)
{
    struct connection *connection;
    status_t status;

    status = connection_get(port, task, &connection);
    if (status != OK) {
        return status;
    }
    status = right_create(rightp, &connection->object, label, task->container);
    if (status != OK) {
        connection_close(&connection->object, label);
    }
    kobject_put(&connection->object);
    return status;
}

status_t
connection_right_for(struct right *right, struct task *task,
                     struct right **copyp)
{
    struct connection *connection = NULL;
    status_t status = ERR_CLOSED;

    if (right->object->kind == KOBJECT_CONNECTION) {
        connection = connection_of_object(right->object);
    }
    if (connection == NULL || connection->pid == task->pid) {
        status = right_admit(right);
    }
    if (status == OK) {
        right_get(right);
        *copyp = right;
        return OK;
    }
    return connection == NULL
               ? status
               : connection_right(connection->port, task, right->label, copyp);
}

static status_t
connection_setup(void)
{
    slab_cache_init(&connection_cache, "connection", sizeof(struct connection),
                    0, 0);
    return OK;
}

INIT_OP(connection_setup, INIT_BOOT_CPU, AFTER(slab_setup));
