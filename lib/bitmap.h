/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps of any size over arrays of unsigned long.
 *
 * Bits of the last word beyond the size have no meaning and are never found
 * or counted.  Nothing here is atomic: the caller serialises writers.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include <stdbool.h>
#include <stddef.h>

#include <lib/macros.h>

#define BITMAP_LONG_BITS (8 * sizeof(unsigned long))

/* Words that hold @nbits bits; a constant expression when @nbits is one. */
#define BITMAP_LONGS(nbits) DIV_ROUND_UP((size_t)(nbits), BITMAP_LONG_BITS)

/* Visit the index @i of each set bit, rising; the body may change bits. */
#define bitmap_for_each(bm, nbits, i)                                          \
    for ((i) = bitmap_find_first(bm, nbits); (i) < (nbits);                    \
         (i) = bitmap_find_next(bm, nbits, (size_t)(i) + 1))

/*
 * The bit of @i within its word.
 */
static inline unsigned long
bitmap_mask(size_t i)
{
    return 1UL << (i % BITMAP_LONG_BITS);
}

/*
 * The valid bits of the word with index @word in a bitmap of @nbits.
 */
static inline unsigned long
bitmap_word_mask(size_t nbits, size_t word)
{
    size_t rest = nbits - word * BITMAP_LONG_BITS;

    return rest >= BITMAP_LONG_BITS ? ~0UL : bitmap_mask(rest) - 1;
}

/*
 * Clear all bits, and the unused ones of the last word.
 */
static inline void
bitmap_zero(unsigned long *bm, size_t nbits)
{
    for (size_t word = 0; word < BITMAP_LONGS(nbits); word++) {
        bm[word] = 0;
    }
}

/*
 * Set all bits below @nbits, and clear the unused ones of the last word.
 */
static inline void
bitmap_fill(unsigned long *bm, size_t nbits)
{
    for (size_t word = 0; word < BITMAP_LONGS(nbits); word++) {
        bm[word] = bitmap_word_mask(nbits, word);
    }
}

/*
 * Set bit @i.
 */
static inline void
bitmap_set(unsigned long *bm, size_t i)
{
    bm[i / BITMAP_LONG_BITS] |= bitmap_mask(i);
}

/*
 * Clear bit @i.
 */
static inline void
bitmap_clear(unsigned long *bm, size_t i)
{
    bm[i / BITMAP_LONG_BITS] &= ~bitmap_mask(i);
}

/*
 * Whether bit @i is set.
 */
static inline bool
bitmap_test(const unsigned long *bm, size_t i)
{
    return (bm[i / BITMAP_LONG_BITS] & bitmap_mask(i)) != 0;
}

/*
 * The lowest bit at or above @start that differs from @invert's bits.
 *
 * @invert  0 to look for a set bit, ~0UL for a clear one
 *
 * Returns: its index, or @nbits when there is none
 */
static inline size_t
bitmap_find_from(const unsigned long *bm, size_t nbits, size_t start,
                 unsigned long invert)
{
    unsigned long found;
    size_t i, word;

    if (start >= nbits) {
        return nbits;
    }

    word = start / BITMAP_LONG_BITS;
    found = (bm[word] ^ invert) & ~(bitmap_mask(start) - 1);
    while (found == 0) {
        word++;
        if (word >= BITMAP_LONGS(nbits)) {
            return nbits;
        }
        found = bm[word] ^ invert;
    }

    i = word * BITMAP_LONG_BITS + (size_t)__builtin_ctzl(found);
    return i < nbits ? i : nbits;
}

/*
 * The lowest set bit.
 *
 * Returns: its index, or @nbits when there is none
 */
static inline size_t
bitmap_find_first(const unsigned long *bm, size_t nbits)
{
    return bitmap_find_from(bm, nbits, 0, 0);
}

/*
 * The lowest set bit at or above @start.
 *
 * Returns: its index, or @nbits when there is none
 */
static inline size_t
bitmap_find_next(const unsigned long *bm, size_t nbits, size_t start)
{
    return bitmap_find_from(bm, nbits, start, 0);
}

/*
 * The lowest clear bit.
 *
 * Returns: its index, or @nbits when there is none
 */
static inline size_t
bitmap_find_first_zero(const unsigned long *bm, size_t nbits)
{
    return bitmap_find_from(bm, nbits, 0, ~0UL);
}

/*
 * The lowest clear bit at or above @start.
 *
 * Returns: its index, or @nbits when there is none
 */
static inline size_t
bitmap_find_next_zero(const unsigned long *bm, size_t nbits, size_t start)
{
    return bitmap_find_from(bm, nbits, start, ~0UL);
}

/*
 * The number of set bits of a word.
 *
 * By hand, because the compiler's builtin calls a library that the kernel
 * lacks unless the CPU is known to have POPCNT.  Method: Warren, Hacker's
 * Delight, "Counting 1-Bits".
 */
static inline size_t
bitmap_count_word(unsigned long word)
{
    word -= (word >> 1) & 0x5555555555555555UL;
    word = (word & 0x3333333333333333UL) + ((word >> 2) & 0x3333333333333333UL);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
    return (word * 0x0101010101010101UL) >> 56;
}

/*
 * The number of set bits below @nbits.
 */
static inline size_t
bitmap_count(const unsigned long *bm, size_t nbits)
{
    size_t count = 0;

    for (size_t word = 0; word < BITMAP_LONGS(nbits); word++) {
        count += bitmap_count_word(bm[word] & bitmap_word_mask(nbits, word));
    }
    return count;
}

/*
 * Whether no bit below @nbits is set.
 */
static inline bool
bitmap_is_empty(const unsigned long *bm, size_t nbits)
{
    return bitmap_find_first(bm, nbits) == nbits;
}

/*
 * Copy the words that hold @nbits bits.
 */
static inline void
bitmap_copy(unsigned long *dst, const unsigned long *src, size_t nbits)
{
    for (size_t word = 0; word < BITMAP_LONGS(nbits); word++) {
        dst[word] = src[word];
    }
}

/*
 * Add the bits of @src to @dst.
 */
static inline void
bitmap_or(unsigned long *dst, const unsigned long *src, size_t nbits)
{
    for (size_t word = 0; word < BITMAP_LONGS(nbits); word++) {
        dst[word] |= src[word];
    }
}

/*
 * Keep of @dst only the bits of @src.
 */
static inline void
bitmap_and(unsigned long *dst, const unsigned long *src, size_t nbits)
{
    for (size_t word = 0; word < BITMAP_LONGS(nbits); word++) {
        dst[word] &= src[word];
    }
}

#endif /* LIB_BITMAP_H */
