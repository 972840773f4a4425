/* SPDX-License-Identifier: MIT */
/*
 * The parser of Multiboot2 information, on information built here.
 */
#include <test/test.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/macros.h>
#include <lib/status.h>
#include <lib/string.h>

#include "arch/x86/multiboot2.h"

#define MBI_PHYS     0x115000
#define MBI_CAPACITY 16384

/* One byte more, so that the information can be misaligned. */
static uint8_t mbi_memory[MBI_CAPACITY + 1];
static uint8_t *mbi = mbi_memory;
static size_t mbi_size;
static struct boot_info info;

static void
mbi_append(const void *data, size_t size)
{
    memcpy(mbi + mbi_size, data, size);
    mbi_size += size;
}

static void
mbi_begin(void)
{
    memset(mbi_memory, 0, sizeof(mbi_memory));
    mbi = mbi_memory;
    mbi_size = 8;
}

/* A tag of two parts, either may be empty. */
static void
mbi_tag(uint32_t type, const void *head, size_t head_size, const void *tail,
        size_t tail_size)
{
    uint32_t words[2] = { type, (uint32_t)(8 + head_size + tail_size) };

    mbi_append(words, sizeof(words));
    mbi_append(head, head_size);
    mbi_append(tail, tail_size);
    mbi_size = ALIGN_UP(mbi_size, 8);
}

static void
mbi_end(void)
{
    uint32_t total;

    mbi_tag(0, "", 0, "", 0);
    total = (uint32_t)mbi_size;
    memcpy(mbi, &total, sizeof(total));
}

static status_t
mbi_parse(void)
{
    mbi_end();
    return multiboot2_parse(&info, mbi, mbi_size, MBI_PHYS);
}

static void
mbi_module(uint32_t start, uint32_t end, const char *text)
{
    uint32_t words[2] = { start, end };

    mbi_tag(3, words, sizeof(words), text, strlen(text) + 1);
}

static void
mbi_mem_map(const uint64_t entries[][3], size_t nr)
{
    uint32_t words[2] = { 24, 0 };

    mbi_tag(6, words, sizeof(words), entries, nr * 24);
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

TEST(multiboot2, strings_are_copied)
{
    mbi_begin();
    mbi_tag(1, "loglevel=7 exit", 16, "", 0);
    mbi_tag(2, "GRUB 2.06", 10, "", 0);

    EXPECT_EQ(mbi_parse(), OK);
    memset(mbi_memory, 0xff, sizeof(mbi_memory));
    EXPECT_STREQ(info.cmdline, "loglevel=7 exit");
    EXPECT_STREQ(info.loader_name, "GRUB 2.06");
}

TEST(multiboot2, information_is_reserved)
{
    mbi_begin();
    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.nr_reserved, 1);
    EXPECT_EQ(info.reserved[0].base, MBI_PHYS);
    EXPECT_EQ(info.reserved[0].size, mbi_size);
}

TEST(multiboot2, module_string_is_split)
{
    mbi_begin();
    mbi_module(0x200000, 0x201234, "init -v  two words");
    mbi_module(0x300000, 0x300000, "");

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.nr_modules, 2);
    EXPECT_EQ(info.modules[0].phys, 0x200000);
    EXPECT_EQ(info.modules[0].size, 0x1234);
    EXPECT_STREQ(info.modules[0].name, "init");
    EXPECT_STREQ(info.modules[0].args, "-v  two words");
    EXPECT_STREQ(info.modules[1].name, "");
    EXPECT_EQ(info.reserved[1].base, 0x200000);
    EXPECT_EQ(info.reserved[1].size, 0x1234);
}

TEST(multiboot2, module_that_ends_before_it_starts_is_ignored)
{
    mbi_begin();
    mbi_module(0x201000, 0x200000, "bad");
    mbi_module(0x200000, 0x201000, "good");

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.nr_modules, 1);
    EXPECT_STREQ(info.modules[0].name, "good");
    EXPECT(info_has_problem(BOOT_PROBLEM_MODULE_RANGE));
}

