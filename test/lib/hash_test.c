/* SPDX-License-Identifier: MIT */
/*
 * Hashes, checksums and pseudo-random numbers.
 */
#include <stddef.h>
#include <stdint.h>

#include <lib/bitmap.h>
#include <lib/checksum.h>
#include <lib/hash.h>
#include <lib/rand.h>
#include <test/test.h>

TEST(hash, each_bit_changes_many)
{
    for (unsigned int bit = 0; bit < 64; bit++) {
        uint64_t changed = hash_u64(1234567) ^ hash_u64(1234567 ^ 1ul << bit);

        EXPECT(bitmap_count_word(changed) >= 12);
        EXPECT(bitmap_count_word(changed) <= 52);
    }
}

TEST(hash, string_and_bytes_agree)
{
    EXPECT_EQ(hash_string("port"), hash_bytes("port", 4));
    EXPECT_EQ(hash_string(""), hash_bytes(NULL, 0));
}

TEST(hash, order_matters)
{
    EXPECT(hash_string("ab") != hash_string("ba"));
}

TEST(checksum, sums_modulo_256)
{
    static const uint8_t bytes[] = { 0xff, 0x02, 0x80, 0x80 };

    EXPECT_EQ(checksum_bytes(bytes, sizeof(bytes)), 1);
    EXPECT_EQ(checksum_bytes(bytes, 2), 1);
    EXPECT_EQ(checksum_bytes(bytes, 0), 0);
}

/* The first number of SplitMix64 with seed 0, from its authors' program. */
TEST(rand, state_begins_as_splitmix64)
{
    struct rand rand;

    rand_init(&rand, 0);
    EXPECT_EQ(rand.state[0], 0xe220a8397b1dcdafu);
}

/* The first numbers from the state 1, 2, 3, 4, by the definition. */
TEST(rand, sequence_is_xoshiro256)
{
    struct rand rand = { .state = { 1, 2, 3, 4 } };

    EXPECT_EQ(rand_u64(&rand), 11520);
    EXPECT_EQ(rand_u64(&rand), 0);
    EXPECT_EQ(rand_u64(&rand), 1509978240);
}

TEST(rand, same_seed_same_sequence)
{
    struct rand a, b;

    rand_init(&a, 42);
    rand_init(&b, 42);
    for (unsigned int i = 0; i < 100; i++) {
        EXPECT_EQ(rand_u64(&a), rand_u64(&b));
    }
}

TEST(rand, below_hits_all_and_only_below)
{
    unsigned long seen = 0;

    for (unsigned int i = 0; i < 1000; i++) {
        uint64_t number = rand_below(&t->rand, 10);

        EXPECT(number < 10);
        seen |= 1ul << number % 64;
    }
    EXPECT_EQ(seen, 0x3ff);
    EXPECT_EQ(rand_below(&t->rand, 1), 0);
}
