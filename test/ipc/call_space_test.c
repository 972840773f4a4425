/* SPDX-License-Identifier: MIT */
/*
 * System calls of spaces, as programs see them.
 */
#include <arch/user_copy.h>
#include <kern/fail.h>
#include <kern/thread.h>
#include <ipc/calls.h>
#include <ipc/memory_object.h>
#include <ipc/space_object.h>
#include <portolan/space.h>
#include <test/ipc/call_fixture.h>
#include <test/test.h>
#include <vm/object.h>

#define PAGES(n) ((size_t)(n) * PAGE_SIZE)
#define RW       (PORTOLAN_SPACE_READ | PORTOLAN_SPACE_WRITE)
#define NONE     CALL_SELF

/* An address with room around it, not in anybody's arena. */
#define PLACE UINT64_C(0x200000000000)

/* More places than any call here has that allocate. */
#define SITES 200

/* Map memory of the caller's. */
static long
map_anonymous(uintptr_t at, size_t size, uint32_t flags)
{
    return call_space_map(CALL_SELF, at, size, flags, NONE, 0);
}

/* The caller's right to the space of a second task. */
static uint32_t
space_of_other(struct task_fixture *fixture, struct container *container)
{
    struct task *task = call_fixture_task(fixture, container);
    uint32_t right = call_fixture_right(&task->object);
    long space = call_task_space(right, 0, 0);

    verify(space >= 0);
    return (uint32_t)space;
}

/* Describe what is mapped at or above an address. */
static long
query(struct task_fixture *fixture, uint32_t space, uintptr_t at,
      struct portolan_space_info *info)
{
    long error = call_space_query(space, at, fixture->memory);

    if (error == 0) {
        verify(user_copy_in(info, fixture->memory, sizeof(*info)) == 0);
    }
    return error;
}

/* ------------------------------------------------------------- task_space */

TEST(call_space, space_of_a_task_is_one_object)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *task = call_fixture_task(fixture, fixture->container);
    uint32_t right = call_fixture_right(&task->object);
    struct kobject *first, *second;
    long a, b;

    a = call_task_space(right, 0, 0);
    b = call_task_space(right, 10, PORTOLAN_RIGHT_CLOEXEC);
    EXPECT_EQ(a, 1);
    EXPECT_EQ(b, 10);
    ASSERT(call_get_object((uint32_t)a, KOBJECT_SPACE, &first) == 0);
    ASSERT(call_get_object((uint32_t)b, KOBJECT_SPACE, &second) == 0);
    EXPECT(first == second);
    EXPECT(space_of_object(first) == task->space);
    EXPECT_STREQ(first->name, "other");
    kobject_put(first);
    kobject_put(second);
}

TEST(call_space, own_space_can_be_given_away)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct kobject *object;
    long name = call_task_space(CALL_SELF, 0, 0);

    ASSERT(name >= 0);
    ASSERT(call_get_object((uint32_t)name, KOBJECT_SPACE, &object) == 0);
    EXPECT(space_of_object(object) == fixture->task->space);
    kobject_put(object);
}

TEST(call_space, only_tasks_have_spaces)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t space = space_of_other(fixture, fixture->container);

    EXPECT_EQ(call_task_space(space, 0, 0), CALL_EBADF);
    EXPECT_EQ(call_task_space(77, 0, 0), CALL_EBADF);
    EXPECT_EQ(call_task_space(CALL_SELF, 0, 0x80000000), CALL_EINVAL);
    EXPECT_EQ(call_task_space(CALL_SELF, UINT32_C(1) << 20, 0), CALL_EMFILE);
}

TEST(call_space, task_that_ended_has_no_space)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *task = call_fixture_task(fixture, fixture->container);
    uint32_t right = call_fixture_right(&task->object);

    task_end(task, PORTOLAN_TASK_KILLED, 0);
    EXPECT_EQ(call_task_space(right, 0, 0), CALL_ESRCH);
}

/* Who has a right to the space cannot keep what the task was charged for. */
TEST(call_space, end_of_a_task_empties_its_space)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct task *task = call_fixture_task(fixture, fixture->container);
    uint32_t right = call_fixture_right(&task->object);
    long space = call_task_space(right, 0, 0);
    struct portolan_space_info info;
    uint64_t used;

    ASSERT(space >= 0);
    EXPECT_EQ(query(fixture, (uint32_t)space, 0, &info), CALL_ENOENT);
    used = container_used(fixture->container, CONTAINER_PAGES);
    EXPECT_EQ(call_space_map((uint32_t)space, PLACE, PAGES(3),
                             RW | PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_WIRED,
                             NONE, 0),
              PLACE);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), used + 3);
    task_end(task, PORTOLAN_TASK_KILLED, 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), used);
    EXPECT_EQ(query(fixture, (uint32_t)space, 0, &info), CALL_ENOENT);
    EXPECT_EQ(call_space_read((uint32_t)space, PLACE, fixture->memory,
                              PAGES(1)),
              CALL_EFAULT);
    /* It is a space still. */
    EXPECT_EQ(call_space_map((uint32_t)space, PLACE, PAGES(1),
                             RW | PORTOLAN_SPACE_FIXED, NONE, 0),
              PLACE);
}

