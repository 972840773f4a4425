/* SPDX-License-Identifier: MIT */
/*
 * Pages full of zeros.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/latency.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/preempt.h>
#include <kern/thread.h>
#include <kern/zero_pool.h>
#include <lib/string.h>
#include <test/kern/hog.h>
#include <test/test.h>

static bool
page_is_zero(const struct page *page)
{
    const uint64_t *words = page_ptr(page);

    for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++) {
        if (words[i] != 0) {
            return false;
        }
    }
    return true;
}

/*
 * Put pages into the stack of this CPU, where the caller stays, until it is
 * full.  Unlike zero_pool_fill() this does not depend on what others did to
 * memory a moment ago.
 */
static bool
pool_fill(void)
{
    while (zero_pool_nr(cpu_id()) < zero_pool_size()) {
        struct page *page = page_alloc(0, PAGE_ZERO | PAGE_NO_RECLAIM);

        if (page == NULL) {
            return false;
        }
        zero_pool_put(page);
    }
    latency_excuse("clears many pages on its CPU");
    return true;
}

TEST(zero_pool, pages_are_full_of_zeros)
{
    struct list pages = LIST_INITIALIZER(pages);

    for (size_t i = 0; i < 2 * ZERO_POOL_MAX; i++) {
        struct page *page = zero_pool_get();

        ASSERT(page != NULL);
        EXPECT(page_is_zero(page));
        EXPECT_EQ(page->state, PAGE_STATE_USED);
        memset(page_ptr(page), 0x5a, PAGE_SIZE);
        list_insert_head(&pages, &page->node);
    }
    hog_give_all(&pages);
}

TEST(zero_pool, page_comes_from_the_stack)
{
    size_t before, after, nr_free;
    struct page *page;
    uint32_t cpu;

    preempt_disable();
    EXPECT(pool_fill());
    cpu = cpu_id();
    nr_free = page_node_nr_free(cpu_table[cpu].node) + page_cpu_nr_cached(cpu);
    before = zero_pool_nr(cpu);
    page = zero_pool_get();
    after = zero_pool_nr(cpu);
    EXPECT_EQ(page_node_nr_free(cpu_table[cpu].node) + page_cpu_nr_cached(cpu),
              nr_free);
    preempt_enable();
    EXPECT_EQ(before, zero_pool_size());
    EXPECT_EQ(after, before - 1);
    ASSERT(page != NULL);
    EXPECT(page_is_zero(page));
    page_free(page, 0);
}

TEST(zero_pool, full_stack_takes_no_more)
{
    struct page *page;

    preempt_disable();
    EXPECT(pool_fill());
    page = page_alloc(0, PAGE_ZERO | PAGE_NO_RECLAIM);
    if (page != NULL) {
        zero_pool_put(page);
        EXPECT_EQ(page->state, PAGE_STATE_CACHED);
    }
    EXPECT_EQ(zero_pool_nr(cpu_id()), zero_pool_size());
    EXPECT(!zero_pool_fill());
    preempt_enable();
    EXPECT(page != NULL);
}

/* Its pages are free pages in all counts. */
TEST(zero_pool, drain_gives_all_back)
{
    size_t nr_free;
    uint32_t cpu;

    preempt_disable();
    EXPECT(pool_fill());
    preempt_enable();
    page_reclaim();
    nr_free = page_nr_free();
    preempt_disable();
    EXPECT(pool_fill());
    preempt_enable();
    EXPECT_EQ(page_nr_free(), nr_free);
    zero_pool_drain();
    cpu_for_each (cpu) {
        EXPECT_EQ(zero_pool_nr(cpu), 0);
    }
    EXPECT_EQ(page_nr_free(), nr_free);
}

/* One that is not cleared yet is given back, too. */
TEST(zero_pool, drain_takes_what_is_half_done)
{
    uint64_t deadline = clock_now() + UINT64_C(30000000000);
    bool is_begun = false;

    while (!is_begun && clock_now() < deadline) {
        /* An odd number of steps for this CPU, wherever that is. */
        zero_pool_drain();
        is_begun = zero_pool_fill();
        zero_pool_drain();
        thread_sleep(is_begun ? 0 : 10000000);
    }
    EXPECT(is_begun);
}

TEST(zero_pool, given_back_before_an_allocation_fails)
{
    struct list blocks = LIST_INITIALIZER(blocks);
    size_t nr_pages = 0;
    struct page *page;

    hog_take_all(&blocks);
    for (size_t i = 0; i < 8; i++) {
        page = list_first_entry(&blocks, struct page, node);
        list_remove(&page->node);
        nr_pages += (size_t)1 << page->order;
        page_free(page, page->order);
    }
    nr_pages = MIN(nr_pages, zero_pool_size());

    preempt_disable();
    (void)pool_fill();
    preempt_enable();
    while ((page = page_alloc(0, PAGE_NO_RECLAIM)) != NULL) {
        list_insert_head(&blocks, &page->node);
    }
    for (size_t i = 0; i < nr_pages; i++) {
        page = page_alloc(0, 0);
        EXPECT(page != NULL);
        if (page != NULL) {
            list_insert_head(&blocks, &page->node);
        }
    }
    EXPECT_EQ(zero_pool_nr(0), 0);
    hog_give_all(&blocks);
}

