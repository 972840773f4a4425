/* SPDX-License-Identifier: MIT */
/*
 * Memory maps: examples first, then properties of random ones.
 */
#include <test/test.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/macros.h>
#include <lib/rand.h>

#include "arch/x86/memmap.h"

#define PHYS_BITS 40

static struct boot_info info;
static struct boot_info original;

/* Put a range into the map as it is, unlike boot_info_add_mem(). */
static void
map_add(uint64_t base, uint64_t size, enum boot_mem_type type)
{
    struct boot_mem_range *range = &info.mem[info.nr_mem++];

    range->base = base;
    range->size = size;
    range->type = type;
}

static bool
map_is(size_t index, uint64_t base, uint64_t size, enum boot_mem_type type)
{
    const struct boot_mem_range *range = &info.mem[index];

    return index < info.nr_mem && range->base == base && range->size == size &&
           range->type == type;
}

static bool
map_has_problem(enum boot_problem_kind kind)
{
    size_t i;

    for (i = 0; i < info.nr_problems; i++) {
        if (info.problems[i].kind == kind) {
            return true;
        }
    }
    return false;
}

TEST(memmap, is_sorted)
{
    boot_info_init(&info);
    map_add(0x300000, 0x1000, BOOT_MEM_USABLE);
    map_add(0x100000, 0x1000, BOOT_MEM_RESERVED);
    map_add(0x200000, 0x1000, BOOT_MEM_USABLE);
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT_EQ(info.nr_mem, 3);
    EXPECT(map_is(0, 0x100000, 0x1000, BOOT_MEM_RESERVED));
    EXPECT(map_is(1, 0x200000, 0x1000, BOOT_MEM_USABLE));
    EXPECT(map_is(2, 0x300000, 0x1000, BOOT_MEM_USABLE));
    EXPECT_EQ(info.nr_problems, 0);
}

TEST(memmap, neighbours_are_merged)
{
    boot_info_init(&info);
    map_add(0x101000, 0x1000, BOOT_MEM_USABLE);
    map_add(0x100000, 0x1000, BOOT_MEM_USABLE);
    map_add(0x102000, 0x1000, BOOT_MEM_RESERVED);
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT_EQ(info.nr_mem, 2);
    EXPECT(map_is(0, 0x100000, 0x2000, BOOT_MEM_USABLE));
}

/* The halves of a page that no range alone covers make a page. */
TEST(memmap, merged_before_trimmed)
{
    boot_info_init(&info);
    map_add(0x100800, 0x800, BOOT_MEM_USABLE);
    map_add(0x100000, 0x800, BOOT_MEM_USABLE);
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT_EQ(info.nr_mem, 1);
    EXPECT(map_is(0, 0x100000, 0x1000, BOOT_MEM_USABLE));
}

TEST(memmap, usable_is_trimmed_to_pages)
{
    boot_info_init(&info);
    map_add(0, 0x9fc00, BOOT_MEM_USABLE);
    map_add(0x9fc00, 0x400, BOOT_MEM_RESERVED);
    map_add(0x100001, 0x1ffe, BOOT_MEM_USABLE);
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT_EQ(info.nr_mem, 2);
    EXPECT(map_is(0, 0, 0x9f000, BOOT_MEM_USABLE));
    EXPECT(map_is(1, 0x9fc00, 0x400, BOOT_MEM_RESERVED));
}

TEST(memmap, stricter_type_cuts_a_hole)
{
    boot_info_init(&info);
    map_add(0x100000, 0x100000, BOOT_MEM_USABLE);
    map_add(0x140000, 0x1000, BOOT_MEM_ACPI_NVS);
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT_EQ(info.nr_mem, 3);
    EXPECT(map_is(0, 0x100000, 0x40000, BOOT_MEM_USABLE));
    EXPECT(map_is(1, 0x140000, 0x1000, BOOT_MEM_ACPI_NVS));
    EXPECT(map_is(2, 0x141000, 0xbf000, BOOT_MEM_USABLE));
    EXPECT(map_has_problem(BOOT_PROBLEM_MEM_OVERLAP));
}

