/* SPDX-License-Identifier: MIT */
/*
 * Large pages: objects in one piece, mapped by 2 MiB and 1 GiB.
 *
 * Addresses that are no RAM are never accessed: only what the tables say of
 * them is looked at.
 */
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/thread.h>
#include <vm/space_i.h>
#include <vm/survey.h>
#include <test/stay.h>
#include <test/vm/large_fixture.h>

/* Looks at a table that may have been dropped just then. */
#define LARGE_TRIES 100

/* More places than any function here has that allocate. */
#define LARGE_SITES 200

/* What this CPU's tables say of an address. */
static uint64_t
large_lookup(struct vm_space *space, uintptr_t va)
{
    uint64_t flags = cpu_irq_save();
    struct utable *ut = space_tables_this(space);
    uint64_t word = ut != NULL ? utable_lookup(ut, va) : 0;

    cpu_irq_restore(flags);
    return word;
}

/* The same, after a fault; the caller stays on its CPU. */
static uint64_t
large_fault(struct vm_space *space, uintptr_t va, unsigned int access)
{
    uint64_t word = 0;

    for (int i = 0; word == 0 && i < LARGE_TRIES; i++) {
        if (space_fault(space, va, access) != OK) {
            break;
        }
        word = large_lookup(space, va);
    }
    return word;
}

/* The terminal slot of an address. */
static struct survey_slot
large_slot(struct vm_space *space, uintptr_t va)
{
    struct survey_slot path[SURVEY_PATH_MAX];

    return path[survey_path(space, va, path) - 1];
}

/* Whether an address has a page of a level that begins at a frame. */
static bool
large_slot_is(struct vm_space *space, uintptr_t va, unsigned int level,
              paddr_t phys)
{
    struct survey_slot slot = large_slot(space, va);

    return slot.level == level && slot_is_resident(slot.word) &&
           slot_phys(slot.word) == phys;
}

/* ----------------------------------------------------------- how they come */

TEST(large_page, fault_in_a_folded_slot_enters_2_mib)
{
    struct large large;
    struct survey_counts counts;
    struct vm_space *space;
    uintptr_t va = FIXTURE_VA + LARGE_2M;
    paddr_t phys;
    uint64_t word;

    if (!large_create_phys(&large, t, 0, 2 * LARGE_2M)) {
        SKIP("no addresses but RAM");
    }
    test_stay(t);
    space = large.space->space;
    phys = object_phys(large.object->object);
    EXPECT_EQ(large_map(&large, va, 0), OK);
    word = large_fault(space, va + PAGES(5), FAULT_READ);
    EXPECT_EQ(word & (UWORD_FRAME_MASK | UWORD_LARGE | UWORD_PRESENT),
              phys | UWORD_LARGE | UWORD_PRESENT);
    EXPECT_EQ(word & UWORD_WRITE, 0);
    EXPECT_EQ(large_slot(space, va).level, 1);
    EXPECT_EQ(large_fault(space, va + LARGE_2M - 1, FAULT_READ), word);
    EXPECT_EQ(large_slot(space, va + LARGE_2M).level, 1);
    EXPECT(!slot_is_resident(large_slot(space, va + LARGE_2M).word));

    survey_range(space, va, va + 2 * LARGE_2M, &counts);
    EXPECT_EQ(counts.nr_resident, LARGE_PAGES);
    EXPECT_EQ(counts.nr_large, 1);
    EXPECT_EQ(counts.nr_folded, 1);
}

TEST(large_page, has_the_caching_of_its_object)
{
    struct large large;
    uint64_t word, small;

    if (!large_create_phys(&large, t, 0, LARGE_2M + PAGE_SIZE)) {
        SKIP("no addresses but RAM");
    }
    test_stay(t);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    word = large_fault(large.space->space, FIXTURE_VA, FAULT_READ);
    EXPECT_EQ(
        space_fault(large.space->space, FIXTURE_VA + LARGE_2M, FAULT_READ), OK);
    small = large_slot(large.space->space, FIXTURE_VA + LARGE_2M).word;
    EXPECT(word & UWORD_LARGE);
    EXPECT_EQ(small & UWORD_LARGE, 0);
    /* The slot says whether the home has it. */
    word ^= small;
    EXPECT_EQ(word & SLOT_HW_MASK & ~(UWORD_FRAME_MASK | UWORD_PRESENT),
              UWORD_LARGE);
}

