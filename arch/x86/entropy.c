/* SPDX-License-Identifier: MIT */
/*
 * RDSEED, else RDRAND.  Both may have nothing for a moment.
 *
 * Source: Intel SDM vol. 1, "Random Number Generator Instructions".
 */
#include <arch/entropy.h>

#include "cpuid.h"

#define ENTROPY_TRIES 10

static bool
entropy_seed(uint64_t *bits)
{
    bool is_valid;

    __asm__ volatile("rdseed %0" : "=r"(*bits), "=@ccc"(is_valid) : : "cc");
    return is_valid;
}

static bool
entropy_random(uint64_t *bits)
{
    bool is_valid;

    __asm__ volatile("rdrand %0" : "=r"(*bits), "=@ccc"(is_valid) : : "cc");
    return is_valid;
}

/* Ask until there is something, or too often. */
static bool
entropy_try(bool (*ask)(uint64_t *bits), uint64_t *bits)
{
    uint64_t got;

    for (unsigned int i = 0; i < ENTROPY_TRIES; i++) {
        if (ask(&got)) {
            *bits = got;
            return true;
        }
    }
    return false;
}

bool
entropy_read(uint64_t *bits)
{
    if (cpuid_has(CPUID_RDSEED) && entropy_try(entropy_seed, bits)) {
        return true;
    }
    return cpuid_has(CPUID_RDRAND) && entropy_try(entropy_random, bits);
}
