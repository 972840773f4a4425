/* SPDX-License-Identifier: MIT */
/*
 * What trees and page tables take, beside what Linux needs for the same.
 *
 * Ours is what the container is charged: pages of nodes, arrays and page
 * tables, bytes of structures.  Linux's is the least it can be: one struct
 * vm_area_struct for each mapping, nodes of the maple tree that are full, the
 * page tables with the top level, and nothing else of its mm_struct.  Sizes
 * are those of /proc/slabinfo of Linux 6.18; VmPTE there agrees.
 */
#include <stddef.h>
#include <stdint.h>

#include <arch/user_copy.h>
#include <kern/all_cpus.h>
#include <kern/console.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/main.h>
#include <kern/option.h>
#include <kern/rcu.h>
#include <vm/space.h>

#define MEMTABLE_VA UINT64_C(0x200000000000)

#define MEMTABLE_GIB (UINT64_C(1) << 30)
#define MEMTABLE_MIB (UINT64_C(1) << 20)

/* Of Linux, bytes. */
#define LINUX_VMA        192
#define LINUX_MAPLE_NODE 256

/*
 * Mappings, or gaps between them, that a node of the maple tree has room for.
 * Source: MAPLE_RANGE64_SLOTS, MAPLE_ARANGE64_SLOTS of linux/maple_tree.h.
 */
#define LINUX_MAPLE_LEAF  16
#define LINUX_MAPLE_INNER 10

/*
 * A use of memory: @nr_mappings of @size bytes, one each @stride bytes, in
 * each of which one page each @step bytes is used; 0: none.
 */
struct memtable_case {
    const char *name;
    size_t nr_mappings;
    size_t size;
    size_t stride;
    size_t step;
};

static const struct memtable_case memtable_cases[] = {
    { "1 GiB, each page", 1, MEMTABLE_GIB, MEMTABLE_GIB, PAGE_SIZE },
    { "1 GiB, 1 page in 64", 1, MEMTABLE_GIB, MEMTABLE_GIB, 64 * PAGE_SIZE },
    { "64 TiB, reserved", 1, UINT64_C(1) << 46, UINT64_C(1) << 46, 0 },
    { "10000 pages, one apart", 10000, PAGE_SIZE, 2 * PAGE_SIZE, PAGE_SIZE },
    { "10000 one apart, not used", 10000, PAGE_SIZE, 2 * PAGE_SIZE, 0 },
    { "10000 pages, one in 2 MiB", 10000, PAGE_SIZE, 2 * MEMTABLE_MIB,
      PAGE_SIZE },
    { "10000 in 2 MiB, not used", 10000, PAGE_SIZE, 2 * MEMTABLE_MIB, 0 },
};

/*
 * A measurement.
 */
struct memtable_run {
    const struct memtable_case *what;
    uint32_t nr_cpus;
    bool is_shared; /* each CPU uses all, not a part of its own */
    struct container *container;
    struct vm_space *space;
    _Atomic uint64_t nr_failures; /* memory was short */
};

/* ----------------------------------------------------------------- Linux */