TEST(large_page, is_1_gib_if_processors_have_that)
{
    unsigned int level = MIN(utable_level_max(), 2U);
    struct large large;
    struct vm_space *space;
    paddr_t phys;
    uint64_t word;

    if (!large_create_phys(&large, t, 0, 2 * LARGE_1G)) {
        SKIP("no addresses but RAM");
    }
    test_stay(t);
    space = large.space->space;
    phys = object_phys(large.object->object);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    word = large_fault(space, FIXTURE_VA + LARGE_1G + PAGES(7), FAULT_WRITE);
    EXPECT(word & UWORD_LARGE);
    EXPECT(word & UWORD_WRITE);
    EXPECT_EQ(word & UWORD_FRAME_MASK, phys + LARGE_1G);
    EXPECT(large_slot_is(space, FIXTURE_VA + LARGE_1G, level, phys + LARGE_1G));
    if (level == 2) {
        EXPECT_EQ(large_fault(space, FIXTURE_VA + 2 * LARGE_1G - 1, FAULT_READ),
                  word);
    }
}

TEST(large_page, is_as_large_as_its_frames_allow)
{
    struct large large;
    struct vm_space *space;
    paddr_t phys;

    if (!large_create_phys(&large, t, LARGE_2M, 2 * LARGE_1G)) {
        SKIP("no addresses but RAM");
    }
    space = large.space->space;
    phys = object_phys(large.object->object);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT_EQ(space_fault(space, FIXTURE_VA + PAGES(3), FAULT_READ), OK);
    EXPECT(large_slot_is(space, FIXTURE_VA, 1, phys));
}

TEST(large_page, needs_frames_that_are_aligned)
{
    struct large large;
    struct vm_space *space;
    paddr_t phys;

    if (!large_create_phys(&large, t, PAGE_SIZE, 2 * LARGE_2M)) {
        SKIP("no addresses but RAM");
    }
    space = large.space->space;
    phys = object_phys(large.object->object);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT_EQ(space_fault(space, FIXTURE_VA + PAGES(3), FAULT_READ), OK);
    EXPECT(large_slot_is(space, FIXTURE_VA + PAGES(3), 0, phys + PAGES(3)));
}

TEST(large_page, wiring_needs_one_fault_for_each)
{
    struct large large;
    struct space_fault_stats before, after;
    struct survey_counts counts;

    if (!large_create_phys(&large, t, 0, 8 * LARGE_2M)) {
        SKIP("no addresses but RAM");
    }
    space_fault_stats_get(&before);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, SPACE_MAP_WIRED), OK);
    space_fault_stats_get(&after);
    survey_range(large.space->space, FIXTURE_VA, FIXTURE_VA + 8 * LARGE_2M,
                 &counts);
    EXPECT_EQ(counts.nr_large, 8);
    EXPECT_EQ(counts.nr_wired, 8);
    EXPECT_EQ(counts.nr_resident, 8 * LARGE_PAGES);
    EXPECT(after.nr_faults - before.nr_faults < LARGE_PAGES);
}

/* Tables for small pages from a mapping that was there before. */
static void
large_use_small(void *arg)
{
    struct large *large = arg;

    for (size_t i = 0; i < 4; i++) {
        verify(space_fault(large->space->space,
                           FIXTURE_VA + i * LARGE_2M / 2 + PAGES(i),
                           FAULT_READ) == OK);
    }
}

static void
large_use_large(void *arg)
{
    struct large *large = arg;
    struct test *t = large->t;

    EXPECT(large_fault(large->space->space, FIXTURE_VA, FAULT_READ) &
           UWORD_LARGE);
}

