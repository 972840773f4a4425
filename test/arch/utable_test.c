/* SPDX-License-Identifier: MIT */
/*
 * Page tables of users.  What is entered is looked at through the tables and
 * through the processor, which must have forgotten what it should.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <arch/utable.h>
#include <kern/container.h>
#include <test/arch/user_kit.h>
#include <test/test.h>

#define UTABLE_TEST_VA    UINT64_C(0x0000123440000000)
#define UTABLE_TEST_ORDER 9

#define SIZE_4K   PAGE_SIZE
#define SIZE_2M   MIB(2)
#define SIZE_1G   GIB(1)
#define SIZE_512G (SIZE_1G * 512)

static uint64_t
utable_test_lookup(struct user_kit *kit, uintptr_t va)
{
    uint64_t flags = cpu_irq_save();
    uint64_t word = utable_lookup(&kit->ut, va);

    cpu_irq_restore(flags);
    return word;
}

static bool
utable_test_is_linked(struct user_kit *kit, uintptr_t va, paddr_t node)
{
    uint64_t flags = cpu_irq_save();
    bool is_linked = utable_is_linked(&kit->ut, va, node);

    cpu_irq_restore(flags);
    return is_linked;
}

static void
utable_test_load(struct utable *ut)
{
    uint64_t flags = cpu_irq_save();

    utable_load(ut);
    cpu_irq_restore(flags);
}

/* Whether a word of the user's can be read and is @expected. */
static bool
utable_test_reads(uintptr_t va, uint64_t expected)
{
    uint64_t value = ~expected;

    return user_read_u64(va, &value) == OK && value == expected;
}

static bool
utable_test_faults(uintptr_t va)
{
    uint64_t value;

    return user_read_u64(va, &value) == ERR_FAULT;
}

static void
utable_test_pages(struct user_kit *kit)
{
    uintptr_t va = UTABLE_TEST_VA;
    uint64_t *page;

    KIT_CHECK(kit, utable_loaded() == &kit->ut);
    KIT_CHECK(kit, utable_test_faults(va));
    page = user_kit_map(kit, va, PMAP_READ | PMAP_WRITE);
    *page = 42;
    KIT_CHECK(kit, utable_test_reads(va, 42));
    KIT_CHECK(kit, user_write_u64(va + 8, 43) == OK);
    KIT_CHECK(kit, page[1] == 43);
    KIT_CHECK(kit, utable_test_faults(va + SIZE_4K));
    KIT_CHECK(kit, utable_test_faults(va - SIZE_4K));
    KIT_CHECK(kit, atomic_load(&kit->ut.nr_tables) == 4);
}

TEST(utable, pages_appear)
{
    user_kit_run(t, utable_test_pages);
}

static void
utable_test_protection(struct user_kit *kit)
{
    uintptr_t va = UTABLE_TEST_VA;

    user_kit_map(kit, va, PMAP_READ);
    KIT_CHECK(kit, utable_test_reads(va, 0));
    KIT_CHECK(kit, user_write_u64(va, 1) == ERR_FAULT);
    KIT_CHECK(kit, user_kit_clear(kit, va, va + SIZE_4K));
    user_kit_map(kit, va, 0);
    KIT_CHECK(kit, utable_test_faults(va));
    KIT_CHECK(kit, utable_test_lookup(kit, va) == 0);
}

TEST(utable, protection_is_kept)
{
    user_kit_run(t, utable_test_protection);
}

/* The processor tells what was read and written. */
static void
utable_test_accessed(struct user_kit *kit)
{
    const uint64_t both = UWORD_ACCESSED | UWORD_DIRTY;
    uintptr_t va = UTABLE_TEST_VA;

    user_kit_map(kit, va, PMAP_READ | PMAP_WRITE);
    KIT_CHECK(kit, (utable_test_lookup(kit, va) & both) == 0);
    KIT_CHECK(kit, utable_test_reads(va, 0));
    KIT_CHECK(kit, (utable_test_lookup(kit, va) & both) == UWORD_ACCESSED);
    KIT_CHECK(kit, user_write_u64(va, 1) == OK);
    KIT_CHECK(kit, (utable_test_lookup(kit, va) & both) == both);
}

TEST(utable, words_tell_what_was_accessed)
{
    user_kit_run(t, utable_test_accessed);
}

