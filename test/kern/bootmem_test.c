/* SPDX-License-Identifier: MIT */
/*
 * Memory before struct page.  The tests of bootmem_table build memories that
 * no machine has; the others look at what the boot left.
 */

#include <arch/image.h>
#include <kern/bootmem.h>
#include <kern/bootmem_table.h>
#include <lib/string.h>
#include <test/test.h>

#define BOOTMEM_TEST_UNITS  256
#define BOOTMEM_TEST_ROUNDS 500

static struct bootmem_table bootmem_test_ram;
static struct bootmem_table bootmem_test_used;

/* RAM at [0x1000, 0x9000) and [0x10000, 0x20000), nothing used. */
static void
bootmem_test_init(void)
{
    bootmem_test_ram.nr_ranges = 0;
    bootmem_test_used.nr_ranges = 0;
    bootmem_table_add(&bootmem_test_ram, 0x1000, 0x9000, "ram");
    bootmem_table_add(&bootmem_test_ram, 0x10000, 0x20000, "ram");
}

static paddr_t
bootmem_test_find(uint64_t size, uint64_t align, paddr_t base, paddr_t limit)
{
    struct bootmem_wish wish = { size, align, base, limit };

    return bootmem_table_find_space(&bootmem_test_ram, &bootmem_test_used,
                                    &wish);
}

TEST(bootmem_table, touching_ranges_of_one_name_join)
{
    bootmem_test_init();
    bootmem_table_add(&bootmem_test_used, 0x3000, 0x4000, "a");
    bootmem_table_add(&bootmem_test_used, 0x1000, 0x2000, "a");
    bootmem_table_add(&bootmem_test_used, 0x2000, 0x3000, "a");

    EXPECT_EQ(bootmem_test_used.nr_ranges, 1);
    EXPECT_EQ(bootmem_test_used.ranges[0].base, 0x1000);
    EXPECT_EQ(bootmem_test_used.ranges[0].end, 0x4000);
}

TEST(bootmem_table, names_stay_apart)
{
    bootmem_test_init();
    bootmem_table_add(&bootmem_test_used, 0x1000, 0x2000, "a");
    bootmem_table_add(&bootmem_test_used, 0x2000, 0x3000, "b");

    EXPECT_EQ(bootmem_test_used.nr_ranges, 2);
    EXPECT_STREQ(bootmem_table_find(&bootmem_test_used, 0x2000)->name, "b");
}

TEST(bootmem_table, overlap_adds_only_the_gaps)
{
    bootmem_test_init();
    bootmem_table_add(&bootmem_test_used, 0x2000, 0x3000, "a");
    bootmem_table_add(&bootmem_test_used, 0x5000, 0x6000, "a");
    bootmem_table_add(&bootmem_test_used, 0x1000, 0x7000, "b");

    EXPECT_EQ(bootmem_test_used.nr_ranges, 5);
    EXPECT_STREQ(bootmem_test_used.ranges[1].name, "a");
    EXPECT_STREQ(bootmem_test_used.ranges[2].name, "b");
    EXPECT_EQ(bootmem_test_used.ranges[2].base, 0x3000);
    EXPECT_EQ(bootmem_test_used.ranges[4].end, 0x7000);
}

TEST(bootmem_table, full_table_refuses)
{
    bootmem_test_used.nr_ranges = 0;
    for (size_t i = 0; i < BOOTMEM_TABLE_CAPACITY; i++) {
        EXPECT(bootmem_table_add(&bootmem_test_used, i * 0x2000,
                                 i * 0x2000 + 0x1000, "a"));
    }
    EXPECT(!bootmem_table_add(&bootmem_test_used, 0x10000000, 0x10001000, "a"));
    EXPECT(bootmem_table_add(&bootmem_test_used, 0x1000, 0x2000, "a"));
}