TEST(multiboot2, modules_beyond_the_capacity_are_noted)
{
    uint32_t i;

    mbi_begin();
    for (i = 0; i < BOOT_MODULE_CAPACITY + 3; i++) {
        mbi_module(i << 20, (i << 20) + 1, "m");
    }

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.nr_modules, BOOT_MODULE_CAPACITY);
    EXPECT_EQ(info.nr_problems, 4);
    EXPECT(info_has_problem(BOOT_PROBLEM_MODULE_DROPPED));
}

/* Types 3, 4 and a non-standard 20 come from UEFI loaders. */
TEST(multiboot2, unknown_memory_is_reserved)
{
    static const uint64_t map[][3] = {
        { 0, 0x9fc00, 1 },        { 0xe0000, 0x10000, 2 },
        { 0x100000, 0x1000, 20 }, { 0x200000, 0x1000, 3 },
        { 0x300000, 0x1000, 4 },  { 0x400000, 0x1000, 5 },
    };
    static const enum boot_mem_type types[] = {
        BOOT_MEM_USABLE,       BOOT_MEM_RESERVED, BOOT_MEM_RESERVED,
        BOOT_MEM_ACPI_RECLAIM, BOOT_MEM_ACPI_NVS, BOOT_MEM_BAD,
    };
    size_t i;

    mbi_begin();
    mbi_mem_map(map, ARRAY_SIZE(map));

    EXPECT_EQ(mbi_parse(), OK);
    ASSERT(info.nr_mem == ARRAY_SIZE(types));
    for (i = 0; i < ARRAY_SIZE(types); i++) {
        EXPECT_EQ(info.mem[i].type, types[i]);
        EXPECT_EQ(info.mem[i].base, map[i][0]);
        EXPECT_EQ(info.mem[i].size, map[i][1]);
    }
}

TEST(multiboot2, larger_entries_are_stepped_over)
{
    uint32_t words[2] = { 32, 0 };
    uint64_t entries[2][4] = { { 0, 0x1000, 1, 99 }, { 0x5000, 0x1000, 1, 9 } };

    mbi_begin();
    mbi_tag(6, words, sizeof(words), entries, sizeof(entries));

    EXPECT_EQ(mbi_parse(), OK);
    ASSERT(info.nr_mem == 2);
    EXPECT_EQ(info.mem[1].base, 0x5000);
}

TEST(multiboot2, entry_size_zero_is_refused)
{
    uint32_t words[2] = { 0, 0 };
    uint64_t entry[3] = { 0, 0x1000, 1 };

    mbi_begin();
    mbi_tag(6, words, sizeof(words), entry, sizeof(entry));

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.nr_mem, 0);
    EXPECT(info_has_problem(BOOT_PROBLEM_MB2_ENTRY_SIZE));
    EXPECT(info_has_problem(BOOT_PROBLEM_NO_MEMORY_MAP));
}

/* 48 bytes for each descriptor, as OVMF has it. */
static void
mbi_efi_map(void)
{
    uint32_t words[2] = { 48, 1 };
    uint64_t map[5][6] = {
        { 7, 0x100000, 0, 16, 0xf, 0 },       { 4, 0x200000, 0, 1, 0xf, 0 },
        { 6, 0x300000, 0, 1, 1ULL << 63, 0 }, { 9, 0x400000, 0, 1, 0xf, 0 },
        { 10, 0x500000, 0, 1, 0xf, 0 },
    };

    mbi_tag(17, words, sizeof(words), map, sizeof(map));
}

TEST(multiboot2, efi_map_serves_without_another)
{
    mbi_begin();
    mbi_efi_map();

    EXPECT_EQ(mbi_parse(), OK);
    ASSERT(info.nr_mem == 5);
    EXPECT_EQ(info.mem[0].size, 0x10000);
    EXPECT_EQ(info.mem[0].type, BOOT_MEM_USABLE);
    EXPECT_EQ(info.mem[1].type, BOOT_MEM_USABLE);
    EXPECT_EQ(info.mem[2].type, BOOT_MEM_RESERVED);
    EXPECT_EQ(info.mem[3].type, BOOT_MEM_ACPI_RECLAIM);
    EXPECT_EQ(info.mem[4].type, BOOT_MEM_ACPI_NVS);
}

