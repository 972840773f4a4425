/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>

#include <arch/pmap.h>
#include <arch/smp.h>
#include <kern/bootmem.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/numa.h>
#include <kern/percpu.h>
#include <lib/macros.h>
#include <lib/string.h>

/* All areas together take at most one part in so many of free memory. */
#define PERCPU_MEMORY_SHARE 4

extern char percpu_start[], percpu_end[];

/* First in the template, for the entry code. */
__section(".percpu.first") uintptr_t percpu_offset;
__section(".percpu.first") uint32_t cpu_number;

/* The boot CPU works on the template until percpu_setup(). */
static uintptr_t percpu_boot_offset;
uintptr_t *percpu_offsets = &percpu_boot_offset;

static struct cpu cpu_boot = { .state = CPU_ONLINE };
struct cpu *cpu_table = &cpu_boot;
uint32_t cpu_nr_possible = 1;

uint32_t
cpu_nr_online(void)
{
    uint32_t cpu, n;

    n = 0;
    cpu_for_each (cpu) {
        n++;
    }
    return n;
}

/* Bytes of an area. */
static size_t
percpu_size(void)
{
    return ALIGN_UP((size_t)(percpu_end - percpu_start), PAGE_SIZE);
}

/*
 * Firmware may tell of thousands of CPUs that are not there: their areas must
 * not take the memory that the kernel needs.
 */
static void
percpu_limit_cpus(void)
{
    struct bootmem_range range;
    uint64_t nr_free, limit;
    paddr_t addr;

    nr_free = 0;
    for (addr = 0; bootmem_next_free(addr, &range); addr = range.end) {
        nr_free += range.end - range.base;
    }
    limit = nr_free / PERCPU_MEMORY_SHARE / percpu_size() + 1;
    if (cpu_nr_possible > limit) {
        log_warning("cpu: memory for %lu of %u CPUs, the rest is left out",
                    limit, cpu_nr_possible);
        cpu_nr_possible = (uint32_t)limit;
    }
}

/*
 * Copy the template for one CPU.
 */
static status_t
percpu_create(uint32_t cpu)
{
    size_t size;
    paddr_t area;
    char *copy;

    size = percpu_size();
    area = numa_bootmem_alloc(size, PAGE_SIZE, cpu_table[cpu].node);
    if (area == PADDR_NONE) {
        return ERR_NO_MEMORY;
    }

    copy = pmap_direct_ptr(area);
    memcpy(copy, percpu_start, (size_t)(percpu_end - percpu_start));
    percpu_offsets[cpu] = (uintptr_t)copy - (uintptr_t)percpu_start;
    *percpu_ptr(percpu_offset, cpu) = percpu_offsets[cpu];
    *percpu_ptr(cpu_number, cpu) = cpu;
    return OK;
}

/*
 * The areas of all possible CPUs; then the boot CPU moves to its own.  What
 * it has stored in the template until here is in each copy.
 */
static status_t
percpu_setup(void)
{
    status_t status;
    paddr_t table;
    uint32_t cpu;

    percpu_limit_cpus();
    table = bootmem_alloc(cpu_nr_possible * sizeof(*percpu_offsets), CACHE_LINE,
                          PADDR_NONE);
    if (table == PADDR_NONE) {
        return ERR_NO_MEMORY;
    }

    percpu_offsets = pmap_direct_ptr(table);
    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        status = percpu_create(cpu);
        if (status != OK) {
            return status;
        }
    }

    smp_set_percpu_base(percpu_offsets[0]);
    return OK;
}

INIT_OP(percpu_setup, INIT_BOOT_CPU, AFTER(acpi_setup));
