/* SPDX-License-Identifier: MIT */
/*
 * Pseudo-random numbers for tests and for spreading load: the same seed gives
 * the same sequence everywhere.  Never for secrets.
 *
 * Source: Blackman and Vigna, "Scrambled Linear Pseudorandom Number
 * Generators", xoshiro256**; seeded from SplitMix64 as they advise.
 */
#ifndef LIB_RAND_H
#define LIB_RAND_H

#include <stdint.h>

#include <lib/assert.h>
#include <lib/hash.h>

struct rand {
    uint64_t state[4];
};

/*
 * Begin the sequence of @seed; any seed will do.
 */
static inline void
rand_init(struct rand *rand, uint64_t seed)
{
    for (unsigned int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        rand->state[i] = hash_u64(seed);
    }
}

/*
 * The bits of @x, rotated to the left by @n, 1 to 63.
 */
static inline uint64_t
rand_rotate(uint64_t x, unsigned int n)
{
    return (x << n) | (x >> (64 - n));
}

/*
 * The next number of 64 bits.
 */
static inline uint64_t
rand_u64(struct rand *rand)
{
    uint64_t *s = rand->state;
    uint64_t result = rand_rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rand_rotate(s[3], 45);
    return result;
}

/*
 * The next number below @limit, which is not 0.
 *
 * Scaled by a multiplication: no division, and a bias of at most @limit in
 * 2^64.
 */
static inline uint64_t
rand_below(struct rand *rand, uint64_t limit)
{
    assert(limit != 0);

    return (uint64_t)(((unsigned __int128)rand_u64(rand) * limit) >> 64);
}

#endif /* LIB_RAND_H */
