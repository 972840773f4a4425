/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include <lib/chacha.h>
#include <test/test.h>

/* RFC 8439, "Test Vector for the ChaCha20 Block Function". */
TEST(chacha, block_is_that_of_the_standard)
{
    static const uint32_t key[CHACHA_KEY_WORDS] = {
        0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
        0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c,
    };
    static const uint32_t input[CHACHA_INPUT_WORDS] = { 1, 0x09000000,
                                                        0x4a000000, 0 };
    static const uint32_t expected[CHACHA_BLOCK_WORDS] = {
        0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033,
        0x9aaa2204, 0x4e6cd4c3, 0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
        0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2,
    };
    uint32_t block[CHACHA_BLOCK_WORDS];

    chacha_block(block, key, input);
    for (unsigned int i = 0; i < CHACHA_BLOCK_WORDS; i++) {
        EXPECT_EQ(block[i], expected[i]);
    }
}
