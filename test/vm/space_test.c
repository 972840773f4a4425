/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/page.h>
#include <kern/preempt.h>
#include <kern/thread.h>
#include <test/vm/space_fixture.h>
#include <vm/space_list.h>
#include <vm/space_types.h>

#define PAGES(n) ((size_t)(n) * PAGE_SIZE)

TEST(space, fresh_memory_is_zero)
{
    struct space_fixture *fixture = space_fixture_create(t);
    uintptr_t va;

    va = fixture_map_anywhere(fixture, PAGES(3));
    ASSERT(va != 0);
    EXPECT_EQ(fixture_read(va + PAGES(1)), 0);
    EXPECT_EQ(user_write_u64(va + PAGES(1), 5), OK);
    EXPECT_EQ(fixture_read(va + PAGES(1)), 5);
    EXPECT_EQ(fixture_read(va + PAGES(2)), 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 2);
}

TEST(space, unmapped_memory_is_gone)
{
    struct space_fixture *fixture = space_fixture_create(t);
    uintptr_t va;

    va = fixture_map_anywhere(fixture, PAGES(2));
    EXPECT_EQ(user_write_u64(va, 1), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(1), 2), OK);
    EXPECT_EQ(space_unmap(fixture->space, va, PAGES(1)), OK);
    EXPECT_EQ(user_write_u64(va, 1), ERR_FAULT);
    EXPECT_EQ(fixture_read(va + PAGES(1)), 2);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 1);
}

TEST(space, mapping_again_begins_with_zeros)
{
    struct space_fixture *fixture = space_fixture_create(t);

    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(4), PROT_RW), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(1), 7), OK);
    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA + PAGES(1), PAGES(1), PROT_RW),
              OK);
    EXPECT_EQ(fixture_read(FIXTURE_VA + PAGES(1)), 0);
}

TEST(space, new_mapping_replaces_nothing)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct space_mapping mapping = {
        .va = FIXTURE_VA,
        .size = PAGES(2),
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED | SPACE_MAP_NEW,
    };
    uintptr_t va;

    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA + PAGES(1), PAGES(1), PROT_RW),
              OK);
    EXPECT_EQ(space_map(fixture->space, &mapping, &va), ERR_EXISTS);
    mapping.va -= PAGES(1);
    EXPECT_EQ(space_map(fixture->space, &mapping, &va), OK);
}

TEST(space, a_hint_that_is_taken_is_only_a_hint)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct space_mapping mapping = { .va = FIXTURE_VA,
                                     .size = PAGES(2),
                                     .prot = PROT_RW };
    uintptr_t first, second;

    EXPECT_EQ(space_map(fixture->space, &mapping, &first), OK);
    EXPECT_EQ(first, FIXTURE_VA);
    EXPECT_EQ(space_map(fixture->space, &mapping, &second), OK);
    EXPECT(second != first);
}

TEST(space, bad_arguments_are_refused)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct vm_space *space;

    space = fixture->space;
    EXPECT_EQ(space_unmap(space, FIXTURE_VA + 1, PAGES(1)), ERR_INVALID);
    EXPECT_EQ(space_unmap(space, FIXTURE_VA, 0), ERR_INVALID);
    EXPECT_EQ(space_unmap(space, FIXTURE_VA, 5), ERR_INVALID);
    EXPECT_EQ(space_unmap(space, 0, PAGES(1)), ERR_RANGE);
    EXPECT_EQ(space_unmap(space, SPACE_END, PAGES(1)), ERR_RANGE);
    EXPECT_EQ(space_unmap(space, SPACE_START, SIZE_MAX & ~(PAGE_SIZE - 1)),
              ERR_RANGE);
    EXPECT_EQ(fixture_map(fixture, UINT64_C(1) << 63, PAGES(1), PROT_RW),
              ERR_RANGE);
    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(1), 0x10), ERR_INVALID);
    EXPECT_EQ(space_protect(space, FIXTURE_VA, PAGES(1), PROT_RW),
              ERR_NOT_FOUND);
    EXPECT_EQ(space_fault(space, UINT64_C(1) << 63, FAULT_READ), ERR_FAULT);
    EXPECT_EQ(space_fault(space, 0, FAULT_READ), ERR_FAULT);
}