static uint64_t
memtable_div_up(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

/* Page tables of one level whose entries stand for @span bytes. */
static uint64_t
memtable_linux_tables(const struct memtable_case *what, uint64_t span)
{
    uint64_t table = span * 512;

    if (what->stride >= table) {
        return what->nr_mappings * memtable_div_up(what->size, table);
    }
    return memtable_div_up(what->nr_mappings * what->stride, table);
}

static uint64_t
memtable_linux(const struct memtable_case *what)
{
    uint64_t entries = what->nr_mappings == 1 ? 1 : 2 * what->nr_mappings;
    uint64_t nodes = memtable_div_up(entries, LINUX_MAPLE_LEAF);
    uint64_t bytes = what->nr_mappings * LINUX_VMA + PAGE_SIZE;

    bytes += nodes * LINUX_MAPLE_NODE;
    while (nodes > 1) {
        nodes = memtable_div_up(nodes, LINUX_MAPLE_INNER);
        bytes += nodes * LINUX_MAPLE_NODE;
    }
    for (unsigned int level = 0; what->step != 0 && level < 3; level++) {
        bytes += PAGE_SIZE *
                 memtable_linux_tables(what, PAGE_SIZE << (9 * level));
    }
    return bytes;
}

/* ------------------------------------------------------------------ ours */

static void
memtable_map(struct memtable_run *run)
{
    struct space_mapping mapping = {
        .va = MEMTABLE_VA,
        .size = run->what->size,
        .prot = PMAP_READ | PMAP_WRITE,
        .flags = SPACE_MAP_FIXED,
    };
    uintptr_t va;

    if (mapping.size > SPACE_END - mapping.va) {
        mapping.va = mapping.size / 4;
    }
    for (size_t i = 0; i < run->what->nr_mappings; i++) {
        if (space_map(run->space, &mapping, &va) != OK) {
            run->nr_failures++;
            return;
        }
        mapping.va += run->what->stride;
    }
}

/* Use a mapping; all of it, or this CPU's part of the pages. */
static void
memtable_touch_one(struct memtable_run *run, uintptr_t va, size_t i)
{
    size_t nr = run->what->size / run->what->step;
    size_t all = run->what->nr_mappings * nr;

    for (size_t k = 0; k < nr && run->nr_failures == 0; k++) {
        size_t owner = (i * nr + k) * run->nr_cpus / all;

        if ((run->is_shared || owner == cpu_id()) &&
            user_write_u64(va + k * run->what->step, 1) != OK) {
            run->nr_failures++;
        }
    }
}

/* On each CPU. */
static void
memtable_touch(void *arg)
{
    struct memtable_run *run = arg;

    if (cpu_id() >= run->nr_cpus || run->what->step == 0) {
        return;
    }
    space_use(run->space);
    for (size_t i = 0; i < run->what->nr_mappings; i++) {
        memtable_touch_one(run, MEMTABLE_VA + i * run->what->stride, i);
    }
    space_use(NULL);
}

static void
memtable_print(const struct memtable_run *run)
{
    uint64_t tables = container_used(run->container, CONTAINER_TABLES);
    uint64_t objects = container_used(run->container, CONTAINER_OBJECTS);
    uint64_t ours = tables * PAGE_SIZE + objects;
    uint64_t theirs = memtable_linux(run->what);
    uint64_t percent = memtable_div_up(ours * 100, theirs);

    if (run->nr_failures != 0) {
        console_printf("%-26s %4u %-6s: no memory\n", run->what->name,
                       run->nr_cpus, run->is_shared ? "all" : "parts");
        return;
    }
    console_printf("%-26s %4u %-6s %9lu %8lu %10lu %10lu %4lu.%02lu\n",
                   run->what->name, run->nr_cpus,
                   run->is_shared ? "all" : "parts", tables, objects, ours,
                   theirs, percent / 100, percent % 100);
}

static void
memtable_measure(const struct memtable_case *what, uint32_t nr_cpus,
                 bool is_shared)
{
    struct memtable_run run = {
        .what = what,
        .nr_cpus = nr_cpus,
        .is_shared = is_shared,
    };

    verify(container_create(&run.container, container_root, "memtable") == OK);
    verify(space_create(&run.space, run.container, "memtable") == OK);
    memtable_map(&run);
    all_cpus_run(memtable_touch, &run);
    memtable_print(&run);
    space_put(run.space);
    rcu_barrier();
    container_put(run.container);
}

/* With several numbers of CPUs, as far as they make a difference. */
static void
memtable_measure_all(const struct memtable_case *what)
{
    static const uint32_t counts[] = { 2, 8 };

    memtable_measure(what, 1, true);
    for (size_t n = 0; what->step != 0 && n < ARRAY_SIZE(counts); n++) {
        if (counts[n] <= cpu_nr_online()) {
            memtable_measure(what, counts[n], false);
            memtable_measure(what, counts[n], true);
        }
    }
}

static bool memtable_is_wanted;

static bool
memtable_stage(void)
{
    if (!memtable_is_wanted) {
        return true;
    }

    console_printf("%-26s %4s %-6s %9s %8s %10s %10s %7s\n", "memory", "cpus",
                   "use", "tables", "objects", "bytes", "Linux", "ratio");
    for (size_t i = 0; i < ARRAY_SIZE(memtable_cases); i++) {
        memtable_measure_all(&memtable_cases[i]);
    }
    return true;
}

MAIN_STAGE(MAIN_BENCHMARKS, memtable_stage);

static status_t
memtable_option(const char *value)
{
    memtable_is_wanted = true;
    return value[0] == '\0' ? OK : ERR_INVALID;
}

OPTION(memtable, "nothing", "what trees and page tables take, beside Linux",
       memtable_option);
