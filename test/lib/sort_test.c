/* SPDX-License-Identifier: MIT */
/*
 * Sorting.
 */
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/rand.h>
#include <lib/sort.h>
#include <test/test.h>

#define SORT_TEST_MAX 65

static int
sort_test_cmp(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

TEST(sort, nothing_and_one_are_sorted)
{
    uint32_t one = 7;

    sort_array(NULL, 0, sizeof(one), sort_test_cmp);
    sort_array(&one, 1, sizeof(one), sort_test_cmp);
    EXPECT_EQ(one, 7);
}

TEST(sort, reverse_order_is_sorted)
{
    uint32_t array[] = { 5, 4, 3, 2, 1, 0 };

    sort_array(array, ARRAY_SIZE(array), sizeof(array[0]), sort_test_cmp);
    for (uint32_t i = 0; i < ARRAY_SIZE(array); i++) {
        EXPECT_EQ(array[i], i);
    }
}

TEST(sort, every_length_is_sorted_and_complete)
{
    uint32_t array[SORT_TEST_MAX];
    uint64_t sum;

    for (size_t count = 0; count <= SORT_TEST_MAX; count++) {
        sum = 0;
        for (size_t i = 0; i < count; i++) {
            array[i] = (uint32_t)rand_below(&t->rand, 40);
            sum += array[i];
        }
        sort_array(array, count, sizeof(array[0]), sort_test_cmp);
        for (size_t i = 0; i < count; i++) {
            EXPECT(i == 0 || array[i - 1] <= array[i]);
            sum -= array[i];
        }
        EXPECT_EQ(sum, 0);
    }
}

TEST(sort, whole_elements_move)
{
    struct {
        uint32_t key;
        char rest[9];
    } array[] = { { 2, "two" }, { 3, "three" }, { 1, "one" } };

    sort_array(array, ARRAY_SIZE(array), sizeof(array[0]), sort_test_cmp);
    EXPECT_STREQ(array[0].rest, "one");
    EXPECT_STREQ(array[1].rest, "two");
    EXPECT_STREQ(array[2].rest, "three");
}