TEST(memmap, stricter_type_wins_in_any_order)
{
    boot_info_init(&info);
    map_add(0x100000, 0x3000, BOOT_MEM_RESERVED);
    map_add(0x102000, 0x3000, BOOT_MEM_USABLE);
    map_add(0x100000, 0x1000, BOOT_MEM_USABLE);
    map_add(0x100000, 0x1000, BOOT_MEM_BAD);
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT_EQ(info.nr_mem, 3);
    EXPECT(map_is(0, 0x100000, 0x1000, BOOT_MEM_BAD));
    EXPECT(map_is(1, 0x101000, 0x2000, BOOT_MEM_RESERVED));
    EXPECT(map_is(2, 0x103000, 0x2000, BOOT_MEM_USABLE));
}

TEST(memmap, empty_ranges_are_dropped)
{
    boot_info_init(&info);
    map_add(0, 0, BOOT_MEM_USABLE);
    map_add(0x100000, 0x1000, BOOT_MEM_USABLE);
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT_EQ(info.nr_mem, 1);
    EXPECT(map_has_problem(BOOT_PROBLEM_MEM_EMPTY));
}

TEST(memmap, wrapping_range_promises_nothing)
{
    boot_info_init(&info);
    map_add(0x100000, UINT64_MAX, BOOT_MEM_USABLE);
    boot_memmap_sanitise(&info, PHYS_BITS);
    EXPECT_EQ(info.nr_mem, 0);

    boot_info_init(&info);
    map_add(0x100000, UINT64_MAX, BOOT_MEM_RESERVED);
    map_add(0x200000, 0x1000, BOOT_MEM_USABLE);
    boot_memmap_sanitise(&info, PHYS_BITS);
    EXPECT_EQ(info.nr_mem, 1);
    EXPECT(
        map_is(0, 0x100000, (1ULL << PHYS_BITS) - 0x100000, BOOT_MEM_RESERVED));
    EXPECT(map_has_problem(BOOT_PROBLEM_MEM_WRAPS));
}

TEST(memmap, nothing_beyond_the_physical_bits)
{
    boot_info_init(&info);
    map_add((1ULL << PHYS_BITS) - 0x1000, 0x2000, BOOT_MEM_USABLE);
    map_add(1ULL << PHYS_BITS, 0x1000, BOOT_MEM_USABLE);
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT_EQ(info.nr_mem, 1);
    EXPECT(map_is(0, (1ULL << PHYS_BITS) - 0x1000, 0x1000, BOOT_MEM_USABLE));
    EXPECT(map_has_problem(BOOT_PROBLEM_MEM_BEYOND));
}

/* QEMU reserves up to exactly the end of the address space. */
TEST(memmap, range_up_to_the_limit_is_no_problem)
{
    boot_info_init(&info);
    map_add(0xfd00000000, 0x300000000, BOOT_MEM_RESERVED);
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT_EQ(info.nr_mem, 1);
    EXPECT_EQ(info.nr_problems, 0);
}

TEST(memmap, full_map_widens_the_restriction)
{
    size_t i;

    boot_info_init(&info);
    map_add(0, GIB(1), BOOT_MEM_USABLE);
    for (i = 1; i < BOOT_MEM_CAPACITY; i++) {
        map_add(i * MIB(1), 0x1000, BOOT_MEM_RESERVED);
    }
    boot_memmap_sanitise(&info, PHYS_BITS);

    EXPECT(info.nr_mem <= BOOT_MEM_CAPACITY);
    EXPECT(map_has_problem(BOOT_PROBLEM_MEM_WIDENED));
    for (i = 0; i + 1 < info.nr_mem; i++) {
        EXPECT(info.mem[i].base + info.mem[i].size <= info.mem[i + 1].base);
    }
}

