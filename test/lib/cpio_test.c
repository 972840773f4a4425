/* SPDX-License-Identifier: MIT */
/*
 * Tests of the reader of module archives.
 */

#include <lib/cpio.h>
#include <lib/string.h>
#include <test/test.h>

#define ZEROS(n) ZEROS_##n
#define ZEROS_5  "0000000000000000000000000000000000000000"
#define ZEROS_6  ZEROS_5 "00000000"

/* A header with the sizes of the data and of the name, eight digits each. */
#define HEADER(size, name_size)                                                \
    "070701" ZEROS(6) size "00000000000000000000000000000000" name_size        \
                           "00000000"

/* Two members: "ab" holds "hello", "c" nothing. */
static const char archive[] = HEADER(
    "00000005",
    "00000003") "ab\0\0\0\0"
                "hello\0\0\0" HEADER("00000000", "00000002") "c\0" HEADER(
                    "00000000", "0000000b") "TRAILER!!!\0\0\0";

TEST(cpio, two_members)
{
    struct cpio_entry entry;
    size_t at = 0;

    EXPECT(cpio_is_archive(archive, sizeof(archive)));
    ASSERT(cpio_next(archive, sizeof(archive), &at, &entry));
    EXPECT_STREQ(entry.name, "ab");
    EXPECT_EQ(entry.size, 5);
    EXPECT_EQ(memcmp(entry.data, "hello", 5), 0);
    ASSERT(cpio_next(archive, sizeof(archive), &at, &entry));
    EXPECT_STREQ(entry.name, "c");
    EXPECT_EQ(entry.size, 0);
    EXPECT(!cpio_next(archive, sizeof(archive), &at, &entry));
}

TEST(cpio, truncated_anywhere)
{
    struct cpio_entry entry;
    size_t size, at;
    unsigned count;

    for (size = 0; size < sizeof(archive) - 1; size++) {
        at = 0;
        count = 0;
        while (cpio_next(archive, size, &at, &entry)) {
            const char *end = (const char *)entry.data + entry.size;

            EXPECT(end <= archive + size);
            count++;
        }
        EXPECT(count <= 2);
    }
}

TEST(cpio, bad_numbers)
{
    static const char huge[] = HEADER("ffffffff", "00000002") "a\0";
    static const char no_name[] = HEADER("00000000", "00000000") "a\0";
    static const char endless[] = HEADER("00000000", "00000002") "ab";
    static const char letter[] = HEADER("0000000g", "00000002") "a\0";
    struct cpio_entry entry;
    size_t at = 0;

    EXPECT(!cpio_next(huge, sizeof(huge), &at, &entry));
    EXPECT(!cpio_next(no_name, sizeof(no_name), &at, &entry));
    EXPECT(!cpio_next(endless, sizeof(endless), &at, &entry));
    EXPECT(!cpio_next(letter, sizeof(letter), &at, &entry));
    EXPECT_EQ(at, 0);
}
