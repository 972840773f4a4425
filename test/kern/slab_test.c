/* SPDX-License-Identifier: MIT */
/*
 * Slab caches.
 */

#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/page.h>
#include <kern/slab.h>
#include <kern/slab_debug.h>
#include <lib/string.h>
#include <test/kern/hog.h>
#include <test/stay.h>
#include <test/test.h>

#define SLAB_TEST_SLOTS  256
#define SLAB_TEST_ROUNDS 5000
#define SLAB_TEST_SIZE   72
#define SLAB_TEST_MAGIC  0x51ab

static struct slab_cache slab_test_cache;
static void *slab_test_objects[SLAB_TEST_SLOTS];

static void
slab_test_destroy(void *arg __unused)
{
    slab_cache_destroy(&slab_test_cache);
}

/* A cache that is destroyed when the test ends. */
static struct slab_cache *
slab_test_init(struct test *t, size_t size, size_t align, unsigned int flags)
{
    slab_cache_init(&slab_test_cache, "test", size, align, flags);
    test_cleanup(t, slab_test_destroy, NULL);
    return &slab_test_cache;
}

/* Fill the slots; how many objects there were. */
static size_t
slab_test_fill(struct slab_cache *cache, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        slab_test_objects[i] = slab_alloc(cache);
        if (slab_test_objects[i] == NULL) {
            return i;
        }
    }
    return nr;
}

static void
slab_test_free(struct slab_cache *cache, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        slab_free(cache, slab_test_objects[i]);
    }
}

TEST(slab, objects_are_aligned_as_asked)
{
    static const uint16_t aligns[] = { 8, 16, 64, 256, 1024, 4096 };

    for (size_t i = 0; i < ARRAY_SIZE(aligns); i++) {
        struct slab_cache *cache = &slab_test_cache;

        slab_cache_init(cache, "test", 24, aligns[i], 0);
        ASSERT(slab_test_fill(cache, 20) == 20);
        for (size_t j = 0; j < 20; j++) {
            EXPECT(IS_ALIGNED((uintptr_t)slab_test_objects[j], aligns[i]));
        }
        slab_test_free(cache, 20);
        slab_cache_destroy(cache);
    }
}

TEST(slab, all_sizes_hold_their_bytes)
{
    for (size_t size = 1; size <= SLAB_SIZE_MAX; size += size / 2 + 1) {
        struct slab_cache *cache = &slab_test_cache;

        slab_cache_init(cache, "test", size, 0, 0);
        ASSERT(slab_test_fill(cache, 16) == 16);
        for (size_t i = 0; i < 16; i++) {
            memset(slab_test_objects[i], (int)i, size);
        }
        for (size_t i = 0; i < 16; i++) {
            const uint8_t *bytes = slab_test_objects[i];

            EXPECT(bytes[0] == i && bytes[size - 1] == i);
        }
        slab_test_free(cache, 16);
        slab_cache_destroy(cache);
    }
}

TEST(slab, destroyed_cache_leaves_no_page_behind)
{
    struct slab_cache *cache = &slab_test_cache;
    size_t nr_free;

    hog_settle();
    nr_free = page_nr_free();
    slab_cache_init(cache, "test", SLAB_TEST_SIZE, 0, 0);
    ASSERT(slab_test_fill(cache, SLAB_TEST_SLOTS) == SLAB_TEST_SLOTS);
    slab_test_free(cache, SLAB_TEST_SLOTS);
    slab_cache_destroy(cache);
    hog_settle();
    EXPECT_EQ(page_nr_free(), nr_free);
}

TEST(slab, used_objects_are_counted)
{
    struct slab_cache *cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);

    ASSERT(slab_test_fill(cache, 100) == 100);
    EXPECT_EQ(slab_nr_used(cache), 100);
    slab_test_free(cache, 60);
    EXPECT_EQ(slab_nr_used(cache), 40);
    for (size_t i = 60; i < 100; i++) {
        slab_free(cache, slab_test_objects[i]);
    }
    EXPECT_EQ(slab_nr_used(cache), 0);
}

TEST(slab, freed_object_comes_back_first)
{
    struct slab_cache *cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);
    void *first, *second = NULL;

    test_stay(t);
    first = slab_alloc(cache);
    if (first != NULL) {
        slab_free(cache, first);
        second = slab_alloc(cache);
    }
    EXPECT(first != NULL && first == second);
    if (second != NULL) {
        slab_free(cache, second);
    }
}