/* -------------------------------------------------------------- space_map */

TEST(call_space, map_chooses_an_address)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);
    long at = map_anonymous(0, PAGES(2), RW);

    ASSERT(at > 0);
    EXPECT_EQ(call_fixture_read((uintptr_t)at), 0);
    EXPECT_EQ(user_write_u64((uintptr_t)at + PAGES(1), 7), OK);
    EXPECT_EQ(call_fixture_read((uintptr_t)at + PAGES(1)), 7);
}

TEST(call_space, map_takes_a_wish_for_an_address)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);
    long other;

    EXPECT_EQ(map_anonymous(PLACE, PAGES(1), RW), PLACE);
    other = map_anonymous(PLACE, PAGES(1), RW);
    EXPECT(other > 0 && (uintptr_t)other != PLACE);
    EXPECT(map_anonymous(PLACE + 1, PAGES(1), RW) > 0);
    EXPECT(map_anonymous(UINTPTR_MAX, PAGES(1), RW) > 0);
    EXPECT(map_anonymous(USER_END - PAGES(1), PAGES(1), RW) > 0);
}

TEST(call_space, fixed_map_replaces_unless_it_is_to_be_new)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);
    const uint32_t fixed = RW | PORTOLAN_SPACE_FIXED;

    EXPECT_EQ(map_anonymous(PLACE, PAGES(2), fixed | PORTOLAN_SPACE_NEW),
              PLACE);
    EXPECT_EQ(user_write_u64(PLACE, 1), OK);
    EXPECT_EQ(map_anonymous(PLACE, PAGES(1), fixed | PORTOLAN_SPACE_NEW),
              CALL_EEXIST);
    EXPECT_EQ(call_fixture_read(PLACE), 1);
    EXPECT_EQ(map_anonymous(PLACE, PAGES(1), fixed), PLACE);
    EXPECT_EQ(call_fixture_read(PLACE), 0);
}

TEST(call_space, map_refuses_what_makes_no_sense)
{
    static const struct {
        uintptr_t at;
        size_t size;
        uint32_t flags;
        uint64_t offset;
        long error;
    } cases[] = {
        { PLACE, 0, RW, 0, CALL_EINVAL },
        { PLACE, 1, RW, 0, CALL_EINVAL },
        { PLACE, PAGE_SIZE + 1, RW, 0, CALL_EINVAL },
        { PLACE, PAGE_SIZE, RW, 1, CALL_EINVAL },
        { PLACE, PAGE_SIZE, RW, PAGE_SIZE, CALL_EINVAL },
        { PLACE, PAGE_SIZE, 0x8, 0, CALL_EINVAL },
        { PLACE, PAGE_SIZE, RW | 0x400, 0, CALL_EINVAL },
        { PLACE, PAGE_SIZE, 0x80000000, 0, CALL_EINVAL },
        { PLACE, PAGE_SIZE, RW | PORTOLAN_SPACE_NEW, 0, CALL_EINVAL },
        { PLACE, PAGE_SIZE, RW | PORTOLAN_SPACE_INHERIT_SHARE, 0, CALL_EINVAL },
        { PLACE, PAGE_SIZE,
          RW | PORTOLAN_SPACE_INHERIT_SHARE | PORTOLAN_SPACE_INHERIT_NONE, 0,
          CALL_EINVAL },
        { PLACE + 8, PAGE_SIZE, RW | PORTOLAN_SPACE_FIXED, 0, CALL_EINVAL },
        { PLACE, USER_END, RW, 0, CALL_ENOMEM },
        { PLACE, ALIGN_DOWN(SIZE_MAX, PAGE_SIZE), RW, 0, CALL_ENOMEM },
        { PLACE, ALIGN_DOWN(SIZE_MAX, PAGE_SIZE), RW | PORTOLAN_SPACE_FIXED, 0,
          CALL_ENOMEM },
        { 0, PAGE_SIZE, RW | PORTOLAN_SPACE_FIXED, 0, CALL_ENOMEM },
        { USER_END - PAGE_SIZE, PAGE_SIZE, RW | PORTOLAN_SPACE_FIXED, 0,
          CALL_ENOMEM },
        { USER_END, PAGE_SIZE, RW | PORTOLAN_SPACE_FIXED, 0, CALL_ENOMEM },
        { DIRECT_MAP_BASE, PAGE_SIZE, RW | PORTOLAN_SPACE_FIXED, 0,
          CALL_ENOMEM },
    };
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_space_info info;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        EXPECT_EQ(call_space_map(CALL_SELF, cases[i].at, cases[i].size,
                                 cases[i].flags, NONE, cases[i].offset),
                  cases[i].error);
    }
    EXPECT_EQ(query(fixture, CALL_SELF, 0, &info), 0);
    EXPECT_EQ(info.address, fixture->memory);
    EXPECT_EQ(query(fixture, CALL_SELF, info.address + info.size, &info),
              CALL_ENOENT);
}