TEST(memmap, restriction_displaces_usable_memory)
{
    size_t i;

    boot_info_init(&info);
    for (i = 0; i < BOOT_MEM_CAPACITY; i++) {
        boot_info_add_mem(&info, i * MIB(2), MIB(1) - i, BOOT_MEM_USABLE);
    }
    boot_info_add_mem(&info, GIB(8), MIB(1), BOOT_MEM_USABLE);
    boot_info_add_mem(&info, MIB(6), MIB(1), BOOT_MEM_RESERVED);

    EXPECT_EQ(info.nr_mem, BOOT_MEM_CAPACITY);
    EXPECT_EQ(info.nr_mem_dropped, 2);
    EXPECT(map_is(BOOT_MEM_CAPACITY - 1, MIB(6), MIB(1), BOOT_MEM_RESERVED));
}

/* The strictest type that any range of the original gives to a byte. */
static int
map_original_type(uint64_t phys)
{
    int type = -1;
    size_t i;

    for (i = 0; i < original.nr_mem; i++) {
        const struct boot_mem_range *range = &original.mem[i];

        if (phys - range->base < range->size && (int)range->type > type) {
            type = (int)range->type;
        }
    }
    return type;
}

static int
map_result_type(uint64_t phys)
{
    size_t i;

    for (i = 0; i < info.nr_mem; i++) {
        if (phys - info.mem[i].base < info.mem[i].size) {
            return (int)info.mem[i].type;
        }
    }
    return -1;
}

static bool
map_is_well_formed(void)
{
    size_t i;

    for (i = 0; i < info.nr_mem; i++) {
        const struct boot_mem_range *range = &info.mem[i];
        const struct boot_mem_range *next = range + 1;

        if (range->size == 0 || range->base + range->size > 1ULL << PHYS_BITS) {
            return false;
        }
        if (range->type == BOOT_MEM_USABLE &&
            !IS_ALIGNED(range->base | range->size, 0x1000)) {
            return false;
        }
        if (i + 1 == info.nr_mem) {
            break;
        }
        if (range->base + range->size > next->base) {
            return false;
        }
        if (range->base + range->size == next->base &&
            range->type == next->type) {
            return false;
        }
    }
    return true;
}

/* Small addresses in steps of a quarter page, so that most ranges overlap. */
static void
map_randomise(struct rand *rand, size_t nr)
{
    size_t i;

    boot_info_init(&info);
    for (i = 0; i < nr; i++) {
        map_add(rand_below(rand, 1024) << 10, rand_below(rand, 256) << 10,
                (enum boot_mem_type)rand_below(rand, BOOT_MEM_NR_TYPES));
    }
    original = info;
    boot_memmap_sanitise(&info, PHYS_BITS);
}

TEST(memmap, random_maps_become_well_formed)
{
    unsigned int i;

    for (i = 0; i < 300; i++) {
        map_randomise(&t->rand, 1 + rand_below(&t->rand, 64));
        ASSERT(map_is_well_formed());
    }
}

TEST(memmap, random_maps_keep_the_strictest_type)
{
    uint64_t phys;
    unsigned int i;

    for (i = 0; i < 30; i++) {
        map_randomise(&t->rand, 1 + rand_below(&t->rand, 16));
        for (phys = 0; phys < MIB(2); phys += 1024) {
            int was = map_original_type(phys), is = map_result_type(phys);

            /* Only usable memory is lost, to whole pages. */
            ASSERT(is == was || (was == BOOT_MEM_USABLE && is == -1));
        }
    }
}

TEST(memmap, full_random_maps_hand_out_no_forbidden_byte)
{
    uint64_t phys;
    unsigned int i;

    for (i = 0; i < 3; i++) {
        map_randomise(&t->rand, BOOT_MEM_CAPACITY);
        ASSERT(map_is_well_formed());
        for (phys = 0; phys < MIB(2); phys += 4096) {
            if (map_result_type(phys) == BOOT_MEM_USABLE) {
                ASSERT(map_original_type(phys) == BOOT_MEM_USABLE);
            }
        }
    }
}