TEST(large_page, tables_of_small_pages_make_way)
{
    struct large large;
    struct vm_space *space;

    if (!large_create_phys(&large, t, 0, LARGE_1G)) {
        SKIP("no addresses but RAM");
    }
    space = large.space->space;
    EXPECT_EQ(fixture_map(large.space, FIXTURE_VA, LARGE_1G, PROT_RW), OK);
    all_cpus_run(large_use_small, &large);
    /* In parts, so that tables are not cut off. */
    for (size_t i = 0; i < 4; i++) {
        EXPECT_EQ(space_unmap(space, FIXTURE_VA + i * LARGE_1G / 4,
                              LARGE_1G / 4),
                  OK);
    }
    space_trim(space, FIXTURE_VA, FIXTURE_VA + LARGE_1G);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT_EQ(large_slot(space, FIXTURE_VA).level, 2);
    all_cpus_run(large_use_large, &large);
}

TEST(large_page, small_pages_follow_a_large_one)
{
    struct large large;

    if (!large_create_phys(&large, t, 0, LARGE_1G)) {
        SKIP("no addresses but RAM");
    }
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    all_cpus_run(large_use_large, &large);
    EXPECT_EQ(fixture_map(large.space, FIXTURE_VA, LARGE_1G, PROT_RW), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(3), 9), OK);
    EXPECT_EQ(fixture_read(FIXTURE_VA + PAGES(3)), 9);
    EXPECT_EQ(fixture_read(FIXTURE_VA + LARGE_1G / 2), 0);
}

/* ----------------------------------------------------------- what they show */

TEST(large_page, memory_is_that_of_the_object)
{
    struct large large;

    if (!large_create_ram(&large, t, 2 * LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    large_fill(&large);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT(large_shows(0, 2 * LARGE_PAGES));
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(700), 5), OK);
    EXPECT_EQ(*large_ram(&large, 700), 5);
    EXPECT(large_slot_is(large.space->space, FIXTURE_VA, 1,
                         object_phys(large.object->object)));
    EXPECT_EQ(container_used(large.space->container, CONTAINER_PAGES), 0);
}

TEST(large_page, unmapping_a_part_leaves_the_rest)
{
    struct large large;
    struct survey_counts counts;

    if (!large_create_ram(&large, t, 2 * LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    large_fill(&large);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT(large_shows(0, 2 * LARGE_PAGES));
    EXPECT_EQ(
        space_unmap(large.space->space, FIXTURE_VA + PAGES(100), PAGES(3)), OK);
    survey_range(large.space->space, FIXTURE_VA, FIXTURE_VA + 2 * LARGE_2M,
                 &counts);
    EXPECT_EQ(counts.nr_resident, 2 * LARGE_PAGES - 3);
    EXPECT_EQ(counts.nr_large, 1);
    for (uint64_t i = 100; i < 103; i++) {
        EXPECT_EQ(fixture_read(FIXTURE_VA + PAGES(i)), UINT64_MAX);
    }
    EXPECT(large_shows(0, 100));
    EXPECT(large_shows(103, 2 * LARGE_PAGES));
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(99), 5), OK);
    EXPECT_EQ(*large_ram(&large, 99), 5);
}

TEST(large_page, parts_of_1_gib_stay_as_large_as_they_can)
{
    struct large large;
    struct survey_counts counts;
    struct vm_space *space;
    paddr_t phys;

    if (!large_create_phys(&large, t, 0, LARGE_1G)) {
        SKIP("no addresses but RAM");
    }
    if (utable_level_max() < 2) {
        SKIP("no pages of 1 GiB");
    }
    space = large.space->space;
    phys = object_phys(large.object->object);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT_EQ(space_fault(space, FIXTURE_VA, FAULT_READ), OK);
    EXPECT_EQ(space_unmap(space, FIXTURE_VA + 7 * LARGE_2M + PAGES(9),
                          PAGE_SIZE),
              OK);
    survey_range(space, FIXTURE_VA, FIXTURE_VA + LARGE_1G, &counts);
    EXPECT_EQ(counts.nr_resident, LARGE_PAGES * LARGE_PAGES - 1);
    EXPECT_EQ(counts.nr_large, LARGE_PAGES - 1);
    EXPECT(large_slot_is(space, FIXTURE_VA + 8 * LARGE_2M, 1,
                         phys + 8 * LARGE_2M));
    EXPECT(large_slot_is(space, FIXTURE_VA + 7 * LARGE_2M + PAGES(8), 0,
                         phys + 7 * LARGE_2M + PAGES(8)));
    EXPECT_EQ(space_fault(space, FIXTURE_VA + 7 * LARGE_2M + PAGES(9),
                          FAULT_READ),
              ERR_FAULT);
    EXPECT_EQ(space_fault(space, FIXTURE_VA + LARGE_1G - 1, FAULT_WRITE), OK);
}

