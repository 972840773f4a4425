/* SPDX-License-Identifier: MIT */
/*
 * The variables of kernel and scenario, which each schedule finds as the
 * linker left them: explore.ld gathers them, a copy is made before the first.
 */
#include <stdlib.h>
#include <string.h>

#include <kern/cpu.h>
#include <kern/percpu.h>
#include "engine.h"

/* Bytes of a CPU's copy of the per-CPU variables, at most. */
#define MEMORY_PERCPU_MAX KIB(64)

extern char percpu_start[], percpu_end[];
extern char explore_state_start[], explore_state_end[];

__section(".percpu.first") uintptr_t percpu_offset;
__section(".percpu.first") uint32_t cpu_number;

static uintptr_t memory_offsets[EXPLORE_CPUS_MAX];
uintptr_t *percpu_offsets = memory_offsets;

static struct cpu memory_cpus[EXPLORE_CPUS_MAX];
struct cpu *cpu_table = memory_cpus;
uint32_t cpu_nr_possible = 1;

static __aligned(4096) char memory_areas[EXPLORE_CPUS_MAX][MEMORY_PERCPU_MAX];
static char *memory_pristine;

uint32_t
cpu_nr_online(void)
{
    return cpu_nr_possible;
}

static size_t
memory_state_size(void)
{
    return (size_t)(explore_state_end - explore_state_start);
}

static size_t
memory_percpu_size(void)
{
    return (size_t)(percpu_end - percpu_start);
}

void
memory_setup(void)
{
    unsigned cpu;

    memory_pristine = malloc(memory_state_size() + 1);
    if (memory_pristine == NULL || memory_percpu_size() > MEMORY_PERCPU_MAX) {
        abort();
    }
    memcpy(memory_pristine, explore_state_start, memory_state_size());
    for (cpu = 0; cpu < EXPLORE_CPUS_MAX; cpu++) {
        memory_offsets[cpu] = (uintptr_t)memory_areas[cpu] -
                              (uintptr_t)percpu_start;
        atomic_init(&cpu_table[cpu].state, CPU_ONLINE);
        cpu_table[cpu].hw_id = cpu;
    }
}

void
memory_reset(void)
{
    memcpy(explore_state_start, memory_pristine, memory_state_size());
    memory_reset_percpu(1);
}

void
memory_reset_percpu(unsigned nr)
{
    unsigned cpu;

    cpu_nr_possible = nr;
    for (cpu = 0; cpu < nr; cpu++) {
        memcpy(memory_areas[cpu], percpu_start, memory_percpu_size());
        *percpu_ptr(percpu_offset, cpu) = memory_offsets[cpu];
        *percpu_ptr(cpu_number, cpu) = cpu;
    }
}

bool
memory_is_known(uintptr_t addr)
{
    return addr - (uintptr_t)explore_state_start < memory_state_size() ||
           addr - (uintptr_t)memory_areas < sizeof(memory_areas) ||
           addr - (uintptr_t)engine_stacks < sizeof(engine_stacks) ||
           addr - heap_base() < engine.heap_used;
}