TEST(multiboot2, efi_boot_services_keep_their_memory)
{
    mbi_begin();
    mbi_efi_map();
    mbi_tag(18, "", 0, "", 0);

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT(info.efi_boot_services);
    ASSERT(info.nr_mem == 5);
    EXPECT_EQ(info.mem[1].type, BOOT_MEM_RESERVED);
}

TEST(multiboot2, efi_map_yields_to_the_other)
{
    static const uint64_t map[][3] = { { 0x700000, 0x1000, 1 } };

    mbi_begin();
    mbi_efi_map();
    mbi_mem_map(map, 1);

    EXPECT_EQ(mbi_parse(), OK);
    ASSERT(info.nr_mem == 1);
    EXPECT_EQ(info.mem[0].base, 0x700000);
}

TEST(multiboot2, two_sizes_serve_without_a_map)
{
    uint32_t words[2] = { 639, 130048 };

    mbi_begin();
    mbi_tag(4, words, sizeof(words), "", 0);

    EXPECT_EQ(mbi_parse(), OK);
    ASSERT(info.nr_mem == 2);
    EXPECT_EQ(info.mem[0].size, 639 * 1024);
    EXPECT_EQ(info.mem[1].base, 0x100000);
    EXPECT_EQ(info.mem[1].size, 130048ULL * 1024);
}

TEST(multiboot2, new_rsdp_wins_in_any_order)
{
    char old[20] = "RSD PTR old", new[36] = "RSD PTR new";

    mbi_begin();
    mbi_tag(15, new, sizeof(new), "", 0);
    mbi_tag(14, old, sizeof(old), "", 0);
    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.rsdp_size, 36);
    EXPECT_EQ(info.rsdp[8], 'n');

    mbi_begin();
    mbi_tag(14, old, sizeof(old), "", 0);
    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.rsdp_size, 20);
    EXPECT_EQ(info.rsdp[8], 'o');
}

static void
mbi_framebuffer(uint32_t pitch, uint32_t width, uint8_t bpp, uint8_t type)
{
    uint32_t words[5] = { 0xfd000000, 0, pitch, width, 768 };
    uint8_t tail[10] = { bpp, type, 0, 0, 16, 8, 8, 8, 0, 8 };

    mbi_begin();
    mbi_tag(8, words, sizeof(words), tail, sizeof(tail));
}

TEST(multiboot2, framebuffer_of_24_and_32_bits)
{
    mbi_framebuffer(4096, 1024, 32, 1);
    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.framebuffer.type, BOOT_FRAMEBUFFER_RGB);
    EXPECT_EQ(info.framebuffer.phys, 0xfd000000);
    EXPECT_EQ(info.framebuffer.height, 768);
    EXPECT_EQ(info.framebuffer.red.position, 16);
    EXPECT_EQ(info.framebuffer.blue.size, 8);

    mbi_framebuffer(3072, 1024, 24, 1);
    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.framebuffer.bpp, 24);
}

TEST(multiboot2, framebuffer_of_text)
{
    mbi_framebuffer(160, 80, 16, 2);
    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.framebuffer.type, BOOT_FRAMEBUFFER_TEXT);
    EXPECT_EQ(info.framebuffer.pitch, 160);
}

TEST(multiboot2, framebuffer_without_sense_is_ignored)
{
    /* Lines longer than their distance, odd pixels, unknown type. */
    static const struct {
        uint32_t pitch, width;
        uint8_t bpp, type;
    } bad[] = {
        { 4095, 1024, 32, 1 }, { 4096, 1024, 31, 1 }, { 4096, 1024, 32, 3 },
        { 4096, 0, 32, 1 },    { 4096, 1024, 16, 1 },
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        mbi_framebuffer(bad[i].pitch, bad[i].width, bad[i].bpp, bad[i].type);
        EXPECT_EQ(mbi_parse(), OK);
        EXPECT_EQ(info.framebuffer.type, BOOT_FRAMEBUFFER_NONE);
        EXPECT(info_has_problem(BOOT_PROBLEM_FRAMEBUFFER));
    }
}