TEST(call_space, only_spaces_are_mapped_into)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t right = call_fixture_right(&fixture->task->object);

    EXPECT_EQ(call_space_map(right, 0, PAGES(1), RW, NONE, 0), CALL_EBADF);
    EXPECT_EQ(call_space_map(99, 0, PAGES(1), RW, NONE, 0), CALL_EBADF);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGES(1), RW, right, 0), CALL_EBADF);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGES(1), RW, 99, 0), CALL_EBADF);
    EXPECT_EQ(call_space_unmap(right, PLACE, PAGES(1)), CALL_EBADF);
    EXPECT_EQ(call_space_protect(right, PLACE, PAGES(1), RW), CALL_EBADF);
    EXPECT_EQ(call_space_advise(right, PLACE, PAGES(1),
                                PORTOLAN_ADVICE_DISCARD),
              CALL_EBADF);
    EXPECT_EQ(call_space_query(right, 0, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_space_read(right, PLACE, fixture->memory, 8), CALL_EBADF);
    EXPECT_EQ(call_space_write(right, PLACE, fixture->memory, 8), CALL_EBADF);
    EXPECT_EQ(call_space_clone(CALL_SELF, right), CALL_EBADF);
    EXPECT_EQ(call_space_clone(right, CALL_SELF), CALL_EBADF);
}

TEST(call_space, map_of_wired_memory_meets_the_limit)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint64_t used = container_used(fixture->container, CONTAINER_PAGES);
    struct portolan_space_info info;

    container_set_limit(fixture->container, CONTAINER_PAGES, used + 4);
    EXPECT_EQ(map_anonymous(PLACE, PAGES(5),
                            RW | PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_WIRED),
              CALL_ENOMEM);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), used);
    container_set_limit(fixture->container, CONTAINER_PAGES, used + 6);
    EXPECT_EQ(map_anonymous(PLACE, PAGES(4),
                            RW | PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_WIRED),
              PLACE);
    EXPECT_EQ(query(fixture, CALL_SELF, PLACE, &info), 0);
    EXPECT_EQ(info.flags, RW | PORTOLAN_SPACE_WIRED);
    container_set_limit(fixture->container, CONTAINER_PAGES,
                        CONTAINER_UNLIMITED);
}

/* What is mapped in a space is the space's, whoever maps it. */
TEST(call_space, mapping_is_charged_to_the_space)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct container *container;
    uint64_t mine;
    uint32_t space;

    ASSERT(container_create(&container, container_root, "theirs") == OK);
    space = space_of_other(fixture, container);
    mine = container_used(fixture->container, CONTAINER_PAGES);
    EXPECT_EQ(call_space_map(space, PLACE, PAGES(8),
                             RW | PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_WIRED,
                             NONE, 0),
              PLACE);
    EXPECT_EQ(container_used(container, CONTAINER_PAGES), 8);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), mine);
    container_put(container);
}

/* ---------------------------------------------------- space_map of objects */

/* The caller's right to an object of some pages, that allows @prot. */
static uint32_t
memory_right(struct task_fixture *fixture, uint64_t nr_pages, unsigned int prot)
{
    struct vm_object *memory;
    struct kobject *object;
    uint32_t right;

    verify(object_create_anon(&memory, fixture->container, "pages", nr_pages) ==
           OK);
    object_restrict(memory, prot);
    verify(memory_object_create(&object, memory, 0, fixture->container) == OK);
    right = call_fixture_right(object);
    kobject_put(object);
    return right;
}