TEST(bootmem_table, space_is_the_highest)
{
    bootmem_test_init();
    bootmem_table_add(&bootmem_test_used, 0x1e000, 0x1f000, "a");

    EXPECT_EQ(bootmem_test_find(0x1000, 1, 0, PADDR_NONE), 0x1f000);
    EXPECT_EQ(bootmem_test_find(0x2000, 1, 0, PADDR_NONE), 0x1c000);
}

TEST(bootmem_table, space_is_aligned_and_within_limits)
{
    bootmem_test_init();

    EXPECT_EQ(bootmem_test_find(0x1800, 0x4000, 0, PADDR_NONE), 0x1c000);
    EXPECT_EQ(bootmem_test_find(0x1000, 0x1000, 0, 0xffff), 0x8000);
    EXPECT_EQ(bootmem_test_find(0x1000, 0x1000, 0x9000, 0x10800), PADDR_NONE);
    EXPECT_EQ(bootmem_test_find(0x10001, 1, 0, PADDR_NONE), PADDR_NONE);
}

TEST(bootmem_table, next_free_visits_each_gap_once)
{
    struct bootmem_range range;

    bootmem_test_init();
    bootmem_table_add(&bootmem_test_used, 0, 0x2000, "a");
    bootmem_table_add(&bootmem_test_used, 0x8000, 0x11000, "b");
    bootmem_table_add(&bootmem_test_used, 0x12000, 0x30000, "c");

    ASSERT(bootmem_table_next_free(&bootmem_test_ram, &bootmem_test_used, 0,
                                   &range));
    EXPECT_EQ(range.base, 0x2000);
    EXPECT_EQ(range.end, 0x8000);
    ASSERT(bootmem_table_next_free(&bootmem_test_ram, &bootmem_test_used,
                                   range.end, &range));
    EXPECT_EQ(range.base, 0x11000);
    EXPECT_EQ(range.end, 0x12000);
    EXPECT(!bootmem_table_next_free(&bootmem_test_ram, &bootmem_test_used,
                                    range.end, &range));
}

/* Whether the table says what the model of one byte for each unit says. */
static bool
bootmem_test_agrees(const uint8_t *model)
{
    for (size_t i = 0; i < BOOTMEM_TEST_UNITS; i++) {
        const struct bootmem_range *range =
            bootmem_table_find(&bootmem_test_used, i);

        if ((range != NULL && range->base <= i) != (model[i] != 0)) {
            return false;
        }
    }
    return true;
}

TEST(bootmem_table, random_ranges_agree_with_a_model)
{
    static uint8_t model[BOOTMEM_TEST_UNITS];

    for (int round = 0; round < BOOTMEM_TEST_ROUNDS; round++) {
        bootmem_test_used.nr_ranges = 0;
        memset(model, 0, sizeof(model));
        for (int i = 0; i < 12; i++) {
            paddr_t base = rand_below(&t->rand, BOOTMEM_TEST_UNITS);
            paddr_t end = base +
                          rand_below(&t->rand, BOOTMEM_TEST_UNITS + 1 - base);

            bootmem_table_add(&bootmem_test_used, base, end,
                              (i & 1) ? "odd" : "even");
            memset(model + base, 1, end - base);
        }
        ASSERT(bootmem_test_agrees(model));
    }
}

TEST(bootmem, image_is_reserved)
{
    paddr_t first = image_phys(kernel_start);
    paddr_t last = image_phys(kernel_end) - 1;
    struct bootmem_range range;

    for (paddr_t addr = first; addr <= last; addr = range.end) {
        ASSERT(bootmem_next_reserved(addr, &range));
        ASSERT(range.base <= addr);
    }
}

TEST(bootmem, free_is_ram_and_not_reserved)
{
    struct bootmem_range free, ram, taken;
    size_t nr = 0;

    for (paddr_t addr = 0; bootmem_next_free(addr, &free); addr = free.end) {
        ASSERT(bootmem_next_ram(free.base, &ram));
        EXPECT(ram.base <= free.base && free.end <= ram.end);
        EXPECT(!bootmem_next_reserved(free.base, &taken) ||
               taken.base >= free.end);
        nr++;
    }
    EXPECT(nr > 0);
}