TEST(multiboot2, efi_table_and_load_base)
{
    uint64_t table = 0x7f9ee018;
    uint32_t base = 0x200000;

    mbi_begin();
    mbi_tag(12, &table, sizeof(table), "", 0);
    mbi_tag(21, &base, sizeof(base), "", 0);

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.efi_system_table, table);
    EXPECT(info.efi_64bit);
    EXPECT_EQ(info.load_base, base);
}

TEST(multiboot2, unknown_tags_are_skipped)
{
    mbi_begin();
    mbi_tag(9, "ELF", 3, "sections", 8);
    mbi_tag(0x12345678, "whatever", 5, "", 0);
    mbi_tag(1, "after", 6, "", 0);

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_STREQ(info.cmdline, "after");
}

TEST(multiboot2, long_command_line_is_cut)
{
    static char text[BOOT_CMDLINE_SIZE + 100];

    memset(text, 'x', sizeof(text));
    mbi_begin();
    mbi_tag(1, text, sizeof(text), "", 1);

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(strlen(info.cmdline), BOOT_CMDLINE_SIZE - 1);
    EXPECT(info_has_problem(BOOT_PROBLEM_CMDLINE_CUT));
}

TEST(multiboot2, string_without_end_stops_with_its_tag)
{
    mbi_begin();
    mbi_tag(1, "abcdefgh", 8, "", 0);
    mbi_tag(2, "loader", 7, "", 0);

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_STREQ(info.cmdline, "abcdefgh");
}

TEST(multiboot2, short_tag_is_skipped)
{
    mbi_begin();
    mbi_tag(8, "short", 5, "", 0);
    mbi_tag(1, "after", 6, "", 0);

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT(info_has_problem(BOOT_PROBLEM_MB2_TAG_SHORT));
    EXPECT_STREQ(info.cmdline, "after");
}

TEST(multiboot2, tag_smaller_than_its_header_ends_the_list)
{
    uint32_t size = 0;

    mbi_begin();
    mbi_tag(1, "before", 7, "", 0);
    mbi_tag(2, "loader", 7, "", 0);
    memcpy(mbi + 8 + 16 + 4, &size, sizeof(size));

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_STREQ(info.cmdline, "before");
    EXPECT_STREQ(info.loader_name, "");
    EXPECT(info_has_problem(BOOT_PROBLEM_MB2_TAG_TRUNCATED));
}

/* Wherever the information is cut off, what is there is still used. */
TEST(multiboot2, every_truncation_survives)
{
    static const uint64_t map[][3] = { { 0x700000, 0x1000, 1 } };
    size_t size;

    mbi_begin();
    mbi_tag(1, "first", 6, "", 0);
    mbi_mem_map(map, 1);
    mbi_module(0x200000, 0x201000, "init");
    mbi_end();

    for (size = 0; size < mbi_size; size++) {
        status_t status = multiboot2_parse(&info, mbi, size, MBI_PHYS);

        EXPECT_EQ(status, size < 8 ? ERR_TRUNCATED : OK);
        EXPECT(info.nr_problems != 0);
    }
    EXPECT_EQ(multiboot2_parse(&info, mbi, mbi_size, MBI_PHYS), OK);
    EXPECT_EQ(info.nr_problems, 0);
}

TEST(multiboot2, information_may_be_misaligned)
{
    static const uint64_t map[][3] = { { 0x700000, 0x1000, 1 } };

    mbi_begin();
    mbi = mbi_memory + 1;
    mbi_mem_map(map, 1);
    mbi_module(0x200000, 0x201000, "init");

    EXPECT_EQ(mbi_parse(), OK);
    EXPECT_EQ(info.nr_mem, 1);
    EXPECT_EQ(info.nr_modules, 1);
}

TEST(multiboot2, total_size_zero_is_refused)
{
    uint8_t zero[64] = { 0 };

    EXPECT_EQ(multiboot2_parse(&info, zero, sizeof(zero), MBI_PHYS),
              ERR_FORMAT);
    EXPECT_EQ(info.nr_mem, 0);
}