TEST(large_page, protecting_a_part_leaves_the_rest)
{
    struct large large;
    struct vm_space *space;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    large_fill(&large);
    space = large.space->space;
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 1), OK);
    EXPECT_EQ(space_protect(space, FIXTURE_VA + PAGES(5), PAGES(2), PMAP_READ),
              OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(5), 0), ERR_FAULT);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(6), 0), ERR_FAULT);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(4), 5), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(7), 8), OK);
    EXPECT(large_shows(0, LARGE_PAGES));
}

TEST(large_page, protecting_the_whole_keeps_it)
{
    struct large large;
    struct vm_space *space;
    paddr_t phys;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    space = large.space->space;
    phys = object_phys(large.object->object);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 1), OK);
    EXPECT_EQ(space_protect(space, FIXTURE_VA, LARGE_2M, PMAP_READ), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 2), ERR_FAULT);
    EXPECT_EQ(fixture_read(FIXTURE_VA), 1);
    EXPECT_EQ(space_protect(space, FIXTURE_VA, LARGE_2M, 0), OK);
    EXPECT_EQ(fixture_read(FIXTURE_VA), UINT64_MAX);
    EXPECT_EQ(space_protect(space, FIXTURE_VA, LARGE_2M, PROT_RW), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 3), OK);
    EXPECT(large_slot_is(space, FIXTURE_VA, 1, phys));
}

TEST(large_page, discarding_a_part_leaves_the_rest)
{
    struct large large;
    struct survey_counts counts;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    large_fill(&large);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT(large_shows(0, LARGE_PAGES));
    EXPECT_EQ(space_discard(large.space->space, FIXTURE_VA + PAGES(10),
                            PAGES(4)),
              OK);
    survey_range(large.space->space, FIXTURE_VA, FIXTURE_VA + LARGE_2M,
                 &counts);
    EXPECT_EQ(counts.nr_resident, LARGE_PAGES - 4);
    EXPECT(large_shows(0, LARGE_PAGES));
}

TEST(large_page, private_mapping_copies_the_page_that_is_written)
{
    struct large large;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    large_fill(&large);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, SPACE_MAP_PRIVATE), OK);
    EXPECT(large_shows(0, LARGE_PAGES));
    EXPECT_EQ(large_slot(large.space->space, FIXTURE_VA).level, 1);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(20), 5), OK);
    EXPECT_EQ(fixture_read(FIXTURE_VA + PAGES(20)), 5);
    EXPECT_EQ(*large_ram(&large, 20), 21);
    EXPECT(large_shows(0, 20));
    EXPECT(large_shows(21, LARGE_PAGES));
    EXPECT_EQ(container_used(large.space->container, CONTAINER_PAGES), 1);
}

/* Have the clone of a space, which takes its place. */
static void
large_clone(struct large *large)
{
    struct space_fixture *fixture = large->space;
    struct vm_space *clone;

    verify(space_clone(&clone, fixture->space, fixture->container, "clone") ==
           OK);
    space_use(clone);
    space_put(fixture->space);
    fixture->space = clone;
}

TEST(large_page, clone_has_the_same_memory_by_large_pages)
{
    struct large large;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    large_fill(&large);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT(large_shows(0, LARGE_PAGES));
    large_clone(&large);
    EXPECT(large_shows(0, LARGE_PAGES));
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(3), 77), OK);
    EXPECT_EQ(*large_ram(&large, 3), 77);
    EXPECT(large_slot_is(large.space->space, FIXTURE_VA, 1,
                         object_phys(large.object->object)));
}

