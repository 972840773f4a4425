/* SPDX-License-Identifier: MIT */
/*
 * Physical pages at boot: the array of struct page, the nodes and what is free
 * of their memory.
 */

#include <lib/bitmap.h>
#include <lib/macros.h>
#include <kern/bootmem.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <kern/log.h>
#include <kern/numa.h>
#include <kern/page.h>
#include <kern/page_i.h>
#include <kern/page_node.h>
#include <kern/spinlock.h>

/* Pages that a CPU keeps at most. */
#define PAGE_CACHE_HIGH 32

/*
 * What is held back for PAGE_RESERVE: 1/128 of a node, and some pages for each
 * CPU, but at most 1/16.
 */
#define PAGE_RESERVE_SHARE     128
#define PAGE_RESERVE_CPU       8
#define PAGE_RESERVE_SHARE_MAX 16

/* A cache is worth it only if all CPUs' together are a small part: 1/8. */
#define PAGE_CACHE_SHARE 8

/* The part of the array that one large page maps, and the memory it stands
 * for: pieces of the array are allocated on the node that they describe. */
#define PAGE_CHUNK_SIZE   MIB(2)
#define PAGE_CHUNK_MEMORY (PAGE_CHUNK_SIZE / sizeof(struct page) * PAGE_SIZE)

/* Allocate and map the part of the array for [base, end). */
static status_t
page_setup_chunk(paddr_t base, paddr_t end)
{
    size_t size = (end - base) / PAGE_SIZE * sizeof(struct page);
    uint32_t node = numa_node_of(base);
    paddr_t array;

    array = numa_bootmem_alloc(
        size, size == PAGE_CHUNK_SIZE ? PAGE_CHUNK_SIZE : PAGE_SIZE, node);
    if (array == PADDR_NONE) {
        array = numa_bootmem_alloc(size, PAGE_SIZE, node);
    }
    if (array == PADDR_NONE) {
        return ERR_NO_MEMORY;
    }
    return pmap_map((uintptr_t)page_from_phys(base), array, size,
                    PMAP_READ | PMAP_WRITE, PMAP_WB);
}

/* Have the array for the units of [base, end) that have none yet. */
static status_t
page_setup_array(paddr_t base, paddr_t end)
{
    base = ALIGN_DOWN(base, PAGE_UNIT_SIZE);
    end = ALIGN_UP(end, PAGE_UNIT_SIZE);

    while (base < end && page_exists(base)) {
        base += PAGE_UNIT_SIZE;
    }
    while (base < end) {
        paddr_t chunk = ALIGN_DOWN(base, PAGE_CHUNK_MEMORY);
        paddr_t next = MIN(end, chunk + PAGE_CHUNK_MEMORY);
        status_t status;

        status = page_setup_chunk(base, next);
        if (status != OK) {
            return status;
        }
        for (; base < next; base += PAGE_UNIT_SIZE) {
            bitmap_set(page_units, base / PAGE_UNIT_SIZE);
        }
    }
    return OK;
}

/* The bitmap of units, and the array for all RAM, rising. */
static status_t
page_setup_arrays(void)
{
    struct bootmem_range range;
    paddr_t end = 0;
    paddr_t units;

    for (paddr_t addr = 0; bootmem_next_ram(addr, &range); addr = range.end) {
        end = range.end;
    }

    page_nr_units = DIV_ROUND_UP(end, PAGE_UNIT_SIZE);
    units = bootmem_alloc(BITMAP_LONGS(page_nr_units) * sizeof(*page_units),
                          CACHE_LINE, BOOTMEM_ANYWHERE);
    if (units == PADDR_NONE) {
        return ERR_NO_MEMORY;
    }
    page_units = pmap_direct_ptr(units);

    for (paddr_t addr = 0; bootmem_next_ram(addr, &range); addr = range.end) {
        status_t status = page_setup_array(range.base, range.end);

        if (status != OK) {
            return status;
        }
    }
    return OK;
}

/* Sort the nodes by distance from @node, then in a ring behind it. */
static void
page_setup_fallback(uint32_t node, uint32_t nr_nodes)
{
    uint8_t *fallback = page_nodes[node].fallback;

    fallback[0] = (uint8_t)node;
    for (uint32_t i = 1; i < nr_nodes; i++) {
        uint32_t other = (node + i) % nr_nodes;
        uint32_t at = i;

        while (at > 1 && numa_distance(node, fallback[at - 1]) >
                             numa_distance(node, other)) {
            fallback[at] = fallback[at - 1];
            at--;
        }
        fallback[at] = (uint8_t)other;
    }
}

