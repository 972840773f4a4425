/* SPDX-License-Identifier: MIT */
/*
 * Memory of any size.
 */

#include <kern/kmalloc.h>
#include <kern/page.h>
#include <lib/string.h>
#include <test/kern/hog.h>
#include <test/test.h>

#define KMALLOC_TEST_SLOTS  128
#define KMALLOC_TEST_ROUNDS 3000
#define KMALLOC_TEST_MAX    20000

TEST(kmalloc, every_size_is_served_and_aligned)
{
    for (size_t size = 0; size <= 3 * PAGE_SIZE; size += 1 + size / 16) {
        void *ptr = kmalloc(size);

        ASSERT(ptr != NULL);
        EXPECT(IS_ALIGNED((uintptr_t)ptr, KMALLOC_ALIGN));
        EXPECT(kmalloc_size(ptr) >= size);
        memset(ptr, 0xa5, size);
        kfree(ptr);
    }
}

TEST(kmalloc, at_most_a_third_is_lost)
{
    for (size_t size = 32; size <= 2048; size++) {
        void *ptr = kmalloc(size);

        ASSERT(ptr != NULL);
        EXPECT(kmalloc_size(ptr) * 2 <= size * 3 + 2 * KMALLOC_ALIGN);
        kfree(ptr);
    }
}

TEST(kmalloc, kzalloc_clears)
{
    static const size_t sizes[] = { 1, 100, 2048, 2049, 3 * PAGE_SIZE };

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint8_t *ptr = kmalloc(sizes[i]);

        ASSERT(ptr != NULL);
        memset(ptr, 0xff, sizes[i]);
        kfree(ptr);
        ptr = kzalloc(sizes[i]);
        ASSERT(ptr != NULL);
        for (size_t j = 0; j < sizes[i]; j++) {
            ASSERT(ptr[j] == 0);
        }
        kfree(ptr);
    }
}

TEST(kmalloc, null_may_be_freed)
{
    size_t nr_free = page_nr_free();

    kfree(NULL);
    EXPECT_EQ(page_nr_free(), nr_free);
}

TEST(kmalloc, absurd_size_returns_null)
{
    EXPECT(kmalloc((size_t)1 << 62) == NULL);
    EXPECT(kzalloc(SIZE_MAX) == NULL);
}

TEST(kmalloc, exhaustion_returns_null_and_all_comes_back)
{
    static void *ptrs[KMALLOC_TEST_SLOTS];
    struct list blocks = LIST_INITIALIZER(blocks);
    size_t nr_free, nr = 0;

    hog_settle();
    nr_free = page_nr_free();
    hog_take_all_but(&blocks, 10);
    EXPECT(kmalloc((PAGE_SIZE << PAGE_ORDER_MAX)) == NULL);
    while (nr < KMALLOC_TEST_SLOTS && (ptrs[nr] = kmalloc(1000)) != NULL) {
        nr++;
    }
    EXPECT(nr < KMALLOC_TEST_SLOTS);
    while (nr > 0) {
        kfree(ptrs[--nr]);
    }
    hog_give_all(&blocks);
    hog_settle();
    EXPECT_EQ(page_nr_free(), nr_free);
}

TEST(kmalloc, random_sizes_keep_their_contents)
{
    static struct {
        uint8_t *ptr;
        size_t size;
    } slots[KMALLOC_TEST_SLOTS];
    size_t nr_free;

    hog_settle();
    nr_free = page_nr_free();
    for (uint64_t i = 0; i < KMALLOC_TEST_ROUNDS * t->iterations; i++) {
        size_t slot = rand_below(&t->rand, KMALLOC_TEST_SLOTS);

        if (slots[slot].ptr != NULL) {
            EXPECT_EQ(slots[slot].ptr[0], slot);
            EXPECT_EQ(slots[slot].ptr[slots[slot].size - 1], slot);
            kfree(slots[slot].ptr);
            slots[slot].ptr = NULL;
            continue;
        }
        slots[slot].size =
            1 +
            rand_below(&t->rand, 1 + rand_below(&t->rand, KMALLOC_TEST_MAX));
        slots[slot].ptr = kmalloc(slots[slot].size);
        if (slots[slot].ptr != NULL) {
            memset(slots[slot].ptr, (int)slot, slots[slot].size);
        }
    }
    for (size_t i = 0; i < KMALLOC_TEST_SLOTS; i++) {
        kfree(slots[i].ptr);
        slots[i].ptr = NULL;
    }
    hog_settle();
    EXPECT_EQ(page_nr_free(), nr_free);
}