TEST(space, protection_is_obeyed)
{
    struct space_fixture *fixture = space_fixture_create(t);
    uintptr_t va = FIXTURE_VA;

    EXPECT_EQ(fixture_map(fixture, va, PAGES(4), PROT_RW), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(1), 1), OK);
    EXPECT_EQ(space_protect(fixture->space, va, PAGES(2), PMAP_READ), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(1), 2), ERR_FAULT);
    EXPECT_EQ(user_write_u64(va, 2), ERR_FAULT);
    EXPECT_EQ(fixture_read(va + PAGES(1)), 1);
    EXPECT_EQ(user_write_u64(va + PAGES(2), 2), OK);
    EXPECT_EQ(space_protect(fixture->space, va, PAGES(2), 0), OK);
    EXPECT_EQ(fixture_read(va + PAGES(1)), UINT64_MAX);
    EXPECT_EQ(space_protect(fixture->space, va, PAGES(2), PROT_RW), OK);
    EXPECT_EQ(fixture_read(va + PAGES(1)), 1);
    EXPECT_EQ(user_write_u64(va + PAGES(1), 3), OK);
}

TEST(space, protection_of_a_hole_changes_nothing)
{
    struct space_fixture *fixture = space_fixture_create(t);
    uintptr_t va = FIXTURE_VA;

    EXPECT_EQ(fixture_map(fixture, va, PAGES(1), PROT_RW), OK);
    EXPECT_EQ(space_protect(fixture->space, va, PAGES(2), PMAP_READ),
              ERR_NOT_FOUND);
    EXPECT_EQ(user_write_u64(va, 2), OK);
}

TEST(space, a_large_reservation_is_a_handful_of_slots)
{
    struct space_fixture *fixture = space_fixture_create(t);
    size_t size = UINT64_C(1) << 46;
    uintptr_t va;
    uint64_t before;

    before = container_used(fixture->container, CONTAINER_TABLES);
    va = fixture_map_anywhere(fixture, size);
    ASSERT(va != 0);
    EXPECT(container_used(fixture->container, CONTAINER_TABLES) <= before + 2);
    EXPECT_EQ(user_write_u64(va + size / 2 + 8, 9), OK);
    EXPECT_EQ(fixture_read(va + size / 2 + 8), 9);
    EXPECT_EQ(fixture_read(va + size - 8), 0);
    EXPECT_EQ(space_unmap(fixture->space, va + PAGES(1), size - PAGES(2)), OK);
    EXPECT_EQ(fixture_read(va + size / 2 + 8), UINT64_MAX);
    EXPECT_EQ(fixture_read(va), 0);
    EXPECT_EQ(fixture_read(va + size - 8), 0);
}

TEST(space, discarded_memory_is_zero)
{
    struct space_fixture *fixture = space_fixture_create(t);
    uintptr_t va = FIXTURE_VA;

    EXPECT_EQ(fixture_map(fixture, va, PAGES(3), PROT_RW), OK);
    EXPECT_EQ(user_write_u64(va, 1), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(1), 2), OK);
    EXPECT_EQ(space_wire(fixture->space, va + PAGES(1), PAGES(1)), OK);
    EXPECT_EQ(space_discard(fixture->space, va, PAGES(3)), OK);
    EXPECT_EQ(fixture_read(va), 0);
    EXPECT_EQ(fixture_read(va + PAGES(1)), 2);
}

TEST(space, wired_memory_is_resident)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct space_mapping mapping = { .size = PAGES(5),
                                     .prot = PROT_RW,
                                     .flags = SPACE_MAP_WIRED };
    uintptr_t va;

    EXPECT_EQ(space_map(fixture->space, &mapping, &va), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 5);
}

