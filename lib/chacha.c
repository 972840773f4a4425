/* SPDX-License-Identifier: MIT */
#include <lib/chacha.h>
#include <lib/string.h>

#define CHACHA_DOUBLE_ROUNDS 10

static inline uint32_t
chacha_rotate(uint32_t x, unsigned int n)
{
    return (x << n) | (x >> (32 - n));
}

static inline void
chacha_quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = chacha_rotate(*d ^ *a, 16);
    *c += *d;
    *b = chacha_rotate(*b ^ *c, 12);
    *a += *b;
    *d = chacha_rotate(*d ^ *a, 8);
    *c += *d;
    *b = chacha_rotate(*b ^ *c, 7);
}

/* Columns, then diagonals. */
static void
chacha_double_round(uint32_t *x)
{
    for (unsigned int i = 0; i < 4; i++) {
        chacha_quarter(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
    }
    for (unsigned int i = 0; i < 4; i++) {
        chacha_quarter(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4],
                       &x[12 + (i + 3) % 4]);
    }
}

void
chacha_block(uint32_t block[CHACHA_BLOCK_WORDS],
             const uint32_t key[CHACHA_KEY_WORDS],
             const uint32_t input[CHACHA_INPUT_WORDS])
{
    static const uint32_t constant[4] = { 0x61707865, 0x3320646e, 0x79622d32,
                                          0x6b206574 };
    uint32_t start[CHACHA_BLOCK_WORDS];

    memcpy(&start[0], constant, sizeof(constant));
    memcpy(&start[4], key, CHACHA_KEY_WORDS * sizeof(*key));
    memcpy(&start[12], input, CHACHA_INPUT_WORDS * sizeof(*input));
    memcpy(block, start, sizeof(start));
    for (unsigned int i = 0; i < CHACHA_DOUBLE_ROUNDS; i++) {
        chacha_double_round(block);
    }
    for (unsigned int i = 0; i < CHACHA_BLOCK_WORDS; i++) {
        block[i] += start[i];
    }
}
