/* SPDX-License-Identifier: MIT */
/*
 * The processors of the machine: numbers, topology, states.
 *
 * CPUs are numbered densely from 0, the boot CPU, in the order of the
 * firmware's table.  "Possible" are all that the table names (as limited by
 * maxcpus=), "online" those that answered.
 */
#ifndef KERN_CPU_H
#define KERN_CPU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <arch/cpu.h>
#include <kern/percpu.h>

enum cpu_state {
    CPU_POSSIBLE, /* not started yet */
    CPU_STARTING, /* was sent its start-up interrupt */
    CPU_ARRIVED,  /* answered, initialises itself */
    CPU_ONLINE,   /* runs */
    CPU_DEAD,     /* did not answer in time and is left out */
};

/*
 * Keys: [c] constant once all CPUs are up   [a] atomic
 */
struct cpu {
    uint32_t hw_id;    /* [c] the machine's name of it (APIC id) */
    uint32_t node;     /* [c] NUMA node, dense from 0 */
    uint32_t package;  /* [c] */
    uint32_t core;     /* [c] in its package */
    uint32_t thread;   /* [c] in its core */
    atomic_uint state; /* [a] enum cpu_state */
};

/* Number of this CPU. */
extern uint32_t cpu_number;

/* Descriptions by CPU number; cpu_nr_possible of them. */
extern struct cpu *cpu_table;
extern uint32_t cpu_nr_possible;

/* The number of the CPU that executes this; stable while it cannot move. */
static inline uint32_t
cpu_id(void)
{
    return percpu_read(cpu_number);
}

/* Whether CPU @cpu runs. */
static inline bool
cpu_is_online(uint32_t cpu)
{
    return atomic_load_explicit(&cpu_table[cpu].state, memory_order_acquire) ==
           CPU_ONLINE;
}

/* How many CPUs run. */
uint32_t cpu_nr_online(void);

/* Visit the CPUs that run. */
#define cpu_for_each(cpu)                                                      \
    for ((cpu) = 0; (cpu) < cpu_nr_possible; (cpu)++)                          \
        if (!cpu_is_online(cpu)) {                                             \
        } else

#endif /* KERN_CPU_H */
