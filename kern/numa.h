/* SPDX-License-Identifier: MIT */
/*
 * NUMA nodes: which memory is near which processors.
 *
 * Nodes are dense from 0; who reads the firmware's tables translates its
 * domains.  Memory that no range names belongs to node 0, so a machine
 * without such tables has one node.
 */
#ifndef KERN_NUMA_H
#define KERN_NUMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/status.h>
#include <arch/types.h>

#define NUMA_NODES_MAX  64
#define NUMA_RANGES_MAX 256

/* Distances, in the units of the ACPI SLIT. */
#define NUMA_DISTANCE_LOCAL  10
#define NUMA_DISTANCE_REMOTE 20

/* Physical range [base, end), bytes, of a node. */
struct numa_range {
    paddr_t base;
    paddr_t end;
    uint32_t node;
};

/*
 * Keys: [B] the boot CPU until page_setup(), then constant
 */
struct numa_map {
    struct numa_range ranges[NUMA_RANGES_MAX]; /* [B] sorted, disjoint */
    size_t nr_ranges;                          /* [B] */
    uint32_t nr_nodes;                         /* [B] 0 means 1 */
    /* [B] 0 means not given */
    uint8_t distances[NUMA_NODES_MAX][NUMA_NODES_MAX];
};

/*
 * Say that a node exists, for one with processors and no memory.
 *
 * Context: boot CPU, before page_setup()
 * Returns: OK; ERR_RANGE, there are too many nodes
 */
status_t numa_add_node(uint32_t node);

/*
 * Say that a physical range belongs to a node.  An empty range is ignored.
 *
 * Context: boot CPU, before page_setup()
 * Returns: OK; ERR_RANGE, there are too many nodes, or the range exceeds 64
 *          bits; ERR_EXISTS, it overlaps one of another node; ERR_OVERFLOW,
 *          there are too many ranges; but for OK nothing is changed
 */
status_t numa_add_range(paddr_t base, uint64_t size, uint32_t node);

/*
 * State the distance from one node to another; at least
 * NUMA_DISTANCE_LOCAL.
 *
 * Context: boot CPU, before page_setup()
 * Returns: OK; ERR_RANGE, no such node or no such distance
 */
status_t numa_set_distance(uint32_t from, uint32_t to, uint8_t distance);

/* The node of a physical address. */
uint32_t numa_node_of(paddr_t addr);

/* The end of the addresses from @addr on that are of one node. */
paddr_t numa_node_end(paddr_t addr);

/* How many nodes there are, at least 1. */
uint32_t numa_nr_nodes(void);

/* The distance between two nodes that exist. */
uint8_t numa_distance(uint32_t from, uint32_t to);

/*
 * Allocate with bootmem_alloc(), from memory of a node if it has any left.
 *
 * Context: boot CPU, before page_setup()
 * Returns: physical address of zeroed memory; PADDR_NONE when nothing fits
 */
paddr_t numa_bootmem_alloc(size_t size, size_t align, uint32_t node);

/*
 * The same as numa_add_range() on any map.
 */
status_t numa_map_add(struct numa_map *map, const struct numa_range *range);

/*
 * The range that holds @addr; if none does, the hole, as of node 0.
 */
struct numa_range numa_map_find(const struct numa_map *map, paddr_t addr);

#endif /* KERN_NUMA_H */