TEST(utable, words_say_what_they_are_made_for)
{
    uint64_t read = uword_make(0x5000, PMAP_READ, PMAP_WB, 0);
    uint64_t write = uword_make(0x5000, PMAP_READ | PMAP_WRITE, PMAP_WB, 0);
    uint64_t exec = uword_make(0x5000, PMAP_EXEC, PMAP_WB, 0);

    EXPECT_EQ(read & UWORD_FRAME_MASK, 0x5000);
    EXPECT(read & UWORD_PRESENT && read & UWORD_USER && !(read & UWORD_WRITE));
    EXPECT_EQ(write, read | UWORD_WRITE);
    EXPECT_EQ(exec, read & ~UWORD_NX);
    EXPECT(!(uword_make(0x5000, 0, PMAP_WB, 0) & UWORD_PRESENT));
    EXPECT(uword_make(0x5000, PMAP_READ, PMAP_UC, 0) != read);
    EXPECT(utable_level_max() >= 1 && utable_level_max() <= 2);
}

/* Someone's node is used as a table, and never freed or cleared. */
static void
utable_test_link(struct user_kit *kit)
{
    uintptr_t va = UTABLE_TEST_VA + 5 * SIZE_2M;
    struct page *node = user_kit_page(kit), *page = user_kit_page(kit);
    uint64_t *words = page_ptr(node);

    KIT_CHECK(kit, !utable_test_is_linked(kit, va, page_phys(node)));
    KIT_CHECK(kit, user_kit_link(kit, va, page_phys(node)) == OK);
    KIT_CHECK(kit, user_kit_link(kit, va, page_phys(node)) == OK);
    KIT_CHECK(kit, utable_test_is_linked(kit, va, page_phys(node)));
    KIT_CHECK(kit,
              utable_test_is_linked(kit, va + SIZE_2M - 1, page_phys(node)));
    KIT_CHECK(kit, !utable_test_is_linked(kit, va, page_phys(page)));
    KIT_CHECK(kit, !utable_test_is_linked(kit, va + SIZE_2M, page_phys(node)));

    *(uint64_t *)page_ptr(page) = 7;
    words[3] = uword_make(page_phys(page), PMAP_READ, PMAP_WB, 0);
    KIT_CHECK(kit, utable_test_reads(va + 3 * SIZE_4K, 7));
    KIT_CHECK(kit, utable_test_faults(va + 4 * SIZE_4K));
    KIT_CHECK(kit, utable_test_lookup(kit, va + 3 * SIZE_4K) == 0);

    KIT_CHECK(kit, user_kit_link(kit, va, page_phys(page)) == ERR_STATE);
    KIT_CHECK(kit, user_kit_enter(kit, va, words[3], 0) == ERR_STATE);
    KIT_CHECK(kit, !user_kit_clear(kit, va, va + 8 * SIZE_4K));
    KIT_CHECK(kit, utable_test_reads(va + 3 * SIZE_4K, 7));

    KIT_CHECK(kit, user_kit_clear(kit, va, va + SIZE_2M));
    KIT_CHECK(kit, !utable_test_is_linked(kit, va, page_phys(node)));
    KIT_CHECK(kit, utable_test_faults(va + 3 * SIZE_4K));
    KIT_CHECK(kit, words[3] & UWORD_PRESENT);
    KIT_CHECK(kit, node->state == PAGE_STATE_USED);
}

TEST(utable, nodes_are_linked)
{
    user_kit_run(t, utable_test_link);
}

/* A table that was used as such must not be used once another replaces it. */
static void
utable_test_relink(struct user_kit *kit)
{
    uintptr_t va = UTABLE_TEST_VA;
    struct page *nodes[2] = { user_kit_page(kit), user_kit_page(kit) };
    struct page *pages[2] = { user_kit_page(kit), user_kit_page(kit) };

    for (unsigned int i = 0; i < 2; i++) {
        *(uint64_t *)page_ptr(pages[i]) = i + 1;
        *(uint64_t *)page_ptr(nodes[i]) =
            uword_make(page_phys(pages[i]), PMAP_READ, PMAP_WB, 0);
    }
    for (unsigned int i = 0; i < 10; i++) {
        KIT_CHECK(kit, user_kit_link(kit, va, page_phys(nodes[i % 2])) == OK);
        KIT_CHECK(kit, utable_test_reads(va, i % 2 + 1));
        KIT_CHECK(kit, user_kit_clear(kit, va, va + SIZE_2M));
    }
}