TEST(call_space, mappings_of_an_object_show_the_same_pages)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t memory = memory_right(fixture, 4, PMAP_READ | PMAP_WRITE);
    long a = call_space_map(CALL_SELF, 0, PAGES(4), RW, memory, 0);
    long b = call_space_map(CALL_SELF, 0, PAGES(2), RW, memory, PAGES(2));
    long c = call_space_map(CALL_SELF, 0, PAGES(1), RW | PORTOLAN_SPACE_PRIVATE,
                            memory, PAGES(3));

    ASSERT(a > 0 && b > 0 && c > 0);
    EXPECT_EQ(user_write_u64((uintptr_t)a + PAGES(3), 5), OK);
    EXPECT_EQ(call_fixture_read((uintptr_t)b + PAGES(1)), 5);
    EXPECT_EQ(call_fixture_read((uintptr_t)c), 5);
    EXPECT_EQ(user_write_u64((uintptr_t)c, 6), OK);
    EXPECT_EQ(call_fixture_read((uintptr_t)b + PAGES(1)), 5);
}

TEST(call_space, mapping_outlives_the_right)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t memory = memory_right(fixture, 1, PMAP_READ | PMAP_WRITE);
    long at = call_space_map(CALL_SELF, 0, PAGES(1), RW, memory, 0);

    ASSERT(at > 0);
    EXPECT_EQ(user_write_u64((uintptr_t)at, 5), OK);
    EXPECT_EQ(right_table_close(&fixture->task->rights, memory), OK);
    EXPECT_EQ(kobject_sync(CLOCK_NEVER), OK);
    EXPECT_EQ(call_fixture_read((uintptr_t)at), 5);
}

TEST(call_space, object_is_mapped_as_far_as_it_allows)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t memory = memory_right(fixture, 1, PMAP_READ);
    long at;

    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGES(1), RW, memory, 0),
              CALL_EACCES);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGES(1), PORTOLAN_SPACE_EXEC,
                             memory, 0),
              CALL_EACCES);
    at = call_space_map(CALL_SELF, 0, PAGES(1), PORTOLAN_SPACE_READ, memory, 0);
    ASSERT(at > 0);
    EXPECT_EQ(call_space_protect(CALL_SELF, (uintptr_t)at, PAGES(1), RW),
              CALL_EACCES);
    EXPECT_EQ(user_write_u64((uintptr_t)at, 5), ERR_FAULT);
    EXPECT(call_space_map(CALL_SELF, 0, PAGES(1), RW | PORTOLAN_SPACE_PRIVATE,
                          memory, 0) > 0);
}

TEST(call_space, offsets_in_objects_are_checked)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t memory = memory_right(fixture, 4, PMAP_READ | PMAP_WRITE);
    const uint64_t end = OBJECT_ANON_MAX * PAGE_SIZE;
    const uint64_t last = ALIGN_DOWN(UINT64_MAX, PAGE_SIZE);

    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGES(1), RW, memory, 1),
              CALL_EINVAL);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGES(1), RW, memory, end),
              CALL_ENXIO);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGES(2), RW, memory,
                             end - PAGE_SIZE),
              CALL_ENXIO);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGES(1), RW, memory, last),
              CALL_EOVERFLOW);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, 0, RW, memory, last), CALL_EINVAL);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, 8, RW, memory, 0), CALL_EINVAL);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, ALIGN_DOWN(SIZE_MAX, PAGE_SIZE), RW,
                             memory, PAGE_SIZE),
              CALL_EOVERFLOW);
    EXPECT_EQ(call_space_map(CALL_SELF, USER_END, PAGES(1),
                             RW | PORTOLAN_SPACE_FIXED, memory, 0),
              CALL_ENOMEM);
}

/* ---------------------------------------------------------- changing, query */

TEST(call_space, unmap_takes_what_is_there)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);

    ASSERT(map_anonymous(PLACE, PAGES(3), RW) == PLACE);
    EXPECT_EQ(call_space_unmap(CALL_SELF, PLACE + PAGES(1), PAGES(1)), 0);
    EXPECT_EQ(call_space_unmap(CALL_SELF, PLACE + PAGES(1), PAGES(1)), 0);
    EXPECT_EQ(call_fixture_read(PLACE), 0);
    EXPECT_EQ(call_fixture_read(PLACE + PAGES(1)), UINT64_MAX);
    EXPECT_EQ(call_fixture_read(PLACE + PAGES(2)), 0);
}

/* Ranges that no call takes, and what mprotect() and munmap() say to them. */
static const struct {
    uintptr_t at;
    size_t size;
    long error;
    long unmap_error;
} bad_ranges[] = {
    { PLACE, 0, CALL_EINVAL, CALL_EINVAL },
    { PLACE, 1, CALL_EINVAL, CALL_EINVAL },
    { PLACE + 1, PAGE_SIZE, CALL_EINVAL, CALL_EINVAL },
    { PLACE, ALIGN_DOWN(SIZE_MAX, PAGE_SIZE), CALL_ENOMEM, CALL_EINVAL },
    { ALIGN_DOWN(SIZE_MAX, PAGE_SIZE), PAGE_SIZE, CALL_ENOMEM, CALL_EINVAL },
    { 0, PAGE_SIZE, CALL_ENOMEM, CALL_EINVAL },
    { USER_END - PAGE_SIZE, PAGE_SIZE, CALL_ENOMEM, CALL_EINVAL },
    { USER_END, PAGE_SIZE, CALL_ENOMEM, CALL_EINVAL },
};