TEST(large_page, clone_of_a_private_mapping_has_its_copies)
{
    struct large large;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    large_fill(&large);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, SPACE_MAP_PRIVATE), OK);
    EXPECT(large_shows(0, LARGE_PAGES));
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(3), 77), OK);
    large_clone(&large);
    EXPECT(large_shows(0, 3));
    EXPECT_EQ(fixture_read(FIXTURE_VA + PAGES(3)), 77);
    EXPECT(large_shows(4, LARGE_PAGES));
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(4), 78), OK);
    EXPECT_EQ(*large_ram(&large, 4), 5);
}

TEST(large_page, dropped_tables_are_filled_again)
{
    struct large large;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    large_fill(&large);
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT(large_shows(0, LARGE_PAGES));
    space_drop_tables(large.space->space);
    EXPECT(large_shows(0, LARGE_PAGES));
    EXPECT_EQ(space_unmap(large.space->space, FIXTURE_VA, LARGE_2M), OK);
    EXPECT_EQ(fixture_read(FIXTURE_VA), UINT64_MAX);
}

/* On each CPU: look at one page. */
static void
large_read_one(void *arg)
{
    struct large *large = arg;

    space_use(large->space->space);
    verify(fixture_read(FIXTURE_VA + PAGES(cpu_id() % LARGE_PAGES)) !=
           UINT64_MAX);
    space_use(NULL);
}

TEST(large_page, use_is_collected_from_all_cpus)
{
    struct large large;
    struct vm_space *space;
    unsigned int used;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    space = large.space->space;
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT_EQ(space_take_used(space, FIXTURE_VA, &used), ERR_NOT_FOUND);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(400), 1), OK);
    EXPECT_EQ(space_take_used(space, FIXTURE_VA, &used), OK);
    EXPECT_EQ(used, SPACE_USED_ACCESSED | SPACE_USED_DIRTY);
    EXPECT_EQ(space_take_used(space, FIXTURE_VA, &used), OK);
    EXPECT_EQ(used, 0);
    all_cpus_run(large_read_one, &large);
    EXPECT_EQ(space_take_used(space, FIXTURE_VA + PAGES(400), &used), OK);
    EXPECT_EQ(used, SPACE_USED_ACCESSED);
    EXPECT_EQ(space_take_used(space, FIXTURE_VA, &used), OK);
    EXPECT_EQ(used, 0);
    EXPECT_EQ(large_slot(space, FIXTURE_VA).level, 1);
}

TEST(large_page, write_is_remembered_without_tables)
{
    struct large large;
    struct vm_space *space;
    unsigned int used;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    space = large.space->space;
    EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 1), OK);
    EXPECT_EQ(space_take_used(space, FIXTURE_VA, &used), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(9), 1), OK);
    space_drop_tables(space);
    EXPECT_EQ(space_take_used(space, FIXTURE_VA, &used), OK);
    EXPECT(used & SPACE_USED_DIRTY);
}

TEST(large_page, fails_at_each_allocation_and_loses_nothing)
{
    struct large large;
    struct fail fail;
    status_t status = OK;
    uint64_t at = 0;

    if (!FAIL_IS_BUILT) {
        SKIP("needs DEBUG=1");
    }
    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    large_fill(&large);
    do {
        EXPECT_EQ(large_map(&large, FIXTURE_VA, 0), OK);
        EXPECT(large_shows(0, LARGE_PAGES));
        fail_begin_at(&fail, at++);
        status =
            space_unmap(large.space->space, FIXTURE_VA + PAGES(8), PAGES(8));
        fail_end(&fail);
        EXPECT(status == OK ||
               (status == ERR_NO_MEMORY && fail.nr_failed != 0));
        EXPECT(large_shows(0, status == OK ? 8 : LARGE_PAGES));
        EXPECT_EQ(space_unmap(large.space->space, FIXTURE_VA, LARGE_2M), OK);
        space_trim(large.space->space, FIXTURE_VA, FIXTURE_VA + LARGE_2M);
        ASSERT(at < LARGE_SITES);
    } while (fail.nr_failed != 0);
    EXPECT(at > 2);
}

/* ------------------------------------------------------ who is interrupted */

typedef status_t (*large_change_fn_t)(struct vm_space *space);

