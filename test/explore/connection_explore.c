/* SPDX-License-Identifier: MIT */
/*
 * Connections: rights to them are made, entered and closed by several threads
 * of one task, or of two, while the port dies.
 *
 * What a table does with a right is done here without one: an entry is a
 * reference to it.
 */
#include <stdatomic.h>

#include <lib/macros.h>
#include <ipc/connection.h>
#include <ipc/message.h>
#include <ipc/message_local.h>
#include <test/explore/container.h>
#include <test/explore/counts.h>
#include <test/explore/threads.h>

#define CONNECTION_CLIENTS 2
#define CONNECTION_NS      300

static struct task connection_server;
static struct task connection_clients[CONNECTION_CLIENTS];
static struct port *connection_port;
static struct right *connection_given;

/* Messages are explored elsewhere. */
void
message_share_all(struct port *port __unused)
{
}

bool
message_drop_one(struct port *port __unused)
{
    return false;
}

/* ------------------------------------------------------------------ entries */

/* The connection of an entry: its number means it, and nothing else. */
static void
connection_look(const struct right *entry)
{
    struct connection *connection = connection_of_object(entry->object);
    uint32_t key = (uint32_t)connection->scoid - CONNECTION_SCOID;
    uint64_t serial;

    explore_expect(key >= 1 && key <= CONNECTION_CLIENTS);
    explore_expect(connection_client(&connection_server, connection->scoid,
                                     &serial) == connection->pid);
    explore_expect(serial == connection->client);
    explore_expect(READ_ONCE(connection->is_open));
}

/* ConnectAttach().  Returns: NULL: the port is dead */
static struct right *
connection_attach(struct task *task)
{
    struct right *right;
    status_t status;

    status = connection_right(connection_port, task, 1, &right);
    if (status != OK) {
        explore_expect(status == ERR_CLOSED && connection_port->is_dead);
        return NULL;
    }
    return right;
}

/* As a program that has it twice does. */
static void
connection_use(void *arg)
{
    struct task *task = arg;

    for (unsigned i = 0; i < 2; i++) {
        struct right *entry = connection_attach(task);

        if (entry != NULL) {
            connection_look(entry);
            right_put(entry);
        }
        threads_sleep_below(CONNECTION_NS);
    }
}

/* ---------------------------------------------------------------- the scene */

static void
connection_object_release(struct kobject *object __unused)
{
}

static const struct kobject_ops connection_task_ops = {
    .kind = KOBJECT_TEST,
    .release = connection_object_release,
    .free = connection_object_release,
};

static void
connection_task_init(struct task *task, int32_t pid)
{
    kobject_init(&task->object, &connection_task_ops, "task");
    task->pid = pid;
    rtmutex_init(&task->mutex, LOCK_TASK, "task");
    rcu_radix_init(&task->scoids);
}

static void
connection_run(unsigned nr_cpus, explore_fn_t main)
{
    threads_setup(nr_cpus);
    explore_init_op("rcu_setup");
    explore_init_op("port_setup");
    explore_init_op("right_setup");
    explore_init_op("connection_setup");
    connection_task_init(&connection_server, 1);
    for (int32_t i = 0; i < CONNECTION_CLIENTS; i++) {
        connection_task_init(&connection_clients[i], 2 + i);
    }
    explore_expect(port_create(&connection_port, &connection_server, NULL, 0,
                               "port") == OK);
    threads_go(nr_cpus, main, NULL);
}

/* Nothing is left. */
static void
connection_take_down(void)
{
    uint64_t serial;

    explore_expect(rbtree_is_empty(&connection_port->connections));
    for (int32_t key = 1; key <= CONNECTION_CLIENTS; key++) {
        explore_expect(connection_client(&connection_server,
                                         CONNECTION_SCOID + key, &serial) == 0);
    }
    port_put(connection_port);
    explore_expect(atomic_load(&container_counts[CONTAINER_OBJECTS]) == 0);
}

/* Two threads, that are of one task or not. */
static void
connection_run_two(thread_fn_t fn, struct task *first, struct task *second)
{
    struct thread *other;

    other = threads_create_on(1, fn, second);
    fn(first);
    thread_join(other);
}

static void
connection_main_one_task(void *arg __unused)
{
    connection_run_two(connection_use, &connection_clients[0],
                       &connection_clients[0]);
    connection_take_down();
}

/* To attach succeeds whatever another thread of the task closes. */
EXPLORE(connection, attached)
{
    connection_run(2, connection_main_one_task);
}

static void
connection_main_two_tasks(void *arg __unused)
{
    connection_run_two(connection_use, &connection_clients[0],
                       &connection_clients[1]);
    connection_take_down();
}

/* Two tasks have two numbers, that are given back once. */
EXPLORE(connection, two_tasks)
{
    connection_run(2, connection_main_two_tasks);
}

static void
connection_use_or_kill(void *arg)
{
    if (arg != NULL) {
        connection_use(arg);
    } else {
        threads_sleep_below(4 * CONNECTION_NS);
        port_kill(connection_port);
    }
}

static void
connection_main_kills(void *arg __unused)
{
    connection_run_two(connection_use_or_kill, &connection_clients[0], NULL);
    connection_take_down();
}

/* Nobody attaches to a dead port; what is attached is closed as before. */
EXPLORE(connection, port_killed)
{
    connection_run(2, connection_main_kills);
}

/* Give a right that may be closed at any time to a task. */
static void
connection_give(void *arg)
{
    struct task *task = arg;
    struct right *copy;

    explore_expect(connection_right_for(connection_given, task, &copy) == OK);
    explore_expect(copy->label == 1);
    explore_expect(connection_of_object(copy->object)->pid == task->pid);
    connection_look(copy);
    right_put(copy);
}

static void
connection_main_gives(void *task)
{
    struct right *entry = connection_attach(&connection_clients[0]);
    struct thread *giver;

    connection_given = entry;
    right_get(entry);
    giver = threads_create_on(1, connection_give, task);
    threads_sleep_below(CONNECTION_NS);
    right_put(entry);
    thread_join(giver);
    right_put(entry);
    connection_take_down();
}

static void
connection_main_gives_own(void *arg __unused)
{
    connection_main_gives(&connection_clients[0]);
}

/* What is given is had, whether its name is closed by then or not. */
EXPLORE(connection, given_to_itself)
{
    connection_run(2, connection_main_gives_own);
}

static void
connection_main_gives_away(void *arg __unused)
{
    connection_main_gives(&connection_clients[1]);
}

EXPLORE(connection, given)
{
    connection_run(2, connection_main_gives_away);
}