TEST(call_space, bad_ranges_are_refused)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);

    ASSERT(map_anonymous(PLACE, PAGES(1), RW) == PLACE);
    EXPECT_EQ(user_write_u64(PLACE, 1), OK);
    for (size_t i = 0; i < ARRAY_SIZE(bad_ranges); i++) {
        uintptr_t at = bad_ranges[i].at;
        size_t size = bad_ranges[i].size;

        EXPECT_EQ(call_space_unmap(CALL_SELF, at, size),
                  bad_ranges[i].unmap_error);
        EXPECT_EQ(call_space_protect(CALL_SELF, at, size, 0),
                  bad_ranges[i].error);
        for (int advice = PORTOLAN_ADVICE_NEED;
             advice <= PORTOLAN_ADVICE_INHERIT_SHARE; advice++) {
            EXPECT_EQ(call_space_advise(CALL_SELF, at, size, advice),
                      bad_ranges[i].error);
        }
    }
    EXPECT_EQ(call_fixture_read(PLACE), 1);
}

TEST(call_space, protect_changes_all_or_nothing)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);

    ASSERT(map_anonymous(PLACE, PAGES(2), RW) == PLACE);
    EXPECT_EQ(user_write_u64(PLACE, 1), OK);
    EXPECT_EQ(call_space_protect(CALL_SELF, PLACE, PAGES(3), 0), CALL_ENOMEM);
    EXPECT_EQ(call_space_protect(CALL_SELF, PLACE, PAGES(1),
                                 RW | PORTOLAN_SPACE_WIRED),
              CALL_EINVAL);
    EXPECT_EQ(user_write_u64(PLACE, 2), OK);
    EXPECT_EQ(
        call_space_protect(CALL_SELF, PLACE, PAGES(1), PORTOLAN_SPACE_READ), 0);
    EXPECT_EQ(user_write_u64(PLACE, 3), ERR_FAULT);
    EXPECT_EQ(call_fixture_read(PLACE), 2);
    EXPECT_EQ(call_space_protect(CALL_SELF, PLACE, PAGES(1), 0), 0);
    EXPECT_EQ(call_fixture_read(PLACE), UINT64_MAX);
    EXPECT_EQ(call_space_protect(CALL_SELF, PLACE, PAGES(1), RW), 0);
    EXPECT_EQ(call_fixture_read(PLACE), 2);
}

TEST(call_space, advice_about_contents_is_taken)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint64_t used;

    ASSERT(map_anonymous(PLACE, PAGES(4), RW) == PLACE);
    used = container_used(fixture->container, CONTAINER_PAGES);
    EXPECT_EQ(
        call_space_advise(CALL_SELF, PLACE, PAGES(2), PORTOLAN_ADVICE_NEED), 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), used + 2);
    EXPECT_EQ(user_write_u64(PLACE, 1), OK);
    EXPECT_EQ(call_space_advise(CALL_SELF, PLACE, PAGES(4),
                                PORTOLAN_ADVICE_DISCARD),
              0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), used);
    EXPECT_EQ(call_fixture_read(PLACE), 0);
    EXPECT_EQ(
        call_space_advise(CALL_SELF, PLACE, PAGES(4), PORTOLAN_ADVICE_WIRE), 0);
    EXPECT_EQ(call_space_advise(CALL_SELF, PLACE, PAGES(4),
                                PORTOLAN_ADVICE_DISCARD),
              0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), used + 4);
    EXPECT_EQ(call_space_advise(CALL_SELF, PLACE, PAGES(4),
                                PORTOLAN_ADVICE_UNWIRE),
              0);
    EXPECT_EQ(call_space_advise(CALL_SELF, PLACE, PAGES(4),
                                PORTOLAN_ADVICE_DISCARD),
              0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), used);
}

TEST(call_space, unknown_advice_is_refused)
{
    struct task_fixture *fixture = task_fixture_create(t);

    EXPECT_EQ(call_space_advise(CALL_SELF, fixture->memory, PAGES(1), -1),
              CALL_EINVAL);
    EXPECT_EQ(call_space_advise(CALL_SELF, fixture->memory, PAGES(1),
                                PORTOLAN_ADVICE_INHERIT_SHARE + 1),
              CALL_EINVAL);
    EXPECT_EQ(call_space_advise(CALL_SELF, PLACE, PAGES(1),
                                PORTOLAN_ADVICE_NEED),
              CALL_ENOMEM);
    EXPECT_EQ(call_space_advise(CALL_SELF, fixture->memory, PAGES(1),
                                PORTOLAN_ADVICE_INHERIT_SHARE),
              CALL_EINVAL);
}

