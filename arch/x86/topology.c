/* SPDX-License-Identifier: MIT */
/*
 * The APIC identifier is made of bit fields: thread, core, package, from the
 * right.  CPUID says how wide they are.
 *
 * Sources: Intel SDM vol. 3A, "Hierarchical Mapping of Shared Resources"; AMD
 * APM vol. 3, "Extended Topology Enumeration".
 */
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/command.h>
#include <lib/macros.h>

#include "cpuid.h"
#include "topology.h"

#define TOPOLOGY_LEVEL_SMT  1
#define TOPOLOGY_MAX_LEVELS 8

struct topology_widths {
    unsigned thread; /* bits of the thread number */
    unsigned core;   /* bits of the thread and core numbers */
};

/* Leaf 0x1f, or 0xb on processors before it, or 0 when there is neither. */
static uint32_t
topology_leaf(void)
{
    if (cpuid_read(0x1f, 0).r[CPUID_EBX] != 0) {
        return 0x1f;
    }
    return cpuid_read(0xb, 0).r[CPUID_EBX] != 0 ? 0xb : 0;
}

uint32_t
topology_own_hw_id(void)
{
    uint32_t leaf;

    leaf = topology_leaf();
    if (leaf != 0) {
        return cpuid_read(leaf, 0).r[CPUID_EDX];
    }
    return cpuid_read(1, 0).r[CPUID_EBX] >> 24;
}

static unsigned
topology_log2_up(unsigned n)
{
    unsigned bits;

    for (bits = 0; (1U << bits) < n && bits < 8; bits++) {
    }
    return bits;
}

/* Before leaf 0xb: logical processors of a package, and cores of it. */
static struct topology_widths
topology_widths_old(void)
{
    struct topology_widths widths;
    unsigned logical, cores;

    /* The field means nothing without the feature. */
    logical =
        cpuid_has(CPUID_HTT) ? (cpuid_read(1, 0).r[CPUID_EBX] >> 16) & 0xff : 1;
    cores = (cpuid_read(4, 0).r[CPUID_EAX] >> 26) + 1;
    if (cores == 1) {
        cores = (cpuid_read(0x80000008, 0).r[CPUID_ECX] & 0xff) + 1;
    }
    widths.core = topology_log2_up(MAX(logical, cores));
    widths.thread = widths.core - topology_log2_up(cores);
    return widths;
}

static struct topology_widths
topology_widths_of(uint32_t leaf)
{
    struct topology_widths widths = { 0, 0 };
    struct cpuid_regs regs;
    unsigned level, type;

    for (level = 0; level < TOPOLOGY_MAX_LEVELS; level++) {
        regs = cpuid_read(leaf, level);
        type = (regs.r[CPUID_ECX] >> 8) & 0xff;
        if (type == 0) {
            break;
        }

        /* The last level's width is that of all below the package. */
        widths.core = regs.r[CPUID_EAX] & 31;
        if (type == TOPOLOGY_LEVEL_SMT) {
            widths.thread = widths.core;
        }
    }
    return widths;
}

static status_t
topology_setup(void)
{
    struct topology_widths widths;
    struct cpu *cpu;
    uint32_t leaf, id;

    leaf = topology_leaf();
    widths = leaf != 0 ? topology_widths_of(leaf) : topology_widths_old();
    cpu = &cpu_table[cpu_id()];
    id = cpu->hw_id;
    cpu->thread = id & ((1U << widths.thread) - 1);
    cpu->core = (id & ((1U << widths.core) - 1)) >> widths.thread;
    cpu->package = id >> widths.core;
    return OK;
}

INIT_OP(topology_setup, INIT_EACH_CPU, AFTER(percpu_setup));

static void
topology_command(int argc __unused, char **argv __unused)
{
    static const char *const states[] = {
        [CPU_POSSIBLE] = "not started", [CPU_STARTING] = "starting",
        [CPU_ARRIVED] = "initialising", [CPU_ONLINE] = "online",
        [CPU_DEAD] = "did not answer",
    };
    struct cpu *cpu;
    uint32_t i;

    console_printf("cpu  apic  node package core thread state\n");
    for (i = 0; i < cpu_nr_possible; i++) {
        cpu = &cpu_table[i];
        console_printf("%3u  %4u  %4u %7u %4u %6u %s\n", i, cpu->hw_id,
                       cpu->node, cpu->package, cpu->core, cpu->thread,
                       states[cpu->state]);
    }
}

MONITOR_COMMAND(cpus, "", "processors, topology, states", topology_command);
