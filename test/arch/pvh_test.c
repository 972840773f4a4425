/* SPDX-License-Identifier: MIT */
/*
 * The parser of PVH start information, in a small simulated memory.
 */
#include <test/test.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/macros.h>
#include <lib/status.h>
#include <lib/string.h>

#include "arch/x86/pvh.h"

#define MEMORY_BASE 0x1000
#define MEMORY_SIZE 0x4000

#define START_PHYS   (MEMORY_BASE + 1) /* alignment is not promised */
#define CMDLINE_PHYS (MEMORY_BASE + 0x101)
#define RSDP_PHYS    (MEMORY_BASE + 0x203)
#define MODULES_PHYS (MEMORY_BASE + 0x305)
#define MAP_PHYS     (MEMORY_BASE + 0x1407)
#define TEXT_PHYS    (MEMORY_BASE + 0x2409)

static uint8_t memory[MEMORY_SIZE];
static struct boot_info info;

static const void *
memory_map(uint64_t phys, size_t size)
{
    if (phys < MEMORY_BASE || phys - MEMORY_BASE > MEMORY_SIZE ||
        size > MEMORY_SIZE - (phys - MEMORY_BASE)) {
        return NULL;
    }
    return memory + (phys - MEMORY_BASE);
}

static void
memory_write(uint64_t phys, const void *data, size_t size)
{
    memcpy(memory + (phys - MEMORY_BASE), data, size);
}

static void
memory_write_u32(uint64_t phys, uint32_t value)
{
    memory_write(phys, &value, sizeof(value));
}

static void
memory_write_u64(uint64_t phys, uint64_t value)
{
    memory_write(phys, &value, sizeof(value));
}

static void
start_build(uint32_t version)
{
    memset(memory, 0, sizeof(memory));
    memory_write_u32(START_PHYS, 0x336ec578);
    memory_write_u32(START_PHYS + 4, version);
}

static void
start_map(const uint64_t entries[][3], uint32_t nr)
{
    memory_write_u64(START_PHYS + 40, MAP_PHYS);
    memory_write_u32(START_PHYS + 48, nr);
    memory_write(MAP_PHYS, entries, nr * sizeof(entries[0]));
}

static void
start_module(uint32_t index, uint64_t phys, uint64_t size, uint64_t text)
{
    uint64_t entry[4] = { phys, size, text, 0 };

    memory_write_u32(START_PHYS + 12, index + 1);
    memory_write_u64(START_PHYS + 16, MODULES_PHYS);
    memory_write(MODULES_PHYS + index * sizeof(entry), entry, sizeof(entry));
}

static bool
info_has_problem(enum boot_problem_kind kind)
{
    size_t i;

    for (i = 0; i < info.nr_problems; i++) {
        if (info.problems[i].kind == kind) {
            return true;
        }
    }
    return false;
}

TEST(pvh, command_line_is_copied)
{
    start_build(1);
    memory_write_u64(START_PHYS + 24, CMDLINE_PHYS);
    memory_write(CMDLINE_PHYS, "test exit", 10);

    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    EXPECT_STREQ(info.cmdline, "test exit");
    ASSERT(info.nr_reserved == 2);
    EXPECT_EQ(info.reserved[0].base, START_PHYS);
    EXPECT_EQ(info.reserved[1].base, CMDLINE_PHYS);
    EXPECT_EQ(info.reserved[1].size, 10);
}

/* microvm: not sorted, with an empty entry. */
TEST(pvh, odd_memory_map_is_kept_in_order)
{
    static const uint64_t map[][3] = {
        { 0x100000, 0x1000, 1 }, { 0, 0, 0 },
        { 0, 0x9fc00, 1 },       { 0xb0000000, 0x10000000, 2 },
        { 0x200000, 0x1000, 6 },
    };

    start_build(1);
    start_map(map, ARRAY_SIZE(map));

    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    ASSERT(info.nr_mem == 4);
    EXPECT_EQ(info.mem[0].base, 0x100000);
    EXPECT_EQ(info.mem[1].size, 0x9fc00);
    EXPECT_EQ(info.mem[1].type, BOOT_MEM_USABLE);
    EXPECT_EQ(info.mem[2].type, BOOT_MEM_RESERVED);
    EXPECT_EQ(info.mem[3].type, BOOT_MEM_RESERVED);
    EXPECT(info_has_problem(BOOT_PROBLEM_MEM_EMPTY));
}

TEST(pvh, version_0_has_no_memory_map)
{
    static const uint64_t map[][3] = { { 0x100000, 0x1000, 1 } };

    start_build(0);
    start_map(map, 1);

    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    EXPECT_EQ(info.nr_mem, 0);
    EXPECT(info_has_problem(BOOT_PROBLEM_NO_MEMORY_MAP));
    EXPECT_EQ(info.reserved[0].size, 40);
}

