/* SPDX-License-Identifier: MIT */
/*
 * Physical pages.
 */

#include <arch/cpu.h>
#include <arch/image.h>
#include <arch/latency.h>
#include <kern/all_cpus.h>
#include <kern/bootmem.h>
#include <kern/cpu.h>
#include <kern/numa.h>
#include <kern/page.h>
#include <lib/list.h>
#include <lib/string.h>
#include <test/kern/hog.h>
#include <test/test.h>

#define PAGE_TEST_SLOTS  64
#define PAGE_TEST_ORDERS 6
#define PAGE_TEST_ROUNDS 2000

struct page_test_slot {
    struct page *page;
    unsigned int order;
};

/* Write the address of each page at its beginning and its end. */
static void
page_test_stamp(struct page *page, unsigned int order)
{
    for (size_t i = 0; i < (size_t)1 << order; i++) {
        uint64_t *words = page_ptr(page + i);

        words[0] = page_phys(page + i);
        words[PAGE_SIZE / 8 - 1] = ~words[0];
    }
}

static bool
page_test_has_stamp(const struct page *page, unsigned int order)
{
    for (size_t i = 0; i < (size_t)1 << order; i++) {
        const uint64_t *words = page_ptr(page + i);

        if (words[0] != page_phys(page + i) ||
            words[PAGE_SIZE / 8 - 1] != ~words[0]) {
            return false;
        }
    }
    return true;
}

TEST(page, blocks_are_aligned_to_their_size)
{
    for (unsigned int order = 0; order <= 10; order++) {
        struct page *page = page_alloc(order, 0);

        ASSERT(page != NULL);
        EXPECT(IS_ALIGNED(page_phys(page), PAGE_SIZE << order));
        page_free(page, order);
    }
}

TEST(page, zero_flag_clears_every_byte)
{
    struct page *page = page_alloc(2, 0);
    const uint8_t *bytes;

    ASSERT(page != NULL);
    memset(page_ptr(page), 0xff, PAGE_SIZE << 2);
    page_free(page, 2);

    page = page_alloc(2, PAGE_ZERO);
    ASSERT(page != NULL);
    bytes = page_ptr(page);
    for (size_t i = 0; i < PAGE_SIZE << 2; i++) {
        ASSERT(bytes[i] == 0);
    }
    page_free(page, 2);
}

TEST(page, address_conversions_are_inverse)
{
    struct page *page = page_alloc(0, 0);

    ASSERT(page != NULL);
    EXPECT(page_from_phys(page_phys(page)) == page);
    EXPECT(page_from_ptr((char *)page_ptr(page) + PAGE_SIZE - 1) == page);
    EXPECT(page_exists(page_phys(page)));
    page_free(page, 0);
}

TEST(page, all_usable_ram_is_managed_or_reserved)
{
    struct bootmem_range range;
    size_t nr = 0;

    for (paddr_t addr = 0; bootmem_next_free(addr, &range); addr = range.end) {
        paddr_t base = ALIGN_UP(range.base, PAGE_SIZE);
        paddr_t end = ALIGN_DOWN(range.end, PAGE_SIZE);

        nr += base < end ? (end - base) >> PAGE_SHIFT : 0;
    }
    EXPECT_EQ(page_nr_total(), nr);
}

TEST(page, image_is_not_managed)
{
    for (const char *p = kernel_start; p < kernel_end; p += PAGE_SIZE) {
        ASSERT(page_from_phys(image_phys(p))->state == PAGE_STATE_NONE);
    }
}

TEST(page, exhaustion_takes_all_and_all_comes_back)
{
    struct list blocks = LIST_INITIALIZER(blocks);
    size_t nr_free, nr_taken = 0;
    struct page *page;

    hog_settle();
    nr_free = page_nr_free();
    hog_take_all(&blocks);
    EXPECT_EQ(page_nr_free(), page_nr_reserved());
    EXPECT(page_alloc(0, 0) == NULL);
    list_for_each_entry (&blocks, page, node) {
        nr_taken += (size_t)1 << page->order;
    }
    hog_give_all(&blocks);

    EXPECT_EQ(nr_taken, nr_free - page_nr_reserved());
    EXPECT_EQ(page_nr_free(), nr_free);
}

TEST(page, reserve_is_for_those_who_ask_for_it)
{
    struct list blocks = LIST_INITIALIZER(blocks);
    size_t nr_taken = 0;
    struct page *page;

    EXPECT(page_nr_reserved() > 0);
    EXPECT(page_nr_reserved() <= page_nr_total() / 16);
    hog_take_all(&blocks);
    EXPECT(page_alloc(0, PAGE_NO_RECLAIM) == NULL);
    EXPECT(page_alloc(1, 0) == NULL);
    while ((page = page_alloc(0, PAGE_NO_RECLAIM | PAGE_RESERVE)) != NULL) {
        list_insert_head(&blocks, &page->node);
        nr_taken++;
    }
    EXPECT_EQ(nr_taken, page_nr_reserved());
    EXPECT_EQ(page_nr_free(), 0);
    hog_give_all(&blocks);
}

