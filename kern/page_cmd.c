/* SPDX-License-Identifier: MIT */
/*
 * Monitor command: physical memory.
 */

#include <kern/bootmem.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/monitor.h>
#include <kern/numa.h>
#include <kern/page.h>
#include <kern/zero_pool.h>

static size_t
page_cmd_kib(size_t nr_pages)
{
    return nr_pages << (PAGE_SHIFT - 10);
}

/* The usable RAM, and what was taken of it before there were pages. */
static void
page_cmd_print_ranges(void)
{
    struct bootmem_range range;

    for (paddr_t addr = 0; bootmem_next_ram(addr, &range); addr = range.end) {
        console_printf("%016lx-%016lx %s\n", range.base, range.end - 1,
                       range.name);
    }
    for (paddr_t addr = 0; bootmem_next_reserved(addr, &range);
         addr = range.end) {
        console_printf("%016lx-%016lx   %s\n", range.base, range.end - 1,
                       range.name);
    }
}

static void
page_cmd_print_node(uint32_t node)
{
    console_printf("node %u: %zu KiB, %zu free; blocks by order:", node,
                   page_cmd_kib(page_node_nr_total(node)),
                   page_cmd_kib(page_node_nr_free(node)));
    for (unsigned int order = 0; order < PAGE_NR_ORDERS; order++) {
        console_printf(" %zu", page_node_nr_blocks(node, order));
    }
    console_printf("\n");
}

static void
page_cmd_mem(int argc __unused, char **argv __unused)
{
    size_t nr_cached = 0, nr_cleared = 0;

    page_cmd_print_ranges();
    for (uint32_t node = 0; node < numa_nr_nodes(); node++) {
        page_cmd_print_node(node);
    }
    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        nr_cached += page_cpu_nr_cached(cpu);
        nr_cleared += zero_pool_nr(cpu);
    }
    console_printf("all: %zu KiB, %zu free, %zu of them in caches of CPUs, %zu "
                   "cleared\n",
                   page_cmd_kib(page_nr_total()), page_cmd_kib(page_nr_free()),
                   page_cmd_kib(nr_cached), page_cmd_kib(nr_cleared));
}

MONITOR_COMMAND(mem, "", "physical memory: ranges, nodes, free blocks",
                page_cmd_mem);
