/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <stdatomic.h>
#include <stddef.h>

#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/thread.h>
#include <vm/space_types.h>
#include <vm/survey.h>
#include <test/vm/space_fixture.h>

#define PAGES(n) ((size_t)(n) * PAGE_SIZE)

TEST(survey, ranges_are_counted_by_what_slots_say)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct survey_counts counts;
    uintptr_t va = FIXTURE_VA;

    EXPECT_EQ(fixture_map(fixture, va, PAGES(20), PROT_RW), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(3), 1), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(9), 1), OK);
    EXPECT_EQ(space_wire(fixture->space, va + PAGES(4), PAGES(2)), OK);
    survey_range(fixture->space, va + PAGES(2), va + PAGES(12), &counts);
    EXPECT_EQ(counts.nr_resident, 4);
    EXPECT_EQ(counts.nr_folded, 6);
    EXPECT_EQ(counts.nr_wired, 2);
    EXPECT_EQ(counts.nr_locked, 0);
    EXPECT_EQ(counts.nr_counted, 0);
}

TEST(survey, nodes_come_by_address_from_the_root_down)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct survey_cursor cursor;
    struct survey_node node;
    uintptr_t va = FIXTURE_VA;
    size_t gib = node_slot_size(2);
    const struct {
        uintptr_t va;
        unsigned int level;
    } expected[] = {
        { 0, 3 },  { va, 2 },       { va, 1 },
        { va, 0 }, { va + gib, 1 }, { va + gib, 0 },
    };
    size_t i = 0;

    EXPECT_EQ(fixture_map(fixture, va, 2 * gib, PROT_RW), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(3), 1), OK);
    EXPECT_EQ(user_write_u64(va + gib + PAGES(5), 1), OK);
    survey_begin(fixture->space, &cursor);
    while (survey_next_node(fixture->space, &cursor, &node)) {
        ASSERT(i < ARRAY_SIZE(expected));
        EXPECT_EQ(node.va, expected[i].va);
        EXPECT_EQ(node.level, expected[i].level);
        EXPECT_EQ(node.counts.nr_resident, node.level == 0);
        i++;
    }
    EXPECT_EQ(i, ARRAY_SIZE(expected));
}

/* On each CPU: use the same pages. */
static void
survey_touch(void *arg)
{
    struct space_fixture *fixture = arg;

    space_use(fixture->space);
    for (size_t i = 0; i < 4; i++) {
        verify(user_write_u64(FIXTURE_VA + PAGES(100 * i), i) == OK);
    }
    space_use(NULL);
}

TEST(survey, sums_are_what_is_charged)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct survey_sums sums;

    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(400), PROT_RW), OK);
    all_cpus_run(survey_touch, fixture);
    survey_sum(fixture->space, &sums);
    EXPECT_EQ(sums.nr_resident, 4);
    EXPECT(sums.nr_cpus >= cpu_nr_online());
    EXPECT_EQ(sums.nr_nodes + sums.nr_arrays + sums.nr_tables,
              container_used(fixture->container, CONTAINER_TABLES));
}

/* In a thread that stays on its CPU: use four nodes. */
static void
survey_touch_nodes(void *arg)
{
    struct space_fixture *fixture = arg;

    space_use(fixture->space);
    for (size_t i = 0; i < 4; i++) {
        verify(user_write_u64(FIXTURE_VA + PAGES(512 * i), i) == OK);
    }
    space_use(NULL);
}

/* The nodes are the page tables, and nobody is a sharer. */
TEST(survey, one_cpu_alone_has_no_second_tables)
{
    struct space_fixture *fixture = space_fixture_create(t);
    const struct thread_attr attr = { .pinned = true };
    struct survey_sums sums;
    struct thread *thread;

    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(512 * 4), PROT_RW), OK);
    thread = thread_create("touch", survey_touch_nodes, fixture, &attr);
    ASSERT(thread != NULL);
    thread_join(thread);
    survey_sum(fixture->space, &sums);
    EXPECT_EQ(sums.nr_nodes, 3 + 4);
    EXPECT_EQ(sums.nr_tables, 3);
    EXPECT_EQ(sums.nr_arrays, 0);
}

