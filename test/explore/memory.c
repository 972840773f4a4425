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

static uintptr_t memory_offsets[EXPLORE_NUMBERS_MAX];
uintptr_t *percpu_offsets = memory_offsets;

static struct cpu memory_cpus[EXPLORE_NUMBERS_MAX];
struct cpu *cpu_table = memory_cpus;
uint32_t cpu_nr_possible = 1;

/* The last is that of all CPUs that are not started. */
#define MEMORY_NR_AREAS (EXPLORE_CPUS_MAX + 1)

static __aligned(4096) char memory_areas[MEMORY_NR_AREAS][MEMORY_PERCPU_MAX];
static char *memory_pristine;

uint32_t
cpu_nr_online(void)
{
    return engine.nr_cpus;
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
    uint32_t number;

    memory_pristine = malloc(memory_state_size() + 1);
    if (memory_pristine == NULL || memory_percpu_size() > MEMORY_PERCPU_MAX) {
        abort();
    }
    memcpy(memory_pristine, explore_state_start, memory_state_size());
    for (number = 0; number < EXPLORE_NUMBERS_MAX; number++) {
        cpu_table[number].hw_id = number;
    }
}

void
memory_reset(void)
{
    memcpy(explore_state_start, memory_pristine, memory_state_size());
    memory_reset_percpu();
}

/* Give a CPU of the kernel an area. */
static void
memory_reset_cpu(uint32_t number, unsigned area, enum cpu_state state)
{
    memory_offsets[number] = (uintptr_t)memory_areas[area] -
                             (uintptr_t)percpu_start;
    memcpy(memory_areas[area], percpu_start, memory_percpu_size());
    *percpu_ptr(percpu_offset, number) = memory_offsets[number];
    *percpu_ptr(cpu_number, number) = number;
    atomic_init(&cpu_table[number].state, state);
}

void
memory_reset_percpu(void)
{
    uint32_t number;

    cpu_nr_possible = (engine.nr_cpus - 1) * engine.stride + 1;
    for (number = 0; number < cpu_nr_possible; number++) {
        if (number % engine.stride == 0) {
            memory_reset_cpu(number, number / engine.stride, CPU_ONLINE);
        } else {
            memory_reset_cpu(number, EXPLORE_CPUS_MAX, CPU_POSSIBLE);
        }
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
