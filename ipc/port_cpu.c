/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/rcu.h>
#include <kern/slab.h>
#include <lib/assert.h>
#include <ipc/charged.h>
#include <ipc/port.h>
#include <ipc/port_cpu.h>

static struct slab_cache port_cpu_cache;

static void
port_cpu_free(struct port *port, struct port_cpu *here)
{
    charged_free(&port_cpu_cache, here, sizeof(*here), port->container);
}

bool
port_cpu_make(struct port *port, uint32_t cpu)
{
    struct port_cpu *here, *other = NULL;

    if (rcu_dereference(port->cpus[cpu]) != NULL) {
        return true;
    }
    here = charged_alloc(&port_cpu_cache, sizeof(*here), port->container);
    if (here == NULL) {
        return false;
    }
    list_init(&here->receivers);
    list_init(&here->clients);
    atomic_init(&here->is_open, false);
    /* Pairs with rcu_dereference() in port_here(). */
    if (!__atomic_compare_exchange_n(&port->cpus[cpu], &other, here, false,
                                     __ATOMIC_RELEASE, __ATOMIC_ACQUIRE)) {
        port_cpu_free(port, here);
    }
    return true;
}

void
port_cpu_free_all(struct port *port)
{
    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        struct port_cpu *here = port->cpus[cpu];

        if (here != NULL) {
            assert(list_is_empty(&here->receivers) &&
                   list_is_empty(&here->clients));
            port_cpu_free(port, here);
        }
    }
}

static status_t
port_cpu_setup(void)
{
    slab_cache_init(&port_cpu_cache, "port, of a CPU", sizeof(struct port_cpu),
                    _Alignof(struct port_cpu), 0);
    return OK;
}

INIT_OP(port_cpu_setup, INIT_BOOT_CPU, AFTER(slab_setup));
