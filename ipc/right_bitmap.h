/* SPDX-License-Identifier: MIT */
/*
 * Hierarchical bitmaps: the first set bit from a given one on, in a few steps.
 *
 * Each bit of the summary tells whether a word has bits; of the summary there
 * are at most RIGHT_BITMAP_SUMMARY words, which are looked at in turn.
 *
 * Invariant: a bit of the summary is set exactly if its word is not zero.
 * Nothing here is atomic: the caller serialises.
 */
#ifndef IPC_RIGHT_BITMAP_H
#define IPC_RIGHT_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#define RIGHT_BITMAP_SUMMARY 4
#define RIGHT_BITMAP_MAX     (RIGHT_BITMAP_SUMMARY * 64 * 64)

struct right_bitmap {
    uint64_t *words;
    uint64_t *summary;
    uint32_t nr_bits; /* up to RIGHT_BITMAP_MAX */
};

/* Words of memory that a bitmap needs. */
static inline uint32_t
right_bitmap_nr_words(uint32_t nr_bits)
{
    uint32_t nr_words = (nr_bits + 63) / 64;

    return nr_words + (nr_words + 63) / 64;
}

/*
 * Make a bitmap, empty.
 *
 * @words  right_bitmap_nr_words() of them, used as long as it is
 */
void right_bitmap_init(struct right_bitmap *bitmap, uint32_t nr_bits,
                       uint64_t *words);

/* Copy the bits of @from; those that @to has beyond stay. */
void right_bitmap_copy(struct right_bitmap *to,
                       const struct right_bitmap *from);

/* Set the bits from @first on up to, and without, @end. */
void right_bitmap_set_range(struct right_bitmap *bitmap, uint32_t first,
                            uint32_t end);

/* Find the last bit that is set.  Returns: nr_bits, there is none */
uint32_t right_bitmap_find_last(const struct right_bitmap *bitmap);

/* The rest of right_bitmap_find(): in words after the one of @i. */
uint32_t right_bitmap_find_after(const struct right_bitmap *bitmap, uint32_t i);

/* Set bit @i. */
static inline void
right_bitmap_set(struct right_bitmap *bitmap, uint32_t i)
{
    bitmap->words[i / 64] |= UINT64_C(1) << i % 64;
    bitmap->summary[i / 4096] |= UINT64_C(1) << i / 64 % 64;
}

/* Clear bit @i. */
static inline void
right_bitmap_clear(struct right_bitmap *bitmap, uint32_t i)
{
    bitmap->words[i / 64] &= ~(UINT64_C(1) << i % 64);
    if (bitmap->words[i / 64] == 0) {
        bitmap->summary[i / 4096] &= ~(UINT64_C(1) << i / 64 % 64);
    }
}

/* Whether bit @i is set. */
static inline bool
right_bitmap_test(const struct right_bitmap *bitmap, uint32_t i)
{
    return bitmap->words[i / 64] >> i % 64 & 1;
}

/* Find the first bit that is set.  Returns: nr_bits, there is none */
static inline uint32_t
right_bitmap_first(const struct right_bitmap *bitmap)
{
    return bitmap->words[0] != 0 ? (uint32_t)__builtin_ctzll(bitmap->words[0])
                                 : right_bitmap_find_after(bitmap, 0);
}

/*
 * Find the first bit that is set, from @i on.
 *
 * Returns: nr_bits, there is none
 */
static inline uint32_t
right_bitmap_find(const struct right_bitmap *bitmap, uint32_t i)
{
    uint64_t word;

    if (i >= bitmap->nr_bits) {
        return bitmap->nr_bits;
    }
    word = bitmap->words[i / 64] & UINT64_MAX << i % 64;
    if (word != 0) {
        return i / 64 * 64 + (uint32_t)__builtin_ctzll(word);
    }
    return right_bitmap_find_after(bitmap, i);
}

#endif /* IPC_RIGHT_BITMAP_H */