/* Somebody may discard what another makes resident: it may last for ever. */
TEST(call_space, thread_that_is_to_end_needs_nothing)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);

    ASSERT(map_anonymous(PLACE, PAGES(4), RW) == PLACE);
    thread_request_end(thread_self());
    EXPECT_EQ(call_space_advise(CALL_SELF, PLACE, PAGES(4),
                                PORTOLAN_ADVICE_NEED),
              CALL_EINTR);
    EXPECT_EQ(call_space_advise(CALL_SELF, PLACE, PAGES(4),
                                PORTOLAN_ADVICE_WIRE),
              CALL_EINTR);
    EXPECT_EQ(call_space_read(CALL_SELF, PLACE, PLACE + PAGES(2), PAGES(1)),
              CALL_EINTR);
    atomic_store(&thread_self()->user_work, 0);
}

TEST(call_space, query_tells_mappings_apart)
{
    struct task_fixture *fixture = task_fixture_create(t);
    const uint32_t fixed = PORTOLAN_SPACE_FIXED;
    uint32_t memory = memory_right(fixture, 4, PMAP_READ | PMAP_WRITE);
    struct portolan_space_info info;

    ASSERT(map_anonymous(PLACE, PAGES(2), fixed | PORTOLAN_SPACE_READ) > 0);
    ASSERT(call_space_map(CALL_SELF, PLACE + PAGES(2), PAGES(1),
                          fixed | RW | PORTOLAN_SPACE_PRIVATE, memory, 0) > 0);
    ASSERT(call_space_map(CALL_SELF, PLACE + PAGES(4), PAGES(3),
                          fixed | RW | PORTOLAN_SPACE_INHERIT_SHARE, memory,
                          0) > 0);
    EXPECT_EQ(query(fixture, CALL_SELF, PLACE - PAGES(9), &info), 0);
    EXPECT_EQ(info.address, PLACE);
    EXPECT_EQ(info.size, PAGES(2));
    EXPECT_EQ(info.flags, PORTOLAN_SPACE_READ);
    EXPECT_EQ(info.is_object, 0);
    EXPECT_EQ(query(fixture, CALL_SELF, PLACE + PAGES(2), &info), 0);
    EXPECT_EQ(info.size, PAGES(1));
    EXPECT_EQ(info.flags, RW | PORTOLAN_SPACE_PRIVATE);
    EXPECT_EQ(info.is_object, 1);
    EXPECT_EQ(query(fixture, CALL_SELF, PLACE + PAGES(3), &info), 0);
    EXPECT_EQ(info.address, PLACE + PAGES(4));
    EXPECT_EQ(info.size, PAGES(3));
    EXPECT_EQ(info.flags, RW | PORTOLAN_SPACE_INHERIT_SHARE);
}

TEST(call_space, query_needs_memory_and_a_mapping)
{
    struct task_fixture *fixture = task_fixture_create(t);

    EXPECT_EQ(call_space_query(CALL_SELF, 0, PLACE), CALL_EFAULT);
    EXPECT_EQ(call_space_query(CALL_SELF, 0, UINTPTR_MAX), CALL_EFAULT);
    EXPECT_EQ(call_space_query(CALL_SELF, USER_END, fixture->memory),
              CALL_ENOENT);
    EXPECT_EQ(call_space_query(CALL_SELF, UINTPTR_MAX, fixture->memory),
              CALL_ENOENT);
}

/* ----------------------------------------------------------- read and write */

TEST(call_space, memory_of_others_is_read_and_written)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t space = space_of_other(fixture, fixture->container);
    const size_t size = PAGES(40) + 123;
    long at;

    EXPECT_EQ(call_space_map(space, PLACE, PAGES(64), RW | PORTOLAN_SPACE_FIXED,
                             NONE, 0),
              PLACE);
    at = map_anonymous(0, PAGES(64), RW);
    ASSERT(at > 0);
    EXPECT_EQ(user_write_u64((uintptr_t)at, 11), OK);
    EXPECT_EQ(user_write_u64((uintptr_t)at + PAGES(40), 12), OK);
    EXPECT_EQ(call_space_write(space, PLACE + 8, (uintptr_t)at, size),
              (long)size);
    EXPECT_EQ(call_space_read(space, PLACE + 8 + PAGES(40), fixture->memory, 8),
              8);
    EXPECT_EQ(call_fixture_read(fixture->memory), 12);
    EXPECT_EQ(call_space_read(space, PLACE + 8, fixture->memory, 8), 8);
    EXPECT_EQ(call_fixture_read(fixture->memory), 11);
}