TEST(space, query_tells_mappings_apart)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct space_info info;
    uintptr_t va = FIXTURE_VA;

    EXPECT(!space_query(fixture->space, 0, &info));
    EXPECT_EQ(fixture_map(fixture, va, PAGES(1000), PROT_RW), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(7), 2), OK);
    EXPECT_EQ(space_protect(fixture->space, va + PAGES(600), PAGES(1), 0), OK);
    ASSERT(space_query(fixture->space, 0, &info));
    EXPECT_EQ(info.va, va);
    EXPECT_EQ(info.size, PAGES(600));
    EXPECT_EQ(info.prot, PROT_RW);
    ASSERT(space_query(fixture->space, va + PAGES(600), &info));
    EXPECT_EQ(info.size, PAGES(1));
    EXPECT_EQ(info.prot, 0);
    ASSERT(space_query(fixture->space, info.va + info.size, &info));
    EXPECT_EQ(info.size, PAGES(399));
    EXPECT(!space_query(fixture->space, info.va + info.size, &info));
}

TEST(space, clones_share_until_one_writes)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct vm_space *clone;
    uintptr_t va = FIXTURE_VA;

    EXPECT_EQ(fixture_map(fixture, va, PAGES(1000), PROT_RW), OK);
    EXPECT_EQ(user_write_u64(va, 1), OK);
    EXPECT_EQ(user_write_u64(va + PAGES(900), 2), OK);
    ASSERT(space_clone(&clone, fixture->space, fixture->container, "clone") ==
           OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 2);

    space_use(clone);
    EXPECT_EQ(fixture_read(va), 1);
    EXPECT_EQ(user_write_u64(va, 10), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 3);
    space_use(fixture->space);
    EXPECT_EQ(fixture_read(va), 1);
    EXPECT_EQ(user_write_u64(va + PAGES(900), 20), OK);
    space_use(clone);
    EXPECT_EQ(fixture_read(va), 10);
    EXPECT_EQ(fixture_read(va + PAGES(900)), 2);
    space_use(NULL);
    space_put(clone);

    /* The last one that has a page keeps it. */
    space_use(fixture->space);
    EXPECT_EQ(user_write_u64(va, 3), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 2);
}

TEST(space, clone_may_be_made_in_an_empty_space)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct vm_space *other;
    struct space_info info;

    ASSERT(space_create(&other, fixture->container, "other") == OK);
    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(1000), PROT_RW), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(600), 2), OK);
    EXPECT_EQ(space_clone_into(other, fixture->space), OK);
    EXPECT_EQ(space_clone_into(other, fixture->space), ERR_EXISTS);
    EXPECT_EQ(space_clone_into(other, other), ERR_INVALID);
    EXPECT(space_query(other, 0, &info));
    EXPECT_EQ(info.size, PAGES(1000));
    space_use(other);
    EXPECT_EQ(fixture_read(FIXTURE_VA + PAGES(600)), 2);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(600), 3), OK);
    space_use(fixture->space);
    EXPECT_EQ(fixture_read(FIXTURE_VA + PAGES(600)), 2);
    space_put(other);
}

/* Nodes that the space had before do not keep a large slot from its place. */
TEST(space, clone_may_be_made_where_something_was)
{
    struct space_fixture *fixture = space_fixture_create(t);
    const size_t size = MIB(4);
    struct vm_space *other;
    struct space_info info;
    uintptr_t va = FIXTURE_VA + PAGES(3);
    struct space_mapping mapping = {
        .va = va, .size = PAGES(1), .prot = PROT_RW, .flags = SPACE_MAP_FIXED
    };

    ASSERT(space_create(&other, fixture->container, "other") == OK);
    EXPECT_EQ(space_map(other, &mapping, &va), OK);
    EXPECT_EQ(space_unmap(other, va, PAGES(1)), OK);
    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, size, PROT_RW), OK);
    EXPECT_EQ(space_clone_into(other, fixture->space), OK);
    EXPECT(space_query(other, 0, &info));
    EXPECT_EQ(info.va, FIXTURE_VA);
    EXPECT_EQ(info.size, size);
    space_put(other);
}

