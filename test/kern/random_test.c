/* SPDX-License-Identifier: MIT */
#include <kern/random.h>
#include <lib/string.h>
#include <test/test.h>

#define RANDOM_TEST_SIZE 1000

/* Bytes that occur, of 256. */
static unsigned int
random_test_variety(const uint8_t *bytes, size_t size)
{
    bool occurs[256] = { false };
    unsigned int nr = 0;

    for (size_t i = 0; i < size; i++) {
        nr += !occurs[bytes[i]];
        occurs[bytes[i]] = true;
    }
    return nr;
}

TEST(random, does_not_repeat)
{
    uint64_t first = random_u64();

    for (int i = 0; i < 200; i++) {
        EXPECT(random_u64() != first);
    }
}

/* Of 256 values 1000 random bytes have 251 on average; below 230 is no luck. */
TEST(random, bytes_are_various)
{
    uint8_t bytes[RANDOM_TEST_SIZE];

    random_fill(bytes, sizeof(bytes));
    EXPECT(random_test_variety(bytes, sizeof(bytes)) >= 230);
}

TEST(random, fills_exactly_what_is_asked_for)
{
    static const uint8_t zeros[16];
    uint8_t bytes[160];

    for (size_t size = 0; size <= 130; size++) {
        memset(bytes, 0, sizeof(bytes));
        random_fill(bytes, size);
        EXPECT(memcmp(bytes + size, zeros, sizeof(zeros)) == 0);
        EXPECT(size < 32 || memcmp(bytes + size - 16, zeros, 16) != 0);
    }
}
