/* SPDX-License-Identifier: MIT */
#include <lib/civil.h>
#include <test/test.h>

TEST(civil, seconds_are_those_of_the_calendar)
{
    static const struct {
        struct civil_time time;
        uint64_t seconds;
    } known[] = {
        { { 1970, 1, 1, 0, 0, 0 }, 0 },
        { { 1970, 12, 31, 23, 59, 59 }, 31535999 },
        { { 2000, 2, 29, 12, 0, 0 }, 951825600 },
        { { 2001, 9, 9, 1, 46, 40 }, 1000000000 },
        { { 2024, 3, 1, 0, 0, 0 }, 1709251200 },
        { { 2100, 3, 1, 0, 0, 0 }, 4107542400 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        EXPECT(civil_is_valid(&known[i].time));
        EXPECT_EQ(civil_to_seconds(&known[i].time), known[i].seconds);
    }
}

TEST(civil, what_is_no_date_is_not_valid)
{
    static const struct civil_time bad[] = {
        { 1969, 12, 31, 0, 0, 0 },        { 2023, 2, 29, 0, 0, 0 },
        { 2100, 2, 29, 0, 0, 0 },         { 2024, 0, 1, 0, 0, 0 },
        { 2024, 13, 1, 0, 0, 0 },         { 2024, 1, 0, 0, 0, 0 },
        { 2024, 4, 31, 0, 0, 0 },         { 2024, 1, 1, 24, 0, 0 },
        { 2024, 1, 1, 0, 60, 0 },         { 2024, 1, 1, 0, 0, 60 },
        { 255, 255, 255, 255, 255, 255 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        EXPECT(!civil_is_valid(&bad[i]));
    }
}