static status_t
page_setup_nodes(uint32_t nr_nodes)
{
    paddr_t nodes;

    nodes = bootmem_alloc(nr_nodes * sizeof(*page_nodes), CACHE_LINE,
                          BOOTMEM_ANYWHERE);
    if (nodes == PADDR_NONE) {
        return ERR_NO_MEMORY;
    }

    page_nodes = pmap_direct_ptr(nodes);
    for (uint32_t i = 0; i < nr_nodes; i++) {
        spinlock_init(&page_nodes[i].lock, LOCK_PAGE_NODE, "page node");
        for (unsigned int order = 0; order < PAGE_NR_ORDERS; order++) {
            list_init(&page_nodes[i].blocks[order]);
        }
        page_setup_fallback(i, nr_nodes);
    }
    return OK;
}

/* The order of the largest aligned block at the start of some frames. */
static unsigned int
page_setup_order(size_t frame, size_t nr_frames)
{
    unsigned int order = PAGE_ORDER_MAX;

    while (!IS_ALIGNED(frame, (size_t)1 << order) || nr_frames < (size_t)1
                                                                     << order) {
        order--;
    }
    return order;
}

/* Give pages that are of one node to it. */
static void
page_setup_frames(size_t frame, size_t end, uint32_t node)
{
    for (size_t i = frame; node != 0 && i < end; i++) {
        page_from_frame(i)->numa_node = (uint8_t)node;
    }
    page_nodes[node].nr_total += end - frame;
    while (frame < end) {
        unsigned int order = page_setup_order(frame, end - frame);

        page_node_free(page_from_frame(frame), order);
        frame += (size_t)1 << order;
    }
}

static void
page_setup_range(paddr_t base, paddr_t end)
{
    base = ALIGN_UP(base, PAGE_SIZE);
    end = ALIGN_DOWN(end, PAGE_SIZE);
    if (base < end) {
        kasan_poison(pmap_direct_ptr(base), end - base, KASAN_FREE_PAGE);
    }

    while (base < end) {
        /* A page across two nodes belongs to the first. */
        paddr_t next = MIN(end, numa_node_end(base));

        next = ALIGN_UP(next, PAGE_SIZE);
        page_setup_frames(base >> PAGE_SHIFT, next >> PAGE_SHIFT,
                          numa_node_of(base));
        base = next;
    }
}

/* Hold a part of each node back. */
static void
page_setup_reserves(uint32_t nr_nodes)
{
    for (uint32_t node = 0; node < nr_nodes; node++) {
        size_t nr_total = page_nodes[node].nr_total;

        page_nodes[node].nr_reserved =
            MIN(nr_total / PAGE_RESERVE_SHARE +
                    (size_t)PAGE_RESERVE_CPU * cpu_nr_possible,
                nr_total / PAGE_RESERVE_SHARE_MAX);
    }
}

/* The last to be asked. */
static struct page_shrinker page_cache_shrinker = {
    .name = "page caches",
    .order = PAGE_SHRINK_CACHES,
    .shrink = page_drain,
};

static status_t
page_setup(void)
{
    uint32_t nr_nodes = numa_nr_nodes();
    struct bootmem_range range;
    status_t status;

    status = page_setup_arrays();
    if (status != OK) {
        return status;
    }
    status = page_setup_nodes(nr_nodes);
    if (status != OK) {
        return status;
    }

    bootmem_close();
    for (paddr_t addr = 0; bootmem_next_free(addr, &range); addr = range.end) {
        page_setup_range(range.base, range.end);
    }
    page_setup_reserves(nr_nodes);
    page_nr_nodes = nr_nodes;
    page_register_shrinker(&page_cache_shrinker);

    page_cache_high = page_nr_total() / PAGE_CACHE_SHARE / cpu_nr_possible;
    page_cache_high = MIN(page_cache_high, (size_t)PAGE_CACHE_HIGH);
    log_info("page: %zu MiB of memory on %u node%s",
             page_nr_total() >> (20 - PAGE_SHIFT), nr_nodes,
             nr_nodes == 1 ? "" : "s");
    return OK;
}

INIT_OP(page_setup, INIT_BOOT_CPU, AFTER(pmap_setup), AFTER(percpu_setup),
        AFTER(thread_first_setup), AFTER(acpi_setup));
