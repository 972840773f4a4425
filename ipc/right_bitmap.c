/* SPDX-License-Identifier: MIT */
/*
 * What is too long to be inlined of hierarchical bitmaps.
 */
#include <lib/assert.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <ipc/right_bitmap.h>

static uint32_t
right_bitmap_words(const struct right_bitmap *bitmap)
{
    return (bitmap->nr_bits + 63) / 64;
}

void
right_bitmap_init(struct right_bitmap *bitmap, uint32_t nr_bits,
                  uint64_t *words)
{
    uint32_t i;

    assert(nr_bits <= RIGHT_BITMAP_MAX);

    for (i = 0; i < right_bitmap_nr_words(nr_bits); i++) {
        words[i] = 0;
    }
    bitmap->nr_bits = nr_bits;
    bitmap->words = words;
    bitmap->summary = words + right_bitmap_words(bitmap);
}

/* Copy bits of an array, and leave those behind as they are. */
static void
right_bitmap_copy_bits(uint64_t *to, const uint64_t *from, uint32_t nr_bits)
{
    uint32_t nr_words = nr_bits / 64;
    uint64_t mask;

    memcpy(to, from, nr_words * sizeof(*to));
    if (nr_bits % 64 != 0) {
        mask = (UINT64_C(1) << nr_bits % 64) - 1;
        to[nr_words] = (to[nr_words] & ~mask) | (from[nr_words] & mask);
    }
}

void
right_bitmap_copy(struct right_bitmap *to, const struct right_bitmap *from)
{
    uint32_t nr_bits = MIN(to->nr_bits, from->nr_bits), last = nr_bits / 64;

    right_bitmap_copy_bits(to->words, from->words, nr_bits);
    right_bitmap_copy_bits(to->summary, from->summary, last);
    if (nr_bits % 64 != 0) {
        to->summary[last / 64] &= ~(UINT64_C(1) << last % 64);
        to->summary[last / 64] |= (uint64_t)(to->words[last] != 0) << last % 64;
    }
}

void
right_bitmap_set_range(struct right_bitmap *bitmap, uint32_t first,
                       uint32_t end)
{
    uint32_t i;

    for (i = first; i < end; i++) {
        right_bitmap_set(bitmap, i);
    }
}

uint32_t
right_bitmap_find_last(const struct right_bitmap *bitmap)
{
    uint32_t i, word;

    for (i = (right_bitmap_words(bitmap) + 63) / 64; i-- > 0;) {
        if (bitmap->summary[i] != 0) {
            word = i * 64 + 63 - (uint32_t)__builtin_clzll(bitmap->summary[i]);
            return word * 64 + 63 -
                   (uint32_t)__builtin_clzll(bitmap->words[word]);
        }
    }
    return bitmap->nr_bits;
}

uint32_t
right_bitmap_find_after(const struct right_bitmap *bitmap, uint32_t i)
{
    uint32_t word = i / 64 + 1;
    uint64_t bits;

    while (word < right_bitmap_words(bitmap)) {
        bits = bitmap->summary[word / 64] & UINT64_MAX << word % 64;
        if (bits != 0) {
            word = word / 64 * 64 + (uint32_t)__builtin_ctzll(bits);
            return word * 64 + (uint32_t)__builtin_ctzll(bitmap->words[word]);
        }
        word = (word / 64 + 1) * 64;
    }
    return bitmap->nr_bits;
}