/* Blocks in free lists, by order, all nodes. */
static void
page_test_count_blocks(size_t *nr_blocks)
{
    hog_settle();
    for (unsigned int order = 0; order < PAGE_NR_ORDERS; order++) {
        nr_blocks[order] = 0;
        for (uint32_t node = 0; node < numa_nr_nodes(); node++) {
            nr_blocks[order] += page_node_nr_blocks(node, order);
        }
    }
}

TEST(page, buddies_merge_again)
{
    size_t before[PAGE_NR_ORDERS], after[PAGE_NR_ORDERS];
    struct list pages = LIST_INITIALIZER(pages);

    page_test_count_blocks(before);
    for (int i = 0; i < 1000; i++) {
        struct page *page = page_alloc(0, 0);

        if (page == NULL) {
            break;
        }
        list_insert_head(&pages, &page->node);
    }
    hog_give_all(&pages);
    page_test_count_blocks(after);

    for (unsigned int order = 0; order < PAGE_NR_ORDERS; order++) {
        EXPECT_EQ(after[order], before[order]);
    }
}

TEST(page, random_blocks_never_overlap)
{
    static struct page_test_slot slots[PAGE_TEST_SLOTS];
    size_t nr_free = page_nr_free();

    for (uint64_t i = 0; i < PAGE_TEST_ROUNDS * t->iterations; i++) {
        struct page_test_slot *slot =
            &slots[rand_below(&t->rand, PAGE_TEST_SLOTS)];

        if (slot->page != NULL) {
            EXPECT(page_test_has_stamp(slot->page, slot->order));
            page_free(slot->page, slot->order);
            slot->page = NULL;
            continue;
        }
        slot->order = (unsigned int)rand_below(&t->rand, PAGE_TEST_ORDERS);
        slot->page = page_alloc(slot->order, 0);
        if (slot->page != NULL) {
            page_test_stamp(slot->page, slot->order);
        }
    }
    for (size_t i = 0; i < PAGE_TEST_SLOTS; i++) {
        if (slots[i].page != NULL) {
            EXPECT(page_test_has_stamp(slots[i].page, slots[i].order));
            page_free(slots[i].page, slots[i].order);
            slots[i].page = NULL;
        }
    }
    EXPECT_EQ(page_nr_free(), nr_free);
}

static atomic_uint page_test_nr_bad;

/* On each CPU at once: stamp some pages, look at them, free them. */
static void
page_test_churn(void *arg __unused)
{
    for (int round = 0; round < 8; round++) {
        struct list pages = LIST_INITIALIZER(pages);

        for (int i = 0; i < 40; i++) {
            struct page *page = page_alloc(0, 0);

            if (page != NULL) {
                page_test_stamp(page, 0);
                list_insert_head(&pages, &page->node);
            }
        }
        while (!list_is_empty(&pages)) {
            struct page *page = list_first_entry(&pages, struct page, node);

            if (!page_test_has_stamp(page, 0)) {
                atomic_fetch_add(&page_test_nr_bad, 1);
            }
            list_remove(&page->node);
            page_free(page, 0);
        }
    }
}

/* Whether no fewer pages are free than before. */
static bool
page_test_churn_leaves_all(void)
{
    size_t nr_free = page_nr_free();

    all_cpus_run(page_test_churn, NULL);
    /* The threads that did it are freed by others. */
    test_pause();
    return page_nr_free() >= nr_free;
}

TEST(page, all_cpus_at_once_get_pages_of_their_own)
{
    int tries = 20;

    atomic_store(&page_test_nr_bad, 0);
    /* Caches may grow by what others do meanwhile; a loss goes on for ever. */
    while (!page_test_churn_leaves_all() && tries != 0) {
        tries--;
    }
    EXPECT(tries != 0);
    EXPECT_EQ(atomic_load(&page_test_nr_bad), 0);
}

TEST(page, caches_of_cpus_are_small)
{
    size_t nr_cached = 0;

    all_cpus_run(page_test_churn, NULL);
    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        nr_cached += page_cpu_nr_cached(cpu);
    }
    EXPECT(nr_cached <= page_nr_total() / 8);
    page_drain();
    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        EXPECT_EQ(page_cpu_nr_cached(cpu), 0);
    }
}

TEST(page, interrupts_may_be_disabled)
{
    uint64_t flags = cpu_irq_save();
    struct page *page = page_alloc(0, PAGE_ZERO);

    if (page != NULL) {
        page_free(page, 0);
    }
    EXPECT(!cpu_irq_is_enabled());
    latency_excuse("debug builds fill and check a page");
    cpu_irq_restore(flags);
    EXPECT(page != NULL);
}