TEST(zero_pool, idle_cpus_fill_their_stacks)
{
    uint64_t deadline = clock_now() + UINT64_C(30000000000);
    uint32_t cpu, nr_full;

    zero_pool_drain();
    do {
        thread_sleep(1000000);
        nr_full = 0;
        cpu_for_each (cpu) {
            nr_full += zero_pool_nr(cpu) == zero_pool_size();
        }
    } while (nr_full == 0 && clock_now() < deadline);
    EXPECT(nr_full != 0);
}

static atomic_bool pool_busy_stop;

static void
pool_stay_busy(void *arg)
{
    atomic_store_explicit((atomic_bool *)arg, true, memory_order_relaxed);
    while (!atomic_load(&pool_busy_stop)) {
        cpu_pause();
    }
}

/* Nobody clears pages where a thread wants to run. */
TEST(zero_pool, busy_cpu_is_not_disturbed)
{
    struct thread_attr attr = { .pinned = true };
    struct thread *thread;
    atomic_bool is_running;

    if (cpu_nr_online() == 1) {
        SKIP("one CPU");
    }
    attr.cpu = cpu_nr_possible - 1;
    if (!cpu_is_online(attr.cpu)) {
        SKIP("the last CPU is not online");
    }
    atomic_init(&is_running, false);
    atomic_store(&pool_busy_stop, false);
    thread = thread_create("busy", pool_stay_busy, &is_running, &attr);
    ASSERT(thread != NULL);
    while (!atomic_load(&is_running)) {
        test_pause();
    }
    zero_pool_drain();
    thread_sleep(ZERO_POOL_PAUSE / 100);
    EXPECT_EQ(zero_pool_nr(attr.cpu), 0);
    atomic_store(&pool_busy_stop, true);
    thread_join(thread);
}

TEST(zero_pool, nothing_is_filled_when_memory_is_short)
{
    struct list blocks = LIST_INITIALIZER(blocks);

    hog_take_all_but(&blocks, 20);
    zero_pool_drain();
    preempt_disable();
    EXPECT(!zero_pool_fill());
    EXPECT_EQ(zero_pool_nr(cpu_id()), 0);
    preempt_enable();
    hog_give_all(&blocks);
}

/* ---------------------------------------------------------------- torture */

#define TORTURE_THREADS 5
#define TORTURE_KEPT    24

struct torturer {
    struct thread *thread;
    struct rand rand;
    uint64_t nr_steps;
    struct page *kept[TORTURE_KEPT];
    uint64_t nr_bad;
};

/* Write to a page, or see that it is as it was written and free it. */
static void
torturer_step(struct torturer *self)
{
    size_t i = rand_below(&self->rand, TORTURE_KEPT);
    struct page *page = self->kept[i];
    uint64_t *words;

    if (page == NULL) {
        page = zero_pool_get();
        self->kept[i] = page;
        if (page != NULL) {
            self->nr_bad += !page_is_zero(page);
            *(uint64_t *)page_ptr(page) = (uintptr_t)&self->kept[i];
        }
        return;
    }
    words = page_ptr(page);
    self->nr_bad += words[0] != (uintptr_t)&self->kept[i];
    self->kept[i] = NULL;
    if (rand_below(&self->rand, 4) == 0) {
        page_free(page, 0);
    } else {
        words[0] = 0;
        zero_pool_put(page);
    }
}

static void
torturer_run(void *arg)
{
    struct torturer *self = arg;

    for (uint64_t i = 0; i < self->nr_steps; i++) {
        torturer_step(self);
        if (i % 64 == 0) {
            thread_sleep(rand_below(&self->rand, 100000));
        }
    }
    for (size_t i = 0; i < TORTURE_KEPT; i++) {
        if (self->kept[i] != NULL) {
            page_free(self->kept[i], 0);
            self->kept[i] = NULL;
        }
    }
}

static void
torture_run(struct test *t, struct torturer *torturers, uint64_t nr_steps)
{
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        torturers[i].nr_steps = nr_steps;
        rand_init(&torturers[i].rand, rand_u64(&t->rand));
        torturers[i].thread =
            thread_create("torture", torturer_run, &torturers[i], NULL);
        verify(torturers[i].thread != NULL);
    }
    for (size_t i = 0; i < nr_steps / 60; i++) {
        zero_pool_drain();
        thread_sleep(rand_below(&t->rand, 200000));
    }
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        thread_join(torturers[i].thread);
        EXPECT_EQ(torturers[i].nr_bad, 0);
    }
    /* What earlier tests left may be freed only now. */
    hog_settle();
}

TEST(zero_pool, torture)
{
    static struct torturer torturers[TORTURE_THREADS];
    size_t nr_free;

    memset(torturers, 0, sizeof(torturers));
    /* Stacks of threads are kept for the next. */
    torture_run(t, torturers, 0);
    nr_free = page_nr_free();
    torture_run(t, torturers, 600 * t->iterations);
    EXPECT_EQ(page_nr_free(), nr_free);
}