TEST(pvh, modules_are_named)
{
    start_build(1);
    start_module(0, 0x200000, 0x1234, TEXT_PHYS);
    start_module(1, 0x300000, 0x10, 0);
    memory_write(TEXT_PHYS, "init -v", 8);

    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    ASSERT(info.nr_modules == 2);
    EXPECT_EQ(info.modules[0].phys, 0x200000);
    EXPECT_EQ(info.modules[0].size, 0x1234);
    EXPECT_STREQ(info.modules[0].name, "init");
    EXPECT_STREQ(info.modules[0].args, "-v");
    EXPECT_STREQ(info.modules[1].name, "");
}

TEST(pvh, module_that_exceeds_64_bits_is_ignored)
{
    start_build(1);
    start_module(0, 0x200000, UINT64_MAX, 0);
    start_module(1, 0x300000, 0x10, 0);

    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    ASSERT(info.nr_modules == 1);
    EXPECT_EQ(info.modules[0].phys, 0x300000);
    EXPECT(info_has_problem(BOOT_PROBLEM_MODULE_RANGE));
}

TEST(pvh, root_pointer_is_copied_by_its_revision)
{
    uint8_t rsdp[36] = "RSD PTR ";

    start_build(1);
    memory_write_u64(START_PHYS + 32, RSDP_PHYS);
    memory_write(RSDP_PHYS, rsdp, sizeof(rsdp));
    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    EXPECT_EQ(info.rsdp_phys, RSDP_PHYS);
    EXPECT_EQ(info.rsdp_size, 20);
    EXPECT_EQ(info.rsdp[0], 'R');

    rsdp[15] = 2;
    memory_write(RSDP_PHYS, rsdp, sizeof(rsdp));
    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    EXPECT_EQ(info.rsdp_size, 36);
}

TEST(pvh, wrong_magic_is_refused)
{
    start_build(1);
    memory_write_u32(START_PHYS, 0x2badb002);

    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), ERR_FORMAT);
    EXPECT(info_has_problem(BOOT_PROBLEM_PVH_MAGIC));
}

TEST(pvh, unreadable_start_is_refused)
{
    EXPECT_EQ(pvh_parse(&info, 0, memory_map), ERR_FAULT);
    EXPECT_EQ(pvh_parse(&info, UINT64_MAX - 8, memory_map), ERR_FAULT);
    EXPECT_EQ(pvh_parse(&info, MEMORY_BASE + MEMORY_SIZE - 8, memory_map),
              ERR_FAULT);
}

/* Pointers that lead nowhere cost only what they point to. */
TEST(pvh, unreadable_parts_are_left_out)
{
    static const uint64_t map[][3] = { { 0x100000, 0x1000, 1 } };

    start_build(1);
    start_map(map, 1);
    memory_write_u32(START_PHYS + 12, 3);
    memory_write_u64(START_PHYS + 16, UINT64_MAX - 3);
    memory_write_u64(START_PHYS + 24, 0xffff0000);
    memory_write_u64(START_PHYS + 32, MEMORY_BASE + MEMORY_SIZE - 10);

    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    EXPECT_EQ(info.nr_mem, 1);
    EXPECT_EQ(info.nr_modules, 0);
    EXPECT_EQ(info.rsdp_size, 0);
    EXPECT_STREQ(info.cmdline, "");
    EXPECT(info_has_problem(BOOT_PROBLEM_PVH_UNREADABLE));
}

TEST(pvh, string_at_the_end_of_memory_is_cut)
{
    uint64_t phys = MEMORY_BASE + MEMORY_SIZE - 4;

    start_build(1);
    memory_write_u64(START_PHYS + 24, phys);
    memory_write(phys, "abcd", 4);

    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    EXPECT_STREQ(info.cmdline, "abcd");
    EXPECT(info_has_problem(BOOT_PROBLEM_CMDLINE_CUT));
}

TEST(pvh, absurd_numbers_of_entries_end)
{
    start_build(1);
    memory_write_u64(START_PHYS + 40, MAP_PHYS);
    memory_write_u32(START_PHYS + 48, UINT32_MAX);
    memory_write_u64(START_PHYS + 16, MODULES_PHYS);
    memory_write_u32(START_PHYS + 12, UINT32_MAX);

    EXPECT_EQ(pvh_parse(&info, START_PHYS, memory_map), OK);
    EXPECT_EQ(info.nr_modules, BOOT_MODULE_CAPACITY);
    EXPECT(info_has_problem(BOOT_PROBLEM_PVH_ENTRIES));
}