TEST(call_space, copies_end_where_memory_does)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t space = space_of_other(fixture, fixture->container);
    uintptr_t mine = fixture->memory;

    EXPECT_EQ(call_space_map(space, PLACE, PAGES(2), RW | PORTOLAN_SPACE_FIXED,
                             NONE, 0),
              PLACE);
    EXPECT_EQ(call_space_read(space, PLACE + PAGES(2) - 5, mine, 100), 5);
    EXPECT_EQ(call_space_write(space, PLACE + PAGES(2) - 5, mine, 100), 5);
    EXPECT_EQ(call_space_read(space, PLACE + PAGES(2), mine, 100), CALL_EFAULT);
    EXPECT_EQ(call_space_write(space, PLACE - 1, mine, 100), CALL_EFAULT);
    EXPECT_EQ(call_space_read(space, UINTPTR_MAX - 7, mine, 100), CALL_EFAULT);
    EXPECT_EQ(call_space_read(space, DIRECT_MAP_BASE, mine, 8), CALL_EFAULT);
    EXPECT_EQ(call_space_write(space, DIRECT_MAP_BASE, mine, 8), CALL_EFAULT);
    EXPECT_EQ(call_space_read(space, PLACE, DIRECT_MAP_BASE, 8), CALL_EFAULT);
    EXPECT_EQ(call_space_read(space, PLACE, UINTPTR_MAX, SIZE_MAX),
              CALL_EFAULT);
    EXPECT_EQ(call_space_write(space, PLACE, PLACE, 8), CALL_EFAULT);
    EXPECT_EQ(call_space_read(space, PLACE, mine, SIZE_MAX), PAGES(2));
    EXPECT_EQ(call_space_read(space, UINTPTR_MAX, UINTPTR_MAX, 0), 0);
    EXPECT_EQ(call_space_write(space, UINTPTR_MAX, UINTPTR_MAX, 0), 0);
}

TEST(call_space, copies_obey_protection)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t space = space_of_other(fixture, fixture->container);

    EXPECT_EQ(call_space_map(space, PLACE, PAGES(1),
                             PORTOLAN_SPACE_READ | PORTOLAN_SPACE_FIXED, NONE,
                             0),
              PLACE);
    EXPECT_EQ(call_space_read(space, PLACE, fixture->memory, 8), 8);
    EXPECT_EQ(call_space_write(space, PLACE, fixture->memory, 8), CALL_EFAULT);
    EXPECT_EQ(call_space_protect(space, PLACE, PAGES(1), 0), 0);
    EXPECT_EQ(call_space_read(space, PLACE, fixture->memory, 8), CALL_EFAULT);
}

/* What the two ranges have in common is whatever it is. */
TEST(call_space, copies_may_overlap)
{
    struct task_fixture *fixture = task_fixture_create(t);
    const size_t size = TASK_FIXTURE_MEMORY - 16;

    EXPECT_EQ(call_space_read(CALL_SELF, fixture->memory, fixture->memory + 3,
                              size),
              (long)size);
    EXPECT_EQ(call_space_read(CALL_SELF, fixture->memory + 3, fixture->memory,
                              size),
              (long)size);
    EXPECT_EQ(call_space_read(CALL_SELF, fixture->memory, fixture->memory,
                              size),
              (long)size);
}

/* ------------------------------------------------------------------ clones */

TEST(call_space, clone_has_the_contents_of_its_own)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t space = space_of_other(fixture, fixture->container);
    uintptr_t at = fixture->memory + PAGES(3);

    EXPECT_EQ(user_write_u64(at, 21), OK);
    EXPECT_EQ(call_space_clone(CALL_SELF, space), 0);
    EXPECT_EQ(user_write_u64(at, 22), OK);
    EXPECT_EQ(call_space_read(space, at, fixture->memory, 8), 8);
    EXPECT_EQ(call_fixture_read(fixture->memory), 21);
    EXPECT_EQ(call_space_write(space, at, fixture->memory + 8, 8), 8);
    EXPECT_EQ(call_fixture_read(at), 22);
}

TEST(call_space, clone_needs_an_empty_space)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t space = space_of_other(fixture, fixture->container);
    struct portolan_space_info info;

    EXPECT_EQ(call_space_clone(CALL_SELF, CALL_SELF), CALL_EINVAL);
    EXPECT_EQ(call_space_clone(space, CALL_SELF), CALL_EEXIST);
    EXPECT_EQ(call_space_map(space, PLACE, PAGES(1), RW | PORTOLAN_SPACE_FIXED,
                             NONE, 0),
              PLACE);
    EXPECT_EQ(call_space_clone(CALL_SELF, space), CALL_EEXIST);
    EXPECT_EQ(query(fixture, space, 0, &info), 0);
    EXPECT_EQ(info.address, PLACE);
    EXPECT_EQ(info.size, PAGES(1));
}

