/* SPDX-License-Identifier: MIT */
/*
 * NUMA nodes; on maps of their own, because the machine's is final.
 */

#include <kern/numa.h>
#include <test/test.h>

static struct numa_map numa_test_map;

static status_t
numa_test_add(paddr_t base, paddr_t end, uint32_t node)
{
    struct numa_range range = { base, end, node };

    return numa_map_add(&numa_test_map, &range);
}

/* Node 1 at [0x1000, 0x3000), node 2 at [0x5000, 0x6000). */
static void
numa_test_init(struct test *t)
{
    numa_test_map.nr_ranges = 0;
    numa_test_map.nr_nodes = 0;
    EXPECT_EQ(numa_test_add(0x5000, 0x6000, 2), OK);
    EXPECT_EQ(numa_test_add(0x1000, 0x3000, 1), OK);
}

TEST(numa, ranges_hold_their_addresses)
{
    numa_test_init(t);

    EXPECT_EQ(numa_map_find(&numa_test_map, 0x1000).node, 1);
    EXPECT_EQ(numa_map_find(&numa_test_map, 0x2fff).node, 1);
    EXPECT_EQ(numa_map_find(&numa_test_map, 0x5fff).node, 2);
    EXPECT_EQ(numa_test_map.nr_nodes, 3);
}

TEST(numa, holes_belong_to_node_0)
{
    struct numa_range hole;

    numa_test_init(t);

    hole = numa_map_find(&numa_test_map, 0x4000);
    EXPECT_EQ(hole.node, 0);
    EXPECT_EQ(hole.base, 0x3000);
    EXPECT_EQ(hole.end, 0x5000);
    EXPECT_EQ(numa_map_find(&numa_test_map, 0).end, 0x1000);
    EXPECT_EQ(numa_map_find(&numa_test_map, 0x6000).end, PADDR_NONE);
}

TEST(numa, bad_ranges_change_nothing)
{
    numa_test_init(t);

    EXPECT_EQ(numa_test_add(0x2000, 0x4000, 2), ERR_EXISTS);
    EXPECT_EQ(numa_test_add(0, 0x1001, 2), ERR_EXISTS);
    EXPECT_EQ(numa_test_add(0x8000, 0x7000, 2), ERR_RANGE);
    EXPECT_EQ(numa_test_add(0x8000, 0x9000, NUMA_NODES_MAX), ERR_RANGE);
    EXPECT_EQ(numa_test_map.nr_ranges, 2);
    EXPECT_EQ(numa_test_map.nr_nodes, 3);
}

TEST(numa, empty_range_is_ignored)
{
    numa_test_init(t);

    EXPECT_EQ(numa_test_add(0x2000, 0x2000, 5), OK);
    EXPECT_EQ(numa_test_map.nr_ranges, 2);
}

TEST(numa, too_many_ranges_are_refused)
{
    numa_test_map.nr_ranges = 0;
    for (paddr_t i = 0; i < NUMA_RANGES_MAX; i++) {
        EXPECT_EQ(numa_test_add(i * 2, i * 2 + 1, 0), OK);
    }
    EXPECT_EQ(numa_test_add(0x10000, 0x10001, 0), ERR_OVERFLOW);
}

TEST(numa, nearest_node_is_the_own)
{
    for (uint32_t i = 0; i < numa_nr_nodes(); i++) {
        for (uint32_t j = 0; j < numa_nr_nodes(); j++) {
            EXPECT(numa_distance(i, i) <= numa_distance(i, j));
        }
    }
}