static unsigned int slab_test_nr_ctors;

static void
slab_test_ctor(void *object)
{
    slab_test_nr_ctors++;
    *(uint64_t *)object = SLAB_TEST_MAGIC;
}

TEST(slab, constructor_runs_once_for_each_object)
{
    struct slab_cache *cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);
    unsigned int nr_ctors;

    slab_test_nr_ctors = 0;
    slab_cache_set_ctor(cache, slab_test_ctor);
    ASSERT(slab_test_fill(cache, 50) == 50);
    nr_ctors = slab_test_nr_ctors;
    EXPECT(nr_ctors >= 50);
    slab_test_free(cache, 50);
    ASSERT(slab_test_fill(cache, 50) == 50);
    EXPECT_EQ(slab_test_nr_ctors, nr_ctors);
    for (size_t i = 0; i < 50; i++) {
        EXPECT_EQ(*(uint64_t *)slab_test_objects[i], SLAB_TEST_MAGIC);
    }
    slab_test_free(cache, 50);
}

TEST(slab, type_stable_memory_stays_under_pressure)
{
    struct slab_cache *cache =
        slab_test_init(t, SLAB_TEST_SIZE, 0, SLAB_TYPE_STABLE);
    uint64_t *object = slab_alloc(cache);
    size_t nr_slabs;

    ASSERT(object != NULL);
    *object = SLAB_TEST_MAGIC;
    slab_free(cache, object);
    nr_slabs = cache->nr_slabs;
    slab_reap();
    EXPECT_EQ(cache->nr_slabs, nr_slabs);
    EXPECT_EQ(*object, SLAB_TEST_MAGIC);
    EXPECT(page_from_ptr(object)->slab.cache == cache);
}

TEST(slab, reap_frees_what_is_not_used)
{
    struct slab_cache *cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);

    ASSERT(slab_test_fill(cache, SLAB_TEST_SLOTS) == SLAB_TEST_SLOTS);
    slab_test_free(cache, SLAB_TEST_SLOTS);
    EXPECT(cache->nr_slabs != 0);
    slab_reap();
    EXPECT_EQ(cache->nr_slabs, 0);
}

TEST(slab, exhaustion_returns_null_and_all_comes_back)
{
    struct slab_cache *cache = slab_test_init(t, 2048, 0, 0);
    struct list blocks = LIST_INITIALIZER(blocks);
    size_t nr_free, nr;

    hog_settle();
    nr_free = page_nr_free();
    hog_take_all_but(&blocks, 8);
    nr = slab_test_fill(cache, SLAB_TEST_SLOTS);
    EXPECT(nr < SLAB_TEST_SLOTS);
    slab_test_free(cache, nr);
    EXPECT_EQ(slab_nr_used(cache), 0);
    hog_give_all(&blocks);
    hog_settle();
    EXPECT_EQ(page_nr_free(), nr_free);
}

TEST(slab, pressure_takes_magazines_back)
{
    struct slab_cache *cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);
    struct list blocks = LIST_INITIALIZER(blocks);
    struct page *page;

    hog_take_all_but(&blocks, 16);
    slab_test_free(cache, slab_test_fill(cache, 50));
    while ((page = page_alloc(0, PAGE_NO_RECLAIM)) != NULL) {
        list_insert_tail(&blocks, &page->node);
    }

    page = page_alloc(0, 0);
    EXPECT(page != NULL);
    EXPECT_EQ(cache->nr_slabs, 0);
    if (page != NULL) {
        page_free(page, 0);
    }
    hog_give_all(&blocks);
}

TEST(slab, random_objects_keep_their_contents)
{
    struct slab_cache *cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);

    memset(slab_test_objects, 0, sizeof(slab_test_objects));
    for (uint64_t i = 0; i < SLAB_TEST_ROUNDS * t->iterations; i++) {
        size_t slot = rand_below(&t->rand, SLAB_TEST_SLOTS);
        uint64_t *object = slab_test_objects[slot];

        if (object == NULL) {
            object = slab_alloc(cache);
            ASSERT(object != NULL);
            object[0] = slot;
            object[SLAB_TEST_SIZE / 8 - 1] = ~slot;
            slab_test_objects[slot] = object;
            continue;
        }
        EXPECT_EQ(object[0], slot);
        EXPECT_EQ(object[SLAB_TEST_SIZE / 8 - 1], ~slot);
        slab_free(cache, object);
        slab_test_objects[slot] = NULL;
    }
    for (size_t i = 0; i < SLAB_TEST_SLOTS; i++) {
        if (slab_test_objects[i] != NULL) {
            slab_free(cache, slab_test_objects[i]);
        }
    }
    EXPECT_EQ(slab_nr_used(cache), 0);
}