TEST(page, node_asked_for_is_the_node)
{
    if (numa_nr_nodes() == 1) {
        SKIP("one node");
    }
    for (uint32_t node = 0; node < numa_nr_nodes(); node++) {
        struct page *page;

        if (page_node_nr_free(node) == 0) {
            continue;
        }
        page = page_alloc_node(0, 0, node);
        ASSERT(page != NULL);
        EXPECT_EQ(page->numa_node, node);
        EXPECT_EQ(numa_node_of(page_phys(page)), node);
        page_free(page, 0);
    }
}

TEST(page, exhausted_node_falls_back)
{
    struct list pages = LIST_INITIALIZER(pages);
    uint32_t node = cpu_table[cpu_id()].node;
    struct page *page = NULL;

    if (numa_nr_nodes() == 1) {
        SKIP("one node");
    }
    for (unsigned int order = PAGE_NR_ORDERS; order > 0; order--) {
        while ((page = page_alloc_node(order - 1, PAGE_NO_RECLAIM, node)) !=
                   NULL &&
               page->numa_node == node) {
            list_insert_head(&pages, &page->node);
        }
        if (page != NULL) {
            page_free(page, order - 1);
        }
    }
    page = page_alloc(3, PAGE_NO_RECLAIM);
    EXPECT(page != NULL && page->numa_node != node);
    if (page != NULL) {
        page_free(page, 3);
    }
    hog_give_all(&pages);
}

/* Pages that the shrinkers of these tests have, and who was asked. */
static struct list page_test_pages[PAGE_NR_SHRINK_ORDERS];
static unsigned int page_test_asked;
static unsigned int page_test_asked_last; /* largest order that was asked */
static bool page_test_is_in_order;

static void
page_test_shrink(enum page_shrink_order order)
{
    page_test_is_in_order = page_test_is_in_order &&
                            order >= page_test_asked_last;
    page_test_asked_last = order;
    page_test_asked++;
    hog_give_all(&page_test_pages[order]);
}

static void
page_test_shrink_tables(void)
{
    page_test_shrink(PAGE_SHRINK_TABLES);
}

static void
page_test_shrink_kva(void)
{
    page_test_shrink(PAGE_SHRINK_KVA);
}

static void
page_test_register(void)
{
    static struct page_shrinker tables = {
        .name = "test tables",
        .order = PAGE_SHRINK_TABLES,
        .shrink = page_test_shrink_tables,
    };
    static struct page_shrinker kva = {
        .name = "test kva",
        .order = PAGE_SHRINK_KVA,
        .shrink = page_test_shrink_kva,
    };
    static bool is_registered;

    if (is_registered) {
        return;
    }
    for (size_t i = 0; i < PAGE_NR_SHRINK_ORDERS; i++) {
        list_init(&page_test_pages[i]);
    }
    page_register_shrinker(&kva);
    page_register_shrinker(&tables);
    is_registered = true;
}

/* Exhaust memory but for a page that the shrinker of an order has. */
static void
page_test_exhaust(struct list *blocks, enum page_shrink_order order)
{
    struct page *page;

    page_test_register();
    hog_take_all(blocks);
    page = list_first_entry(blocks, struct page, node);
    list_remove(&page->node);
    list_insert_head(&page_test_pages[order], &page->node);
    page_test_asked = 0;
    page_test_asked_last = 0;
    page_test_is_in_order = true;
}

TEST(page, shrinkers_are_asked_before_failure)
{
    struct list blocks = LIST_INITIALIZER(blocks);
    struct page *page;

    page_test_exhaust(&blocks, PAGE_SHRINK_KVA);
    EXPECT(page_alloc(0, PAGE_NO_RECLAIM) == NULL);
    EXPECT_EQ(page_test_asked, 0);
    page = page_alloc(0, 0);
    EXPECT_EQ(page_test_asked, 2);
    EXPECT(page_test_is_in_order);
    EXPECT(page != NULL);
    if (page != NULL) {
        page_free(page, 0);
    }
    hog_give_all(&blocks);
}

TEST(page, shrinkers_are_asked_no_further_than_needed)
{
    struct list blocks = LIST_INITIALIZER(blocks);
    struct page *page;

    page_test_exhaust(&blocks, PAGE_SHRINK_TABLES);
    page = page_alloc(0, 0);
    EXPECT_EQ(page_test_asked, 1);
    EXPECT(page != NULL);
    if (page != NULL) {
        page_free(page, 0);
    }
    hog_give_all(&blocks);
}

/* What is held back is used when nobody has anything left. */
TEST(page, shrinkers_are_asked_before_the_reserve)
{
    struct list blocks = LIST_INITIALIZER(blocks);
    struct page *page;

    page_test_exhaust(&blocks, PAGE_SHRINK_TABLES);
    page = page_alloc(0, PAGE_RESERVE);
    EXPECT_EQ(page_test_asked, 1);
    EXPECT(page_nr_free() >= page_nr_reserved());
    EXPECT(page != NULL);
    if (page != NULL) {
        page_free(page, 0);
    }
    hog_give_all(&blocks);
}