TEST(space, clone_that_fails_is_empty)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct vm_space *other;
    struct space_info info;
    uint64_t limit;

    ASSERT(space_create(&other, fixture->container, "other") == OK);
    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(1000), PROT_RW), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 1), OK);
    limit = container_used(fixture->container, CONTAINER_TABLES) + 1;
    container_set_limit(fixture->container, CONTAINER_TABLES, limit);
    EXPECT_EQ(space_clone_into(other, fixture->space), ERR_NO_MEMORY);
    EXPECT(!space_query(other, 0, &info));
    container_set_limit(fixture->container, CONTAINER_TABLES,
                        CONTAINER_UNLIMITED);
    EXPECT_EQ(space_clone_into(other, fixture->space), OK);
    space_put(other);
}

TEST(space, clones_get_what_is_inherited)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct vm_space *clone;
    struct space_info info;

    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(2), PROT_RW), OK);
    EXPECT_EQ(space_set_inherit(fixture->space, FIXTURE_VA, PAGES(1),
                                VM_INHERIT_NONE),
              OK);
    ASSERT(space_clone(&clone, fixture->space, fixture->container, "clone") ==
           OK);
    EXPECT(space_query(clone, 0, &info));
    EXPECT_EQ(info.va, FIXTURE_VA + PAGES(1));
    space_put(clone);
}

/* Each allocation fails once; then it works. */
TEST(space, every_limit_is_an_error)
{
    struct space_fixture *fixture = space_fixture_create(t);
    uint64_t used;
    status_t status;

    used = container_used(fixture->container, CONTAINER_TABLES);
    do {
        container_set_limit(fixture->container, CONTAINER_TABLES, used);
        status =
            fixture_map(fixture, FIXTURE_VA + PAGES(1), PAGES(600), PROT_RW);
        EXPECT(status == OK || status == ERR_NO_MEMORY);
        used++;
    } while (status != OK && used < 100);
    EXPECT_EQ(status, OK);

    container_set_limit(fixture->container, CONTAINER_PAGES, 1);
    used = container_used(fixture->container, CONTAINER_TABLES) + 8;
    container_set_limit(fixture->container, CONTAINER_TABLES, used);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(1), 1), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(2), 1), ERR_FAULT);
    EXPECT_EQ(space_unmap(fixture->space, FIXTURE_VA + PAGES(1), PAGES(1)), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(2), 1), OK);
}

TEST(space, resident_range_can_be_wired_again)
{
    struct space_fixture *fixture = space_fixture_create(t);
    const size_t nr = 4096;

    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(nr), PROT_RW), OK);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(space_wire(fixture->space, FIXTURE_VA, PAGES(nr)), OK);
        EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), nr);
    }
}

/*
 * Who walks the list may hold any lock, and be in the middle of an allocation:
 * what he has the last reference of he does not destroy.
 */
TEST(space, walker_of_the_list_destroys_none)
{
    struct vm_space *mine, *space = NULL;
    struct container *container;
    bool is_later;

    ASSERT(container_create(&container, container_root, "test") == OK);
    ASSERT(space_create(&mine, container, "test") == OK);
    do {
        space = space_list_next(space);
    } while (space != NULL && space != mine);
    ASSERT(space != NULL);
    space_put(mine);

    /* The work is this CPU's, whose thread cannot run meanwhile. */
    preempt_disable();
    space = space_list_next(space);
    is_later = mine->destroyer.is_queued;
    preempt_enable();
    EXPECT(is_later);
    if (space != NULL) {
        space_put(space);
    }
    while (container_used(container, CONTAINER_OBJECTS) != 0) {
        thread_sleep(1000000);
    }
    container_put(container);
}

