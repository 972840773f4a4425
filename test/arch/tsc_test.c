/* SPDX-License-Identifier: MIT */
#include <arch/x86/tsc.h>
#include <test/test.h>

TEST(tsc, computes_over_a_wrap)
{
    const struct tsc_reading start = { 5000, 0xfff0 }, end = { 7000, 0x0010 };

    EXPECT_EQ(tsc_compute(&start, &end, 1000, 0xffff), 2000 * 1000 / 0x20);
}

TEST(tsc, reference_that_stands_still_tells_nothing)
{
    const struct tsc_reading start = { 5000, 77 }, end = { 7000, 77 };

    EXPECT_EQ(tsc_compute(&start, &end, 1000, 0xffff), 0);
}

/* Seconds of a fast counter by a fast reference exceed 64 bits. */
TEST(tsc, long_measurement_does_not_overflow)
{
    const struct tsc_reading start = { 0, 0 };
    const struct tsc_reading end = { UINT64_C(200000000000), 1000000000 };

    EXPECT_EQ(tsc_compute(&start, &end, 100000000, UINT32_MAX),
              UINT64_C(20000000000));
}

TEST(tsc, near_is_a_part_and_either_way)
{
    EXPECT(tsc_is_near(3200, 3200, 5));
    EXPECT(tsc_is_near(3200, 3300, 5));
    EXPECT(tsc_is_near(3200, 3100, 5));
    EXPECT(!tsc_is_near(3200, 3301, 5));
    EXPECT(!tsc_is_near(3200, 3099, 5));
    EXPECT(!tsc_is_near(3200, 0, 5));
    EXPECT(!tsc_is_near(UINT64_C(2995200000), 50000000, 5));
}
