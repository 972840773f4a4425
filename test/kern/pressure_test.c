/* SPDX-License-Identifier: MIT */
/*
 * Memory that is kept away.
 */
#include <kern/page.h>
#include <kern/pressure.h>
#include <test/test.h>

static void
pressure_test_restore(void *arg)
{
    pressure_set(*(size_t *)arg);
}

/* What pressure= said holds again after the test. */
static void
pressure_test_begin(struct test *t)
{
    static size_t nr_before;

    nr_before = pressure_nr();
    test_cleanup(t, pressure_test_restore, &nr_before);
}

TEST(pressure, amounts_are_mebibytes_or_a_part)
{
    size_t nr;

    EXPECT_EQ(pressure_parse("3", &nr), OK);
    EXPECT_EQ(nr, 3 * 256);
    EXPECT_EQ(pressure_parse("50%", &nr), OK);
    EXPECT_EQ(nr, page_nr_total() / 2);
    EXPECT_EQ(pressure_parse("101%", &nr), ERR_RANGE);
    EXPECT_EQ(pressure_parse("%", &nr), ERR_INVALID);
    EXPECT_EQ(pressure_parse("", &nr), ERR_INVALID);
    EXPECT(pressure_parse("4x", &nr) != OK);
}

TEST(pressure, pages_are_kept_away_and_given_back)
{
    size_t nr_free, nr_kept;

    pressure_test_begin(t);
    pressure_set(0);
    page_reclaim();
    nr_free = page_nr_free();
    pressure_set(nr_free / 3);
    nr_kept = pressure_nr();
    /* A node may get a little less than its part. */
    EXPECT(nr_kept <= nr_free / 3);
    EXPECT(nr_kept >= nr_free / 3 - nr_free / 100);
    EXPECT_EQ(page_nr_free(), nr_free - nr_kept);
    pressure_set(0);
    EXPECT_EQ(pressure_nr(), 0);
    EXPECT_EQ(page_nr_free(), nr_free);
}

TEST(pressure, a_part_is_left_in_any_case)
{
    struct page *page;

    pressure_test_begin(t);
    pressure_set(SIZE_MAX >> PAGE_SHIFT);
    EXPECT(page_nr_free() >= page_nr_total() / PRESSURE_SHARE_LEFT);
    page = page_alloc(0, 0);
    EXPECT(page != NULL);
    if (page != NULL) {
        page_free(page, 0);
    }
}
