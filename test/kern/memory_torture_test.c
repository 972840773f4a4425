/* SPDX-License-Identifier: MIT */
/*
 * Pages, kernel addresses and objects of slabs, which pass from CPU to CPU by
 * way of a few slots: nobody else writes what somebody has.
 */
#include <stdatomic.h>

#include <kern/kva.h>
#include <kern/page.h>
#include <kern/slab.h>
#include <lib/hash.h>
#include <test/test.h>

#include "torture.h"

#define MEMORY_TORTURE_SLOTS  64
#define MEMORY_TORTURE_ORDERS 4
#define MEMORY_TORTURE_CACHES 3

/* What is at the begin of a block; the last word is the hash of the first. */
struct memory_block {
    uint64_t number;
    uint64_t size; /* bytes */
};

struct memory_torture;

/* Where memory comes from. */
struct memory_source {
    /* Returns: NULL if there is none */
    struct memory_block *(*alloc)(struct torture_worker *worker);
    void (*free)(struct memory_torture *torture, struct memory_block *block);
    void (*reclaim)(void);
};

/*
 * Keys: [a] atomic   [c] constant
 */
struct memory_torture {
    struct torture torture;
    const struct memory_source *source;                         /* [c] */
    _Atomic(struct memory_block *) slots[MEMORY_TORTURE_SLOTS]; /* [a] */
    _Atomic uint64_t next_number;                               /* [a] */
    struct slab_cache caches[MEMORY_TORTURE_CACHES];
};

static uint64_t *
memory_block_last(struct memory_block *block)
{
    return (uint64_t *)((char *)block + block->size) - 1;
}

static void
memory_block_fill(struct memory_torture *torture, struct memory_block *block,
                  size_t size)
{
    block->number = atomic_fetch_add(&torture->next_number, 1);
    block->size = size;
    *memory_block_last(block) = hash_u64(block->number);
}

/* Put a block into a slot, or nothing, and free what was there. */
static void
memory_torture_round(struct torture_worker *worker)
{
    struct memory_torture *torture = worker->torture->arg;
    struct memory_block *block = NULL;

    if (rand_below(&worker->rand, 4) != 0) {
        block = torture->source->alloc(worker);
    }
    torture_dawdle(worker);
    block = atomic_exchange(
        &torture->slots[rand_below(&worker->rand, MEMORY_TORTURE_SLOTS)],
        block);
    if (block != NULL) {
        TORTURE_EXPECT(worker,
                       *memory_block_last(block) == hash_u64(block->number));
        torture->source->free(torture, block);
    }
    if (rand_below(&worker->rand, 256) == 0) {
        torture->source->reclaim();
    }
}

static void
memory_torture_free_all(struct memory_torture *torture)
{
    struct memory_block *block;
    unsigned i;

    for (i = 0; i < MEMORY_TORTURE_SLOTS; i++) {
        block = atomic_load(&torture->slots[i]);
        if (block != NULL) {
            torture->source->free(torture, block);
        }
    }
}

static struct memory_torture *
memory_torture_create(struct test *t, const struct memory_source *source)
{
    struct memory_torture *torture = torture_alloc(t, sizeof(*torture));

    torture->torture.round = memory_torture_round;
    torture->torture.rounds = 300;
    torture->torture.arg = torture;
    torture->source = source;
    return torture;
}

/* ------------------------------------------------------------------ pages */

static struct memory_block *
memory_alloc_pages(struct torture_worker *worker)
{
    unsigned order = (unsigned)rand_below(&worker->rand, MEMORY_TORTURE_ORDERS);
    struct memory_block *block;
    struct page *page;

    page = page_alloc(order, 0);
    if (page == NULL) {
        return NULL;
    }
    block = page_ptr(page);
    memory_block_fill(worker->torture->arg, block, PAGE_SIZE << order);
    return block;
}

static void
memory_free_pages(struct memory_torture *torture __unused,
                  struct memory_block *block)
{
    page_free(page_from_ptr(block), page_order(block->size));
}

TEST(page, torture_gives_each_block_to_one)
{
    static const struct memory_source source = {
        .alloc = memory_alloc_pages,
        .free = memory_free_pages,
        .reclaim = page_drain,
    };
    struct memory_torture *torture = memory_torture_create(t, &source);

    torture_run(t, &torture->torture);
    memory_torture_free_all(torture);
}

/* ------------------------------------------------------ kernel addresses */

static struct memory_block *
memory_alloc_addresses(struct torture_worker *worker)
{
    size_t size = (1 + rand_below(&worker->rand, 3)) * PAGE_SIZE;
    struct memory_block *block;
    struct kva_info info;

    block = kva_alloc(size, "torture");
    if (block == NULL) {
        return NULL;
    }
    memory_block_fill(worker->torture->arg, block, size);
    /* Without a lock: it may be missed, but the list holds. */
    if (kva_find((uintptr_t)block, &info)) {
        TORTURE_EXPECT(worker, info.base <= (uintptr_t)block);
    }
    return block;
}

static void
memory_free_addresses(struct memory_torture *torture __unused,
                      struct memory_block *block)
{
    kva_free(block);
}

TEST(kva, torture_gives_each_range_to_one)
{
    static const struct memory_source source = {
        .alloc = memory_alloc_addresses,
        .free = memory_free_addresses,
        .reclaim = kva_purge,
    };
    struct memory_torture *torture = memory_torture_create(t, &source);

    torture->torture.rounds = 100;
    torture_run(t, &torture->torture);
    memory_torture_free_all(torture);
}

/* ---------------------------------------------------------------- objects */

static struct memory_block *
memory_alloc_object(struct torture_worker *worker)
{
    struct memory_torture *torture = worker->torture->arg;
    struct slab_cache *cache =
        &torture->caches[rand_below(&worker->rand, MEMORY_TORTURE_CACHES)];
    struct memory_block *block;

    block = slab_alloc(cache);
    if (block != NULL) {
        memory_block_fill(torture, block, cache->size);
    }
    return block;
}

static void
memory_free_object(struct memory_torture *torture, struct memory_block *block)
{
    unsigned i = 0;

    while (torture->caches[i].size != block->size) {
        i++;
    }
    slab_free(&torture->caches[i], block);
}

TEST(slab, torture_gives_each_object_to_one)
{
    static const struct memory_source source = {
        .alloc = memory_alloc_object,
        .free = memory_free_object,
        .reclaim = slab_reap,
    };
    static const size_t sizes[MEMORY_TORTURE_CACHES] = { 24, 200, 2000 };
    struct memory_torture *torture = memory_torture_create(t, &source);
    unsigned i;

    for (i = 0; i < MEMORY_TORTURE_CACHES; i++) {
        slab_cache_init(&torture->caches[i], "torture", sizes[i], 0,
                        i == 1 ? SLAB_TYPE_STABLE : 0);
    }
    torture_run(t, &torture->torture);
    memory_torture_free_all(torture);
    for (i = 0; i < MEMORY_TORTURE_CACHES; i++) {
        EXPECT_EQ(slab_nr_used(&torture->caches[i]), 0);
        slab_cache_destroy(&torture->caches[i]);
    }
}
