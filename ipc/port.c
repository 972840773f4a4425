/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/slab.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <ipc/charged.h>
#include <ipc/message.h>
#include <ipc/message_local.h>
#include <ipc/port.h>
#include <ipc/port_cpu.h>
#include <ipc/task.h>

static struct slab_cache port_cache;

static size_t
port_size(void)
{
    return sizeof(struct port) + cpu_nr_possible * sizeof(struct port_cpu *);
}

static void
port_release(struct kobject *object)
{
    struct port *port = port_of_object(object);

    assert(rbtree_is_empty(&port->connections));
    assert(rbtree_is_empty(&port->senders) && list_is_empty(&port->clients));
    kobject_free(object);
}

static void
port_free(struct kobject *object)
{
    struct port *port = port_of_object(object);

    if (port->task != NULL) {
        task_put(port->task);
    }
    port_cpu_free_all(port);
    charged_free(&port_cache, port, port_size(), port->container);
}

/* The entry in the task's table of channels is gone: there is but one. */
static void
port_close(struct kobject *object, uint64_t label __unused)
{
    port_kill(port_of_object(object));
}

static const struct kobject_ops port_ops = {
    .kind = KOBJECT_PORT,
    .release = port_release,
    .free = port_free,
    .close = port_close,
};

status_t
port_create(struct port **portp, struct task *task, struct container *container,
            uint32_t flags, const char *name)
{
    struct port *port = charged_alloc(&port_cache, port_size(), container);

    if (port == NULL) {
        return ERR_NO_MEMORY;
    }
    kobject_init(&port->object, &port_ops, name);
    port->container = container;
    port->task = task;
    if (task != NULL) {
        task_get(task);
    }
    port->chid = 0;
    port->flags = flags;
    spinlock_init(&port->lock, LOCK_PORT, "port");
    port->is_dead = false;
    rbtree_init(&port->senders);
    list_init(&port->receivers);
    list_init(&port->clients);
    port->nr_arrived = 0;
    port->nr_queued = 0;
    memset(port->cpus, 0, cpu_nr_possible * sizeof(port->cpus[0]));
    rtmutex_init(&port->mutex, LOCK_PORT_CLIENTS, "clients of a port");
    rbtree_init(&port->connections);
    *portp = port;
    return OK;
}

void
port_kill(struct port *port)
{
    uint64_t flags;

    flags = spinlock_lock_irqsave(&port->lock);
    WRITE_ONCE(port->is_dead, true);
    spinlock_unlock_irqrestore(&port->lock, flags);
    message_share_all(port);
    while (message_drop_one(port)) {
        continue;
    }
}

static status_t
port_setup(void)
{
    slab_cache_init(&port_cache, "port", port_size(), _Alignof(struct port), 0);
    return OK;
}

INIT_OP(port_setup, INIT_BOOT_CPU, AFTER(slab_setup));
