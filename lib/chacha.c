/* SPDX-License-Identifier: MIT */
#include <lib/chacha.h>
#include <lib/macros.h>
#include <lib/string.h>

#define CHACHA_DOUBLE_ROUNDS 10

static inline uint32_t
chacha_rotate(uint32_t x, unsigned int n)
{
    return (x << n) | (x >> (32 - n));
}

static __always_inline void
chacha_quarter(uint32_t *x, int a, int b, int c, int d)
{
    x[a] += x[b];
    x[d] = chacha_rotate(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = chacha_rotate(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = chacha_rotate(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = chacha_rotate(x[b] ^ x[c], 7);
}

/* Columns, then diagonals; with constant indices, so that @x is registers. */
static __always_inline void
chacha_double_round(uint32_t *x)
{
    chacha_quarter(x, 0, 4, 8, 12);
    chacha_quarter(x, 1, 5, 9, 13);
    chacha_quarter(x, 2, 6, 10, 14);
    chacha_quarter(x, 3, 7, 11, 15);
    chacha_quarter(x, 0, 5, 10, 15);
    chacha_quarter(x, 1, 6, 11, 12);
    chacha_quarter(x, 2, 7, 8, 13);
    chacha_quarter(x, 3, 4, 9, 14);
}

void
chacha_block(uint32_t block[CHACHA_BLOCK_WORDS],
             const uint32_t key[CHACHA_KEY_WORDS],
             const uint32_t input[CHACHA_INPUT_WORDS])
{
    static const uint32_t constant[4] = { 0x61707865, 0x3320646e, 0x79622d32,
                                          0x6b206574 };
    uint32_t start[CHACHA_BLOCK_WORDS], x[CHACHA_BLOCK_WORDS];

    memcpy(&start[0], constant, sizeof(constant));
    memcpy(&start[4], key, CHACHA_KEY_WORDS * sizeof(*key));
    memcpy(&start[12], input, CHACHA_INPUT_WORDS * sizeof(*input));
    memcpy(x, start, sizeof(start));
    for (unsigned int i = 0; i < CHACHA_DOUBLE_ROUNDS; i++) {
        chacha_double_round(x);
    }
    for (unsigned int i = 0; i < CHACHA_BLOCK_WORDS; i++) {
        block[i] = x[i] + start[i];
    }
}
