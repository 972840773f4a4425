/* SPDX-License-Identifier: MIT */
/*
 * NUMA nodes.
 *
 * A sorted array with binary search: it is read for each free block at boot
 * and hardly ever afterwards, because struct page remembers its node.
 */

#include <lib/macros.h>
#include <kern/bootmem.h>
#include <kern/numa.h>

static struct numa_map numa_map;

/* Index of the lowest range that ends above @addr. */
static size_t
numa_map_index(const struct numa_map *map, paddr_t addr)
{
    size_t low = 0, high = map->nr_ranges;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (map->ranges[middle].end > addr) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Whether @range could be put in front of the range at @index. */
static status_t
numa_map_check(const struct numa_map *map, size_t index,
               const struct numa_range *range)
{
    if (range->node >= NUMA_NODES_MAX) {
        return ERR_RANGE;
    }
    if (index < map->nr_ranges && map->ranges[index].base < range->end) {
        return ERR_EXISTS;
    }
    return map->nr_ranges == NUMA_RANGES_MAX ? ERR_OVERFLOW : OK;
}

status_t
numa_map_add(struct numa_map *map, const struct numa_range *range)
{
    size_t index = numa_map_index(map, range->base);
    status_t status;

    if (range->base == range->end) {
        return OK;
    }
    if (range->base > range->end) {
        return ERR_RANGE;
    }
    status = numa_map_check(map, index, range);
    if (status != OK) {
        return status;
    }

    /* Commit. */
    for (size_t i = map->nr_ranges; i > index; i--) {
        map->ranges[i] = map->ranges[i - 1];
    }
    map->ranges[index] = *range;
    map->nr_ranges++;
    map->nr_nodes = MAX(map->nr_nodes, range->node + 1);
    return OK;
}

struct numa_range
numa_map_find(const struct numa_map *map, paddr_t addr)
{
    size_t index = numa_map_index(map, addr);
    struct numa_range hole = { 0, PADDR_NONE, 0 };

    if (index > 0) {
        hole.base = map->ranges[index - 1].end;
    }
    if (index == map->nr_ranges) {
        return hole;
    }
    if (map->ranges[index].base <= addr) {
        return map->ranges[index];
    }
    hole.end = map->ranges[index].base;
    return hole;
}

status_t
numa_add_node(uint32_t node)
{
    if (node >= NUMA_NODES_MAX) {
        return ERR_RANGE;
    }
    numa_map.nr_nodes = MAX(numa_map.nr_nodes, node + 1);
    return OK;
}

status_t
numa_add_range(paddr_t base, uint64_t size, uint32_t node)
{
    struct numa_range range = { base, base + size, node };

    return numa_map_add(&numa_map, &range);
}

status_t
numa_set_distance(uint32_t from, uint32_t to, uint8_t distance)
{
    if (from >= NUMA_NODES_MAX || to >= NUMA_NODES_MAX ||
        distance < NUMA_DISTANCE_LOCAL) {
        return ERR_RANGE;
    }
    numa_map.distances[from][to] = distance;
    return OK;
}

uint32_t
numa_node_of(paddr_t addr)
{
    return numa_map_find(&numa_map, addr).node;
}

paddr_t
numa_node_end(paddr_t addr)
{
    return numa_map_find(&numa_map, addr).end;
}

uint32_t
numa_nr_nodes(void)
{
    return MAX(numa_map.nr_nodes, 1U);
}

uint8_t
numa_distance(uint32_t from, uint32_t to)
{
    uint8_t distance = numa_map.distances[from][to];

    if (distance != 0) {
        return distance;
    }
    return from == to ? NUMA_DISTANCE_LOCAL : NUMA_DISTANCE_REMOTE;
}

paddr_t
numa_bootmem_alloc(size_t size, size_t align, uint32_t node)
{
    for (size_t i = 0; i < numa_map.nr_ranges; i++) {
        const struct numa_range *range = &numa_map.ranges[i];
        paddr_t addr;

        if (range->node != node) {
            continue;
        }
        addr = bootmem_alloc_range(size, align, range->base, range->end);
        if (addr != PADDR_NONE) {
            return addr;
        }
    }
    return bootmem_alloc(size, align, BOOTMEM_ANYWHERE);
}
