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
connection_client(struct task *server, int32_t scoid, uint64_t *serialp)
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
        *serialp = connection->client;
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
    uint64_t a_client = rbtree_entry(a, struct connection, node)->client;
    uint64_t b_client = rbtree_entry(b, struct connection, node)->client;

    return (a_client > b_client) - (a_client < b_client);
}

static int
connection_compare_key(const void *key, const struct rbtree_node *node)
{
    uint64_t client = *(const uint64_t *)key;
    uint64_t other = rbtree_entry(node, struct connection, node)->client;

    return (client > other) - (client < other);
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

/* Nobody has it: have the port forget it, unless that is done. */
static void
connection_release(struct kobject *object)
{
    struct connection *connection = connection_of_object(object);
    struct port *port = connection->port;

    rtmutex_lock(&port->mutex);
    if (connection->is_open) {
        connection_shut_locked(connection);
    }
    rtmutex_unlock(&port->mutex);
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

static const struct kobject_ops connection_ops = {
    .kind = KOBJECT_CONNECTION,
    .release = connection_release,
    .free = connection_free,
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
    connection->client = task->object.serial;
    connection->pid = task->pid;
    connection->is_open = false;
    return connection;
}

/*
 * The open connection of a task, with a reference; or NULL.  One that is dead
 * already, but not yet forgotten, makes room for the next.
 */
static struct connection *
connection_find_locked(struct port *port, uint64_t client)
{
    struct connection *connection;
    struct rbtree_node *node;

    node = rbtree_find(&port->connections, &client, connection_compare_key);
    if (node == NULL) {
        return NULL;
    }
    /* Its release needs the mutex: it is not freed before. */
    connection = rbtree_entry(node, struct connection, node);
    if (!kobject_try_get(&connection->object)) {
        connection_shut_locked(connection);
        return NULL;
    }
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

/* The connection of a task to a port, with a reference. */
static status_t
connection_get(struct port *port, struct task *task,
               struct connection **connectionp)
{
    struct connection *connection;
    status_t status = OK;

    rtmutex_lock(&port->mutex);
    connection = connection_find_locked(port, task->object.serial);
    if (connection == NULL) {
        connection = connection_alloc(port, task);
        status = connection != NULL ? connection_add_locked(port, connection)
                                    : ERR_NO_MEMORY;
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
    kobject_put(&connection->object);
    return status;
}

status_t
connection_right_for(struct right *right, struct task *task,
                     struct right **copyp)
{
    struct connection *connection;

    if (right->object->kind == KOBJECT_CONNECTION) {
        connection = connection_of_object(right->object);
        if (connection->client != task->object.serial) {
            return connection_right(connection->port, task, right->label,
                                    copyp);
        }
    }
    right_get(right);
    *copyp = right;
    return OK;
}

static status_t
connection_setup(void)
{
    slab_cache_init(&connection_cache, "connection", sizeof(struct connection),
                    0, 0);
    return OK;
}

INIT_OP(connection_setup, INIT_BOOT_CPU, AFTER(slab_setup));
