/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps.
 */
#include <stddef.h>

#include <lib/bitmap.h>
#include <lib/macros.h>
#include <lib/rand.h>
#include <test/test.h>

/* Two words and a part of a third. */
#define BITMAP_TEST_BITS 150

struct bitmap_fixture {
    unsigned long bits[BITMAP_LONGS(BITMAP_TEST_BITS)];
};

TEST(bitmap, longs_round_up)
{
    EXPECT_EQ(BITMAP_LONGS(0), 0);
    EXPECT_EQ(BITMAP_LONGS(1), 1);
    EXPECT_EQ(BITMAP_LONGS(64), 1);
    EXPECT_EQ(BITMAP_LONGS(65), 2);
}

TEST(bitmap, set_changes_one_bit)
{
    static const size_t bits[] = { 0, 1, 63, 64, 127, 128, 149 };
    struct bitmap_fixture f;

    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        bitmap_zero(f.bits, BITMAP_TEST_BITS);
        bitmap_set(f.bits, bits[i]);
        EXPECT(bitmap_test(f.bits, bits[i]));
        EXPECT_EQ(bitmap_count(f.bits, BITMAP_TEST_BITS), 1);
        EXPECT_EQ(bitmap_find_first(f.bits, BITMAP_TEST_BITS), bits[i]);
    }
}

TEST(bitmap, clear_changes_one_bit)
{
    struct bitmap_fixture f;

    bitmap_fill(f.bits, BITMAP_TEST_BITS);
    bitmap_clear(f.bits, 64);
    EXPECT(!bitmap_test(f.bits, 64));
    EXPECT_EQ(bitmap_count(f.bits, BITMAP_TEST_BITS), BITMAP_TEST_BITS - 1);
    EXPECT_EQ(bitmap_find_first_zero(f.bits, BITMAP_TEST_BITS), 64);
}

TEST(bitmap, fill_stops_at_the_size)
{
    unsigned long bits[2] = { 0, 0 };

    bitmap_fill(bits, 65);
    EXPECT_EQ(bits[0], ~0UL);
    EXPECT_EQ(bits[1], 1);
}

TEST(bitmap, find_ignores_bits_beyond_the_size)
{
    unsigned long bits[1] = { 1UL << 10 };

    EXPECT_EQ(bitmap_find_first(bits, 10), 10);
    EXPECT_EQ(bitmap_find_first(bits, 11), 10);
    EXPECT(bitmap_is_empty(bits, 10));
    EXPECT(!bitmap_is_empty(bits, 11));
    EXPECT_EQ(bitmap_count(bits, 10), 0);
}

TEST(bitmap, find_zero_ignores_bits_beyond_the_size)
{
    unsigned long bits[1] = { 0x3ff };

    EXPECT_EQ(bitmap_find_first_zero(bits, 10), 10);
    EXPECT_EQ(bitmap_find_first_zero(bits, 9), 9);
}

TEST(bitmap, find_next_begins_at_start)
{
    struct bitmap_fixture f;

    bitmap_zero(f.bits, BITMAP_TEST_BITS);
    bitmap_set(f.bits, 5);
    bitmap_set(f.bits, 140);
    EXPECT_EQ(bitmap_find_next(f.bits, BITMAP_TEST_BITS, 5), 5);
    EXPECT_EQ(bitmap_find_next(f.bits, BITMAP_TEST_BITS, 6), 140);
    EXPECT_EQ(bitmap_find_next(f.bits, BITMAP_TEST_BITS, 141),
              BITMAP_TEST_BITS);
}

TEST(bitmap, find_next_accepts_start_beyond_the_end)
{
    unsigned long bits[1] = { ~0UL };

    EXPECT_EQ(bitmap_find_next(bits, 64, 64), 64);
    EXPECT_EQ(bitmap_find_next(bits, 64, 1000), 64);
    EXPECT_EQ(bitmap_find_next_zero(bits, 64, 1000), 64);
}

TEST(bitmap, empty_bitmap_has_nothing)
{
    EXPECT_EQ(bitmap_find_first(NULL, 0), 0);
    EXPECT_EQ(bitmap_count(NULL, 0), 0);
    EXPECT(bitmap_is_empty(NULL, 0));
}

TEST(bitmap, for_each_visits_set_bits_in_order)
{
    struct bitmap_fixture f;
    size_t i, sum = 0, last = 0;

    bitmap_zero(f.bits, BITMAP_TEST_BITS);
    bitmap_set(f.bits, 3);
    bitmap_set(f.bits, 63);
    bitmap_set(f.bits, 64);
    bitmap_set(f.bits, 149);
    bitmap_for_each (f.bits, BITMAP_TEST_BITS, i) {
        EXPECT(i > last);
        last = i;
        sum += i;
    }
    EXPECT_EQ(sum, 3 + 63 + 64 + 149);
}

TEST(bitmap, count_agrees_with_test)
{
    struct bitmap_fixture f;
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(f.bits); i++) {
        f.bits[i] = rand_u64(&t->rand);
    }
    for (size_t i = 0; i < BITMAP_TEST_BITS; i++) {
        count += bitmap_test(f.bits, i);
    }
    EXPECT_EQ(bitmap_count(f.bits, BITMAP_TEST_BITS), count);
}

TEST(bitmap, set_operations_work_on_every_word)
{
    unsigned long a[2] = { 0xf0, 1 }, b[2] = { 0x3c, 3 }, c[2];

    bitmap_copy(c, a, 128);
    bitmap_or(c, b, 128);
    EXPECT_EQ(c[0], 0xfc);
    EXPECT_EQ(c[1], 3);
    bitmap_copy(c, a, 128);
    bitmap_and(c, b, 128);
    EXPECT_EQ(c[0], 0x30);
    EXPECT_EQ(c[1], 1);
}
