/* SPDX-License-Identifier: MIT */
/*
 * Hashes for tables in memory: fast, well spread, not secret.
 */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * Spread the bits of an integer: each bit of the input changes about half of
 * the output's.  One to one, and 0 stays 0.
 *
 * Source: Stafford, "Better Bit Mixing", variant 13; the finaliser of
 * SplitMix64.
 */
static inline uint64_t
hash_u64(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/*
 * Hash a pointer.
 */
static inline uint64_t
hash_pointer(const void *ptr)
{
    return hash_u64((uintptr_t)ptr);
}

/*
 * Hash @n bytes.
 *
 * Source: Fowler, Noll, Vo, "FNV hash", variant 1a of 64 bits; mixed at the
 * end, since its own low bits are weak.
 */
static inline uint64_t
hash_bytes(const void *bytes, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const uint8_t *next = bytes;

    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ next[i]) * 0x100000001b3u;
    }
    return hash_u64(hash);
}

/*
 * Hash a string, as hash_bytes() does without its NUL.
 */
static inline uint64_t
hash_string(const char *s)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *s != '\0'; s++) {
        hash = (hash ^ (uint8_t)*s) * 0x100000001b3u;
    }
    return hash_u64(hash);
}

#endif /* LIB_HASH_H */