TEST(space, use_of_pages_is_told)
{
    struct space_fixture *fixture = space_fixture_create(t);
    unsigned int used;

    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(1), PROT_RW), OK);
    EXPECT_EQ(space_take_used(fixture->space, FIXTURE_VA, &used),
              ERR_NOT_FOUND);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 1), OK);
    EXPECT_EQ(space_take_used(fixture->space, FIXTURE_VA, &used), OK);
    EXPECT_EQ(used, SPACE_USED_ACCESSED | SPACE_USED_DIRTY);
    EXPECT_EQ(space_take_used(fixture->space, FIXTURE_VA, &used), OK);
    EXPECT_EQ(used, 0);
    EXPECT_EQ(fixture_read(FIXTURE_VA), 1);
    EXPECT_EQ(space_take_used(fixture->space, FIXTURE_VA, &used), OK);
    EXPECT_EQ(used, SPACE_USED_ACCESSED);
}

/* A visitor of all pages, on a CPU that is not their home. */
static void
read_all_pages(void *arg)
{
    struct space_fixture *fixture = arg;
    struct test *t = fixture->t;

    space_use(fixture->space);
    for (size_t i = 0; i < 64; i++) {
        EXPECT_EQ(fixture_read(FIXTURE_VA + PAGES(i)), i + 1);
    }
    space_use(NULL);
}

TEST(space, resident_neighbours_come_with_a_fault)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct space_fault_stats before, after;
    unsigned int used;

    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(64), PROT_RW), OK);
    for (size_t i = 0; i < 64; i++) {
        EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGES(i), i + 1), OK);
    }
    /* Whoever runs this has no tables any more, or never had. */
    space_drop_tables(fixture->space);
    space_fault_stats_get(&before);
    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        struct thread_attr attr = { .pinned = true, .cpu = cpu };
        struct thread *thread;

        if (cpu_is_online(cpu)) {
            thread = thread_create("reader", read_all_pages, fixture, &attr);
            ASSERT(thread != NULL);
            thread_join(thread);
        }
    }
    space_fault_stats_get(&after);
    /* Two for the first window, one for each of the three others. */
    EXPECT(after.nr_faults - before.nr_faults <= 5 * cpu_nr_online());

    /* All of them saw one page, which is said once. */
    EXPECT_EQ(space_take_used(fixture->space, FIXTURE_VA, &used), OK);
    EXPECT(used & SPACE_USED_ACCESSED);
    EXPECT_EQ(space_take_used(fixture->space, FIXTURE_VA, &used), OK);
    EXPECT_EQ(used, 0);
}

static void
write_page(void *arg)
{
    struct space_fixture *fixture = arg;

    space_use(fixture->space);
    verify(user_write_u64(FIXTURE_VA, 1) == OK);
    space_use(NULL);
}

/* On a CPU that is not the home, so that it is said in a table of its own. */
TEST(space, write_is_remembered_without_tables)
{
    struct thread_attr attr = { .pinned = true };
    struct space_fixture *fixture;
    unsigned int used = 0;

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    fixture = space_fixture_create(t);
    EXPECT_EQ(fixture_map(fixture, FIXTURE_VA, PAGES(1), PROT_RW), OK);
    for (uint32_t i = 0; i < 3; i++) {
        struct thread *thread;

        /* The home, then the other one: first time, and again. */
        attr.cpu = i == 0 ? 0 : 1;
        thread = thread_create("writer", write_page, fixture, &attr);
        ASSERT(thread != NULL);
        thread_join(thread);
        if (i == 2) {
            space_drop_tables(fixture->space);
        }
        EXPECT_EQ(space_take_used(fixture->space, FIXTURE_VA, &used), OK);
        EXPECT(used & SPACE_USED_DIRTY);
    }
}