TEST(utable, replaced_tables_are_forgotten)
{
    user_kit_run(t, utable_test_relink);
}

static void
utable_test_large(struct user_kit *kit)
{
    uintptr_t va = UTABLE_TEST_VA;
    struct page *page = page_alloc(UTABLE_TEST_ORDER, 0);
    uint64_t word, small;

    if (page == NULL) {
        return;
    }
    list_insert_tail(&kit->pages, &page->node);
    word = uword_make(page_phys(page), PMAP_READ, PMAP_WB, 1);
    small = uword_make(page_phys(page), PMAP_READ, PMAP_WB, 0);
    *((uint64_t *)page_ptr(page) + SIZE_2M / 8 - 1) = 99;

    KIT_CHECK(kit, user_kit_enter(kit, va, word, 1) == OK);
    KIT_CHECK(kit, utable_test_reads(va + SIZE_2M - 8, 99));
    KIT_CHECK(kit, atomic_load(&kit->ut.nr_tables) == 3);
    KIT_CHECK(kit, (utable_test_lookup(kit, va + SIZE_4K) & ~UWORD_ACCESSED) ==
                       (word & ~UWORD_ACCESSED));
    KIT_CHECK(kit, user_kit_enter(kit, va, small, 0) == ERR_STATE);

    /* Cleared in part it goes as a whole. */
    KIT_CHECK(kit, user_kit_clear(kit, va + SIZE_4K, va + 2 * SIZE_4K));
    KIT_CHECK(kit, utable_test_faults(va + SIZE_2M - 8));
    KIT_CHECK(kit, user_kit_enter(kit, va, small, 0) == OK);
    KIT_CHECK(kit, user_kit_enter(kit, va, word, 1) == ERR_STATE);
    KIT_CHECK(kit, user_kit_clear(kit, va, va + SIZE_2M));
    KIT_CHECK(kit, user_kit_enter(kit, va, word, 1) == OK);
    KIT_CHECK(kit, utable_test_reads(va + SIZE_2M - 8, 99));
}

TEST(utable, large_pages)
{
    user_kit_run(t, utable_test_large);
}

/* All is done in steps; what lies in the range as a whole is cut off. */
static void
utable_test_clear(struct user_kit *kit)
{
    uintptr_t va = UTABLE_TEST_VA;

    for (unsigned int i = 0; i < 40; i++) {
        user_kit_map(kit, va + i * 37 * SIZE_4K, PMAP_READ);
    }
    KIT_CHECK(kit, atomic_load(&kit->ut.nr_tables) == 6);
    for (unsigned int i = 0; i < 40; i++) {
        KIT_CHECK(kit, utable_test_reads(va + i * 37 * SIZE_4K, 0));
    }
    KIT_CHECK(kit, user_kit_clear(kit, va + SIZE_4K, va + 39 * 37 * SIZE_4K));
    KIT_CHECK(kit, atomic_load(&kit->ut.nr_tables) == 5);
    KIT_CHECK(kit, utable_test_reads(va, 0));
    KIT_CHECK(kit, utable_test_reads(va + 39 * 37 * SIZE_4K, 0));
    for (unsigned int i = 1; i < 39; i++) {
        KIT_CHECK(kit, utable_test_faults(va + i * 37 * SIZE_4K));
    }
    KIT_CHECK(kit, user_kit_clear(kit, 0, USER_END));
    KIT_CHECK(kit, atomic_load(&kit->ut.nr_tables) == 1);
    KIT_CHECK(kit, !user_kit_clear(kit, 0, USER_END));
}

TEST(utable, clears_ranges)
{
    user_kit_run(t, utable_test_clear);
}

/* The table used last is remembered; it may be gone. */
static void
utable_test_again(struct user_kit *kit)
{
    static const uint64_t sizes[] = { SIZE_2M, SIZE_1G, SIZE_512G, USER_END };
    uintptr_t va = UTABLE_TEST_VA + SIZE_4K;

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        uintptr_t start = ALIGN_DOWN(va, sizes[i]);

        *(uint64_t *)user_kit_map(kit, va, PMAP_READ) = i;
        KIT_CHECK(kit, utable_test_reads(va, i));
        KIT_CHECK(kit, user_kit_clear(kit, start, start + sizes[i]));
        KIT_CHECK(kit, utable_test_faults(va));
        KIT_CHECK(kit, !utable_test_is_linked(kit, va, 0));
    }
}