/* A large page is used by the first @nr_users CPUs, and taken away by one. */
struct large_shoot {
    struct large *large;
    large_change_fn_t change;
    uint32_t nr_users;
    uint32_t caller;
    uint64_t nr_sent;     /* interrupts */
    uint64_t nr_expected; /* of them */
};

static void
large_shoot_use(void *arg)
{
    const struct large_shoot *shoot = arg;

    /* All have tables. */
    space_use(shoot->large->space->space);
    verify(user_write_u64(FIXTURE_VA + LARGE_1G + PAGES(cpu_id()), 1) == OK);
    if (cpu_id() < shoot->nr_users) {
        verify(fixture_read(FIXTURE_VA + PAGES(cpu_id() % LARGE_PAGES)) !=
               UINT64_MAX);
    }
    space_use(NULL);
}

/* Whether a CPU cannot be told from one that uses the page. */
static bool
large_shoot_is_user(const struct large_shoot *shoot, uint32_t cpu)
{
    for (uint32_t user = 0; user < shoot->nr_users; user++) {
        if (shoot_group(user) == shoot_group(cpu)) {
            return true;
        }
    }
    return false;
}

/* On the caller's CPU. */
static void
large_shoot_change(void *arg)
{
    struct large_shoot *shoot = arg;
    struct shoot_stats before, after;
    uint32_t cpu;

    shoot->nr_expected = 0;
    cpu_for_each (cpu) {
        shoot->nr_expected += cpu != cpu_id() &&
                              large_shoot_is_user(shoot, cpu);
    }
    shoot_stats_get_cpu(cpu_id(), &before);
    verify(shoot->change(shoot->large->space->space) == OK);
    shoot_stats_get_cpu(cpu_id(), &after);
    shoot->nr_sent = after.nr_interrupts - before.nr_interrupts;
}

static void
large_shoot_round(struct large_shoot *shoot, uint32_t nr_users)
{
    struct thread_attr attr = { .pinned = true };
    struct test *t = shoot->large->t;
    struct thread *thread;

    shoot->nr_users = nr_users;
    verify(large_map(shoot->large, FIXTURE_VA, 0) == OK);
    all_cpus_run(large_shoot_use, shoot);
    attr.cpu = (5 * nr_users + 1) % cpu_nr_online();
    thread = thread_create("shoot", large_shoot_change, shoot, &attr);
    verify(thread != NULL);
    thread_join(thread);
    EXPECT_EQ(shoot->nr_sent, shoot->nr_expected);
    verify(space_unmap(shoot->large->space->space, FIXTURE_VA, LARGE_2M) == OK);
    /* Folded again: it may be a large page again. */
    space_trim(shoot->large->space->space, FIXTURE_VA, FIXTURE_VA + LARGE_2M);
}

static void
large_shoot_run(struct test *t, large_change_fn_t change)
{
    struct large large;
    struct large_shoot shoot = { .large = &large, .change = change };
    uint32_t step = 1 + cpu_nr_online() / 8;

    if (!large_create_ram(&large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    /* What was unmapped is looked through later, which interrupts, too. */
    EXPECT_EQ(
        fixture_map(large.space, FIXTURE_VA + LARGE_1G, LARGE_2M, PROT_RW), OK);
    for (uint32_t nr = 0; nr <= cpu_nr_online(); nr += step) {
        large_shoot_round(&shoot, nr);
    }
}

static status_t
large_unmap_all(struct vm_space *space)
{
    return space_unmap(space, FIXTURE_VA, LARGE_2M);
}

static status_t
large_unmap_part(struct vm_space *space)
{
    return space_unmap(space, FIXTURE_VA + PAGES(3), PAGES(70));
}

static status_t
large_protect_all(struct vm_space *space)
{
    return space_protect(space, FIXTURE_VA, LARGE_2M, 0);
}

TEST(large_page, unmap_interrupts_exactly_those_who_use_it)
{
    large_shoot_run(t, large_unmap_all);
}

TEST(large_page, unmap_of_a_part_interrupts_the_same)
{
    large_shoot_run(t, large_unmap_part);
}

TEST(large_page, protect_interrupts_exactly_those_who_use_it)
{
    large_shoot_run(t, large_protect_all);
}