/* The bound of doc/vm.md: pages of nodes times n + 1. */
TEST(survey, n_cpus_have_no_more_tables_than_said)
{
    struct space_fixture *fixture = space_fixture_create(t);
    uint64_t nr_cpus = cpu_nr_online();
    struct survey_sums sums;

    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(512 * 4), PROT_RW), OK);
    all_cpus_run(survey_touch_nodes, fixture);
    survey_sum(fixture->space, &sums);
    EXPECT_EQ(sums.nr_nodes, 3 + 4);
    EXPECT(sums.nr_nodes + sums.nr_arrays + sums.nr_tables <=
           (3 + 4) * (nr_cpus + 1));
}

TEST(survey, the_way_to_an_address_ends_at_its_page)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct survey_slot path[SURVEY_PATH_MAX];
    uintptr_t va = FIXTURE_VA;

    EXPECT_EQ(survey_path(fixture->space, va, path), 1);
    EXPECT_EQ(fixture_map(fixture, va, PAGES(4), PROT_RW), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(3), 1), OK);
    ASSERT(survey_path(fixture->space, va + PAGES(3) + 5, path) == 4);
    EXPECT_EQ(path[3].va, va + PAGES(3));
    EXPECT_EQ(path[3].level, 0);
    EXPECT(slot_is_resident(path[3].word));
    EXPECT(path[3].home != NODE_HOME_NONE);
    EXPECT_EQ(slot_type(path[2].word), SLOT_CHILD);
}

/* ------------------------------------------------- while others change it */

#define SURVEY_STEPS 50

struct survey_churn {
    struct space_fixture *fixture;
    uint64_t steps;
    atomic_uint nr_left; /* CPUs that still change something */
    uint64_t nr_wrong;
};

static void
survey_change(struct survey_churn *churn)
{
    struct vm_space *space = churn->fixture->space;

    for (uint64_t i = 0; i < churn->steps; i++) {
        uintptr_t va = FIXTURE_VA + PAGES(512 * (i % 8));

        verify(fixture_map(churn->fixture, va, PAGES(700), PROT_RW) == OK);
        /* Others may have unmapped it. */
        (void)fixture_read(va + PAGES(600));
        verify(space_unmap(space, va, PAGES(700)) == OK);
        space_trim(space, va, va + PAGES(700));
    }
    atomic_fetch_sub(&churn->nr_left, 1);
}

static void
survey_watch(struct survey_churn *churn)
{
    struct survey_cursor cursor;
    struct survey_counts counts;
    struct survey_node node;

    do {
        uintptr_t last = 0;

        survey_begin(churn->fixture->space, &cursor);
        while (survey_next_node(churn->fixture->space, &cursor, &node)) {
            churn->nr_wrong += node.va < last || node.level > NODE_LEVEL_TOP;
            last = node.va;
        }
        survey_range(churn->fixture->space, FIXTURE_VA,
                     FIXTURE_VA + PAGES(5000), &counts);
        churn->nr_wrong += counts.nr_wired != 0;
        /* An emulator that runs CPUs in turn ends this one's. */
        cpu_pause();
    } while (atomic_load(&churn->nr_left) != 0);
}

static void
survey_churn(void *arg)
{
    struct survey_churn *churn = arg;

    space_use(churn->fixture->space);
    if (cpu_id() != 0 || cpu_nr_online() == 1) {
        survey_change(churn);
    }
    if (cpu_id() == 0) {
        survey_watch(churn);
    }
    space_use(NULL);
}

TEST(survey, others_may_change_what_is_looked_at)
{
    uint32_t nr = cpu_nr_online();
    struct survey_churn churn = {
        .steps = (SURVEY_STEPS / nr + 1) * t->iterations,
        .nr_left = nr > 1 ? nr - 1 : 1,
    };

    churn.fixture = space_fixture_create(t);
    all_cpus_run(survey_churn, &churn);
    EXPECT_EQ(churn.nr_wrong, 0);
}