TEST(call_space, clone_is_charged_to_the_target)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct container *container;
    struct portolan_space_info info;
    uint64_t mine, theirs;
    uint32_t space;

    ASSERT(container_create(&container, container_root, "theirs") == OK);
    space = space_of_other(fixture, container);
    EXPECT_EQ(user_write_u64(fixture->memory, 1), OK);
    mine = container_used(fixture->container, CONTAINER_TABLES);
    theirs = container_used(container, CONTAINER_TABLES);
    container_set_limit(container, CONTAINER_TABLES, theirs + 1);
    EXPECT_EQ(call_space_clone(CALL_SELF, space), CALL_ENOMEM);
    EXPECT_EQ(query(fixture, space, 0, &info), CALL_ENOENT);
    container_set_limit(container, CONTAINER_TABLES, CONTAINER_UNLIMITED);
    EXPECT_EQ(call_space_clone(CALL_SELF, space), 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_TABLES), mine);
    EXPECT(container_used(container, CONTAINER_TABLES) > theirs);
    container_put(container);
}

TEST(call_space, advice_says_what_clones_get)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t space = space_of_other(fixture, fixture->container);
    uint32_t memory = memory_right(fixture, 2, PMAP_READ | PMAP_WRITE);
    struct portolan_space_info info;

    ASSERT(
        call_space_map(CALL_SELF, PLACE, PAGES(2),
                       RW | PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_INHERIT_NONE,
                       memory, 0) > 0);
    EXPECT_EQ(call_space_advise(CALL_SELF, PLACE, PAGES(1),
                                PORTOLAN_ADVICE_INHERIT_SHARE),
              0);
    EXPECT_EQ(call_space_advise(CALL_SELF, fixture->memory, TASK_FIXTURE_MEMORY,
                                PORTOLAN_ADVICE_INHERIT_NONE),
              0);
    EXPECT_EQ(call_space_clone(CALL_SELF, space), 0);
    EXPECT_EQ(query(fixture, space, 0, &info), 0);
    EXPECT_EQ(info.address, PLACE);
    EXPECT_EQ(info.size, PAGES(1));
    EXPECT_EQ(user_write_u64(PLACE, 31), OK);
    EXPECT_EQ(call_space_read(space, PLACE, fixture->memory, 8), 8);
    EXPECT_EQ(call_fixture_read(fixture->memory), 31);
    EXPECT_EQ(query(fixture, space, PLACE + PAGES(1), &info), CALL_ENOENT);
}

/* ------------------------------------------------------------ out of memory */

/* Have each allocation of a call fail, until none does. */
static void
fail_each(struct test *t, long (*call)(struct task_fixture *, uint32_t))
{
    struct task_fixture *fixture;
    struct fail fail;
    uint64_t at = 0;
    uint32_t space;
    long result;

    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    fixture = task_fixture_create(t);
    space = space_of_other(fixture, fixture->container);
    do {
        fail_begin_at(&fail, at++);
        result = call(fixture, space);
        fail_end(&fail);
        EXPECT(result >= 0 || result == CALL_ENOMEM);
        EXPECT(result >= 0 || fail.nr_failed != 0);
    } while (fail.nr_failed != 0 && at < SITES);
    EXPECT(result >= 0);
}

static long
fail_task_space(struct task_fixture *fixture, uint32_t space __unused)
{
    struct task_params params = { .name = "third",
                                  .container = fixture->container };
    struct kobject *object;
    struct task *task;
    status_t status;

    status = task_create(&task, &params);
    if (status != OK) {
        return call_error(status);
    }
    status = space_object_get(task, &object);
    if (status == OK) {
        kobject_put(object);
    }
    task_end(task, PORTOLAN_TASK_KILLED, 0);
    task_put(task);
    return call_error(status);
}

static long
fail_map(struct task_fixture *fixture __unused, uint32_t space)
{
    return call_space_map(space, PLACE + PAGES(500), PAGES(20),
                          RW | PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_WIRED,
                          NONE, 0);
}

static long
fail_clone(struct task_fixture *fixture __unused, uint32_t space)
{
    return call_space_clone(CALL_SELF, space);
}

TEST(call_space, each_failure_of_a_space_is_an_error)
{
    fail_each(t, fail_task_space);
}

TEST(call_space, each_failure_of_map_is_an_error)
{
    fail_each(t, fail_map);
}

TEST(call_space, each_failure_of_clone_is_an_error)
{
    fail_each(t, fail_clone);
}