TEST(utable, pages_come_back)
{
    user_kit_run(t, utable_test_again);
}

/* What changes while other tables are loaded must not be used later. */
static void
utable_test_others(struct user_kit *kit)
{
    uintptr_t va = UTABLE_TEST_VA;
    struct utable other;

    verify(utable_init(&other, kit->ut.container) == OK);
    for (unsigned int i = 0; i < 20; i++) {
        *(uint64_t *)user_kit_map(kit, va, PMAP_READ) = i;
        KIT_CHECK(kit, utable_test_reads(va, i));
        utable_test_load(&other);
        KIT_CHECK(kit, utable_test_faults(va));
        utable_test_load(&kit->ut);
        KIT_CHECK(kit, utable_test_reads(va, i));
        utable_test_load(&other);
        KIT_CHECK(kit, user_kit_clear(kit, va, va + SIZE_4K));
        utable_test_load(&kit->ut);
        KIT_CHECK(kit, utable_test_faults(va));
    }
    utable_destroy(&other);
}

TEST(utable, changes_while_others_are_loaded)
{
    user_kit_run(t, utable_test_others);
}

#define UTABLE_TEST_SPACES 5

/* Loads of tables that are new to the processor: more than it can name. */
#define UTABLE_TEST_LOADS 4200

/* Have the numbers of all tables used up. */
static void
utable_test_use_up(struct utable *ut)
{
    for (unsigned int i = 0; i < UTABLE_TEST_LOADS; i++) {
        ut->asid_generation = 0;
        utable_test_load(ut);
    }
}

static void
utable_test_many(struct user_kit *kit)
{
    struct user_kit kits[UTABLE_TEST_SPACES];
    uintptr_t va = UTABLE_TEST_VA;

    for (unsigned int i = 0; i < UTABLE_TEST_SPACES; i++) {
        list_init(&kits[i].pages);
        verify(utable_init(&kits[i].ut, kit->ut.container) == OK);
        *(uint64_t *)user_kit_map(&kits[i], va, PMAP_READ) = i;
    }
    for (unsigned int i = 0; i < 300; i++) {
        unsigned int n = rand_u64(&kit->rand) % UTABLE_TEST_SPACES;

        utable_test_load(&kits[n].ut);
        KIT_CHECK(kit, utable_test_reads(va, n));
        if (i == 100) {
            utable_test_use_up(&kits[n].ut);
        }
    }
    utable_test_load(&kit->ut);
    KIT_CHECK(kit, utable_test_faults(va));
    for (unsigned int i = 0; i < UTABLE_TEST_SPACES; i++) {
        utable_destroy(&kits[i].ut);
        page_free(list_first_entry(&kits[i].pages, struct page, node), 0);
    }
}

/* At the same address, and more often than there are PCIDs. */
TEST(utable, spaces_are_told_apart)
{
    user_kit_run(t, utable_test_many);
}

TEST(utable, limit_of_the_container_holds)
{
    struct page *spare = NULL;
    struct container *container;
    struct utable ut;
    uint64_t flags;

    ASSERT(container_create(&container, container_root, "utable test") == OK);
    container_set_limit(container, CONTAINER_TABLES, 3);
    ASSERT(utable_init(&ut, container) == OK);
    flags = cpu_irq_save();
    EXPECT_EQ(utable_enter(&ut, UTABLE_TEST_VA, 0, 0, &spare), ERR_AGAIN);
    cpu_irq_restore(flags);
    for (unsigned int i = 0; i < 2; i++) {
        spare = utable_spare_alloc(container);
        ASSERT(spare != NULL);
        flags = cpu_irq_save();
        EXPECT_EQ(utable_enter(&ut, UTABLE_TEST_VA, 0, 0, &spare), ERR_AGAIN);
        cpu_irq_restore(flags);
        EXPECT(spare == NULL);
    }
    EXPECT(utable_spare_alloc(container) == NULL);
    EXPECT_EQ(container_used(container, CONTAINER_TABLES), 3);
    utable_destroy(&ut);
    EXPECT_EQ(container_used(container, CONTAINER_TABLES), 0);
    container_put(container);
}
