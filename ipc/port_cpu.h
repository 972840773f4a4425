/* SPDX-License-Identifier: MIT */
/*
 * What a CPU has of a port: those of its threads that wait for messages, and
 * the messages between its threads that were received and not replied to.
 *
 * Nobody but that CPU touches the lists, with interrupts disabled; others ask
 * it to, by cross calls (message_local.h).
 */
#ifndef IPC_PORT_CPU_H
#define IPC_PORT_CPU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lib/list.h>
#include <lib/macros.h>

struct port;

/*
 * Keys: [H] its CPU, interrupts disabled   [P] written by its CPU under the
 *       lock of the port, read by anybody
 */
struct port_cpu {
    struct list receivers; /* [H] struct message_receiver, the last one first */
    struct list clients;   /* [H] messages that are LOCAL */
    atomic_bool is_open;   /* [P] threads may wait there */
} __aligned(CACHE_LINE);

/*
 * Have what a CPU needs for a port.
 *
 * @cpu  where the calling thread was; it may have moved
 *
 * Context: thread, preemptible; the caller has a reference to the port
 * Returns: whether it is there: it can be missing when memory is short
 */
bool port_cpu_make(struct port *port, uint32_t cpu);

/* Free all of a port.  Context: thread; nobody uses the port */
void port_cpu_free_all(struct port *port);

#endif /* IPC_PORT_CPU_H */