/* On each CPU at once: allocate, mark, look, and free what others left. */
static _Atomic(void *) slab_test_shared[SLAB_TEST_SLOTS];
static atomic_uint slab_test_nr_bad;

static void
slab_test_churn(void *arg)
{
    struct slab_cache *cache = arg;
    uint32_t cpu = cpu_id();

    for (size_t i = 0; i < 1000; i++) {
        size_t slot = (i * 7 + cpu * 31) % SLAB_TEST_SLOTS;
        uint64_t *object = slab_alloc(cache);

        if (object != NULL) {
            *object = SLAB_TEST_MAGIC;
        }
        object = atomic_exchange(&slab_test_shared[slot], object);
        if (object == NULL) {
            continue;
        }
        if (*object != SLAB_TEST_MAGIC) {
            atomic_fetch_add(&slab_test_nr_bad, 1);
        }
        *object = 0;
        slab_free(cache, object);
    }
}

TEST(slab, objects_may_be_freed_on_another_cpu)
{
    struct slab_cache *cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);

    atomic_store(&slab_test_nr_bad, 0);
    all_cpus_run(slab_test_churn, cache);
    EXPECT_EQ(atomic_load(&slab_test_nr_bad), 0);
    for (size_t i = 0; i < SLAB_TEST_SLOTS; i++) {
        void *object = atomic_exchange(&slab_test_shared[i], NULL);

        if (object != NULL) {
            slab_free(cache, object);
        }
    }
    EXPECT_EQ(slab_nr_used(cache), 0);
}

TEST(slab, double_free_is_found)
{
    struct slab_cache *cache;
    void *object;

    if (!SLAB_IS_DEBUG) {
        SKIP("no debug build");
    }
    cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);
    object = slab_alloc(cache);
    ASSERT(object != NULL);
    EXPECT(slab_debug_check_used(cache, object) == NULL);
    slab_free(cache, object);
    EXPECT_STREQ(slab_debug_check_used(cache, object), "is freed twice");
}

TEST(slab, overrun_by_one_byte_is_found)
{
    struct slab_cache *cache;
    uint8_t *object, saved;

    if (!SLAB_IS_DEBUG || SLAB_IS_KASAN) {
        SKIP("no debug build");
    }
    cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);
    object = slab_alloc(cache);
    ASSERT(object != NULL);
    saved = object[SLAB_TEST_SIZE];
    object[SLAB_TEST_SIZE] ^= 1;
    EXPECT_STREQ(slab_debug_check_used(cache, object), "was overrun");
    object[SLAB_TEST_SIZE] = saved;
    slab_free(cache, object);
}

TEST(slab, write_to_a_free_object_is_found)
{
    struct slab_cache *cache;
    uint8_t *object, saved;

    if (!SLAB_IS_DEBUG || SLAB_IS_KASAN) {
        SKIP("no debug build");
    }
    cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);
    object = slab_alloc(cache);
    ASSERT(object != NULL);
    slab_free(cache, object);
    saved = object[SLAB_TEST_SIZE - 1];
    object[SLAB_TEST_SIZE - 1] ^= 1;
    EXPECT_STREQ(slab_debug_check_free(cache, object),
                 "was written while free");
    object[SLAB_TEST_SIZE - 1] = saved;
}

TEST(slab, leaks_are_counted)
{
    struct slab_cache *cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);

    ASSERT(slab_test_fill(cache, 3) == 3);
    slab_free(cache, slab_test_objects[0]);
    EXPECT_EQ(slab_report_leaks(cache), 2);
    slab_free(cache, slab_test_objects[1]);
    slab_free(cache, slab_test_objects[2]);
    EXPECT_EQ(slab_report_leaks(cache), 0);
}

TEST(slab, caches_are_listed_by_name)
{
    struct slab_cache *cache = slab_test_init(t, SLAB_TEST_SIZE, 0, 0);
    struct slab_stats stats;
    bool is_found = false;

    for (size_t i = 0; slab_stats_get(i, &stats); i++) {
        is_found = is_found || stats.name == cache->name;
    }
    EXPECT(is_found);
}
