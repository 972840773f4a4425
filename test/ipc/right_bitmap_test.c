/* SPDX-License-Identifier: MIT */
/*
 * Hierarchical bitmaps, against a search bit by bit.
 */
#include <lib/rand.h>
#include <kern/kmalloc.h>
#include <ipc/right_bitmap.h>
#include <test/test.h>

static uint32_t
bitmap_slow_find(const struct right_bitmap *bitmap, uint32_t i)
{
    while (i < bitmap->nr_bits && !right_bitmap_test(bitmap, i)) {
        i++;
    }
    return i;
}

static uint32_t
bitmap_slow_last(const struct right_bitmap *bitmap)
{
    for (uint32_t i = bitmap->nr_bits; i-- > 0;) {
        if (right_bitmap_test(bitmap, i)) {
            return i;
        }
    }
    return bitmap->nr_bits;
}

static struct right_bitmap *
bitmap_create(struct test *t, uint32_t nr_bits)
{
    struct right_bitmap *bitmap;

    bitmap = kmalloc(sizeof(*bitmap) +
                     right_bitmap_nr_words(nr_bits) * sizeof(uint64_t));
    if (bitmap != NULL) {
        test_cleanup(t, kfree, bitmap);
        right_bitmap_init(bitmap, nr_bits, (uint64_t *)(bitmap + 1));
    }
    return bitmap;
}

TEST(right_bitmap, finds_what_a_slow_search_finds)
{
    static const uint32_t sizes[] = { 8, 64, 512, 4096, RIGHT_BITMAP_MAX };

    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        struct right_bitmap *bitmap = bitmap_create(t, sizes[s]);

        ASSERT(bitmap != NULL);
        for (unsigned n = 0; n < 300; n++) {
            uint32_t i = (uint32_t)rand_below(&t->rand, sizes[s]);

            if (rand_below(&t->rand, 2) != 0) {
                right_bitmap_set(bitmap, i);
            } else {
                right_bitmap_clear(bitmap, i);
            }
            i = (uint32_t)rand_below(&t->rand, sizes[s] + 1);
            EXPECT_EQ(right_bitmap_find(bitmap, i),
                      bitmap_slow_find(bitmap, i));
            EXPECT_EQ(right_bitmap_find_last(bitmap), bitmap_slow_last(bitmap));
        }
    }
}

TEST(right_bitmap, copy_leaves_what_is_beyond)
{
    struct right_bitmap *small = bitmap_create(t, 8);
    struct right_bitmap *large = bitmap_create(t, 512);

    ASSERT(small != NULL && large != NULL);
    right_bitmap_set_range(large, 0, 512);
    right_bitmap_set(small, 3);
    right_bitmap_copy(large, small);
    EXPECT_EQ(right_bitmap_find(large, 0), 3);
    EXPECT_EQ(right_bitmap_find(large, 4), 8);
    EXPECT_EQ(right_bitmap_find_last(large), 511);
    right_bitmap_clear(large, 3);
    right_bitmap_copy(small, large);
    EXPECT_EQ(right_bitmap_find(small, 0), 8);
    EXPECT_EQ(right_bitmap_find_last(small), 8);
}

/* Sizes that are whole words, and words of the summary. */
TEST(right_bitmap, copy_has_the_same_bits)
{
    struct right_bitmap *small = bitmap_create(t, 4096);
    struct right_bitmap *large = bitmap_create(t, RIGHT_BITMAP_MAX);

    ASSERT(small != NULL && large != NULL);
    right_bitmap_set_range(large, 0, RIGHT_BITMAP_MAX);
    for (unsigned n = 0; n < 100; n++) {
        right_bitmap_set(small, (uint32_t)rand_below(&t->rand, 4096));
    }
    right_bitmap_copy(large, small);
    for (uint32_t i = 0; i < 4096; i = right_bitmap_find(small, i) + 1) {
        EXPECT_EQ(right_bitmap_find(large, i), right_bitmap_find(small, i));
    }
    right_bitmap_init(small, 4096, small->words);
    right_bitmap_copy(small, large);
    EXPECT_EQ(right_bitmap_first(small), right_bitmap_first(large));
    EXPECT_EQ(right_bitmap_find(large, 4096), 4096);
}
