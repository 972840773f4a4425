/* SPDX-License-Identifier: MIT */
/*
 * Memory objects.
 */
#include <kern/bootmem.h>
#include <kern/clock.h>
#include <kern/fail.h>
#include <kern/page.h>
#include <kern/rcu_radix.h>
#include <lib/string.h>
#include <test/vm/object_fixture.h>
#include <test/vm/space_fixture.h>
#include <vm/object.h>
#include <vm/region.h>

/* More places than any function here has that allocate. */
#define OBJECT_TEST_SITES 200

/* Regions that fill a slab. */
#define OBJECT_TEST_REGIONS 64

static bool
page_is_zero(const uint64_t *words)
{
    for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++) {
        if (words[i] != 0) {
            return false;
        }
    }
    return true;
}

/* -------------------------------------------------------------- anonymous */

TEST(object, may_allow_less)
{
    struct object_fixture *fixture = anon_fixture_create(t);

    EXPECT_EQ(object_check_prot(fixture->object, PMAP_WRITE, false), OK);
    object_restrict(fixture->object, PMAP_READ | PMAP_EXEC);
    EXPECT_EQ(object_check_prot(fixture->object, PMAP_READ, false), OK);
    EXPECT_EQ(object_check_prot(fixture->object, PMAP_WRITE, false),
              ERR_ACCESS);
    EXPECT_EQ(object_check_prot(fixture->object, PMAP_WRITE, true), OK);
}

TEST(object, anonymous_page_is_zero_and_stays)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    uint64_t *page, *last;

    page = object_page_ptr(fixture->object, 0);
    last = object_page_ptr(fixture->object, OBJECT_TEST_PAGES - 1);
    ASSERT(page != NULL && last != NULL && page != last);
    EXPECT(page_is_zero(page));
    page[5] = 7;
    EXPECT(object_page_ptr(fixture->object, 0) == page);
    EXPECT(page_is_zero(last));
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 2);
}

TEST(object, behind_the_end_is_nothing)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct object_frame frame;

    EXPECT_EQ(object_get_frame(fixture->object, OBJECT_TEST_PAGES, true,
                               &frame),
              ERR_RANGE);
    EXPECT_EQ(object_get_frame(fixture->object, UINT64_MAX, false, &frame),
              ERR_RANGE);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
}

TEST(object, size_has_a_bound)
{
    struct object_fixture *fixture = object_fixture_create(t);
    struct object_frame frame;

    EXPECT_EQ(object_create_anon(&fixture->object, fixture->container, "large",
                                 OBJECT_ANON_MAX + 1),
              ERR_RANGE);
    ASSERT(object_create_anon(&fixture->object, fixture->container, "large",
                              OBJECT_ANON_MAX) == OK);
    EXPECT_EQ(object_get_frame(fixture->object, OBJECT_ANON_MAX - 1, true,
                               &frame),
              OK);
    EXPECT_EQ(object_resize(fixture->object, OBJECT_ANON_MAX + 1), ERR_RANGE);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 1);
}

TEST(object, container_at_its_limit_gets_no_page)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct object_frame frame;

    container_set_limit(fixture->container, CONTAINER_PAGES, 2);
    EXPECT_EQ(object_get_frame(fixture->object, 1, true, &frame), OK);
    EXPECT_EQ(object_get_frame(fixture->object, 70, true, &frame), OK);
    EXPECT_EQ(object_get_frame(fixture->object, 2, true, &frame),
              ERR_NO_MEMORY);
    EXPECT_EQ(object_get_frame(fixture->object, 1, true, &frame), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 2);

    container_set_limit(fixture->container, CONTAINER_PAGES,
                        CONTAINER_UNLIMITED);
    container_set_limit(fixture->container, CONTAINER_OBJECTS, 0);
    EXPECT_EQ(object_get_frame(fixture->object, 99, true, &frame),
              ERR_NO_MEMORY);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 2);
}

TEST(object, cut_off_pages_are_freed_and_come_back_as_zeros)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct object_frame frame;
    uint64_t *page;

    for (uint64_t i = 0; i < OBJECT_TEST_PAGES; i++) {
        page = object_page_ptr(fixture->object, i);
        ASSERT(page != NULL);
        page[0] = i + 1;
    }
    EXPECT_EQ(object_resize(fixture->object, 10), OK);
    EXPECT_EQ(object_nr_pages(fixture->object), 10);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 10);
    EXPECT_EQ(object_get_frame(fixture->object, 10, true, &frame), ERR_RANGE);
    EXPECT_EQ(*object_page_ptr(fixture->object, 9), 10);

    EXPECT_EQ(object_resize(fixture->object, 1000), OK);
    page = object_page_ptr(fixture->object, 10);
    ASSERT(page != NULL);
    EXPECT(page_is_zero(page));
    EXPECT(object_page_ptr(fixture->object, 999) != NULL);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 12);
}

TEST(object, cut_off_pages_stay_as_long_as_there_are_mappings)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    uint64_t *page;

    object_attach(fixture->object);
    page = object_page_ptr(fixture->object, 50);
    ASSERT(page != NULL);
    page[3] = 4;
    EXPECT_EQ(object_resize(fixture->object, 0), OK);
    EXPECT_EQ(page[3], 4);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 1);
    object_attach(fixture->object);
    object_detach(fixture->object);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 1);
    object_detach(fixture->object);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
}

TEST(object, reference_keeps_it)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct vm_object *object = fixture->object;
    uint64_t *page = object_page_ptr(object, 1);

    ASSERT(page != NULL);
    page[0] = 1;
    object_get(object);
    object_put(object);
    EXPECT_EQ(object_sync(CLOCK_NEVER), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 1);
    EXPECT(object_page_ptr(object, 1) == page);
    EXPECT_STREQ(object_name(object), "test");
    fixture->object = NULL;
    object_put(object);
    EXPECT_EQ(object_sync(CLOCK_NEVER), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
}

/* ----------------------------------------------------- physical, in a piece */

TEST(object, physical_frames_are_those_of_the_range)
{
    struct object_fixture *fixture = object_fixture_create(t);
    struct object_range range = { object_fixture_phys(GIB(1)), 3 * PAGE_SIZE,
                                  PMAP_WC };
    struct object_frame frame;

    if (range.phys == PADDR_NONE) {
        SKIP("no addresses but RAM");
    }
    ASSERT(object_create_phys(&fixture->object, fixture->container, "device",
                              &range) == OK);
    EXPECT_EQ(object_get_frame(fixture->object, 2, true, &frame), OK);
    EXPECT_EQ(frame.phys, range.phys + 2 * PAGE_SIZE);
    EXPECT_EQ(frame.cache, PMAP_WC);
    EXPECT_EQ(object_get_frame(fixture->object, 3, true, &frame), ERR_RANGE);
    EXPECT_EQ(object_phys(fixture->object), range.phys);
    EXPECT_EQ(object_resize(fixture->object, 1), ERR_UNSUPPORTED);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
}

static status_t
phys_test_create(struct object_fixture *fixture, paddr_t phys, uint64_t size,
                 enum pmap_cache cache)
{
    struct object_range range = { phys, size, cache };

    return object_create_phys(&fixture->object, fixture->container, "device",
                              &range);
}

TEST(object, physical_range_must_make_sense)
{
    struct object_fixture *fixture = object_fixture_create(t);
    struct bootmem_range ram;
    paddr_t end = pmap_phys_end();

    EXPECT_EQ(phys_test_create(fixture, end - 100, PAGE_SIZE, PMAP_UC),
              ERR_INVALID);
    EXPECT_EQ(phys_test_create(fixture, end, 1, PMAP_UC), ERR_INVALID);
    EXPECT_EQ(phys_test_create(fixture, end - PAGE_SIZE, 0, PMAP_UC),
              ERR_INVALID);
    EXPECT_EQ(phys_test_create(fixture, end, PAGE_SIZE, PMAP_UC), ERR_RANGE);
    EXPECT_EQ(phys_test_create(fixture, end - PAGE_SIZE, 2 * PAGE_SIZE,
                               PMAP_UC),
              ERR_RANGE);
    EXPECT_EQ(phys_test_create(fixture, PAGE_SIZE, 0 - (uint64_t)PAGE_SIZE,
                               PMAP_UC),
              ERR_RANGE);

    ASSERT(bootmem_next_ram(MIB(1), &ram));
    EXPECT_EQ(phys_test_create(fixture, ALIGN_UP(ram.base, PAGE_SIZE),
                               PAGE_SIZE, PMAP_WB),
              ERR_ACCESS);
    EXPECT_EQ(phys_test_create(fixture, 0, MIB(16), PMAP_WB), ERR_ACCESS);
    fixture->object = NULL;
}

TEST(object, contiguous_memory_is_in_one_piece)
{
    struct object_fixture *fixture = object_fixture_create(t);
    struct object_frame frame;

    ASSERT(object_create_contiguous(&fixture->object, fixture->container, "dma",
                                    5) == OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 8);
    EXPECT(IS_ALIGNED(object_phys(fixture->object), 8 * PAGE_SIZE));
    for (uint64_t i = 0; i < 5; i++) {
        EXPECT_EQ(object_get_frame(fixture->object, i, true, &frame), OK);
        EXPECT_EQ(frame.phys, object_phys(fixture->object) + i * PAGE_SIZE);
        EXPECT_EQ(frame.cache, PMAP_WB);
        EXPECT(page_is_zero(pmap_direct_ptr(frame.phys)));
    }
    EXPECT_EQ(object_get_frame(fixture->object, 5, true, &frame), ERR_RANGE);
}

TEST(object, contiguous_memory_has_a_limit)
{
    struct object_fixture *fixture = object_fixture_create(t);

    EXPECT_EQ(object_create_contiguous(&fixture->object, fixture->container,
                                       "dma", 0),
              ERR_RANGE);
    EXPECT_EQ(object_create_contiguous(&fixture->object, fixture->container,
                                       "dma", UINT64_MAX),
              ERR_RANGE);
    container_set_limit(fixture->container, CONTAINER_PAGES, 7);
    EXPECT_EQ(object_create_contiguous(&fixture->object, fixture->container,
                                       "dma", 5),
              ERR_NO_MEMORY);
    fixture->object = NULL;
}

/* --------------------------------------------------------------- mappings */

TEST(object, mapping_is_checked)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct vm_object *object = fixture->object;

    EXPECT_EQ(
        object_check_map(object, 0, OBJECT_TEST_PAGES + 1, PROT_RW, false), OK);
    EXPECT_EQ(object_check_map(object, OBJECT_ANON_MAX, 1, PROT_RW, false),
              ERR_RANGE);
    EXPECT_EQ(object_check_map(object, 1, UINT64_MAX, PROT_RW, false),
              ERR_RANGE);
    object->prot = PMAP_READ;
    EXPECT_EQ(object_check_map(object, 0, 1, PROT_RW, false), ERR_ACCESS);
    EXPECT_EQ(object_check_map(object, 0, 1, PROT_RW, true), OK);
    EXPECT_EQ(object_check_prot(object, PMAP_READ | PMAP_EXEC, true),
              ERR_ACCESS);
    EXPECT_EQ(object_check_prot(object, PMAP_READ, false), OK);
}

TEST(object, physical_mapping_is_checked)
{
    struct object_fixture *fixture = object_fixture_create(t);
    struct object_range range = { object_fixture_phys(GIB(1)), 3 * PAGE_SIZE,
                                  PMAP_UC };

    if (range.phys == PADDR_NONE) {
        SKIP("no addresses but RAM");
    }
    ASSERT(object_create_phys(&fixture->object, fixture->container, "device",
                              &range) == OK);
    EXPECT_EQ(object_check_map(fixture->object, 0, 3, PROT_RW, false), OK);
    EXPECT_EQ(object_check_map(fixture->object, 1, 3, PROT_RW, false),
              ERR_RANGE);
    EXPECT_EQ(object_check_map(fixture->object, 0, 3, PROT_RW, true),
              ERR_INVALID);
    EXPECT_EQ(object_check_map(fixture->object, 0, 1, PMAP_EXEC, false),
              ERR_ACCESS);
}

TEST(object, space_pays_for_its_mapping)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    struct container *container = space->container;
    uint64_t before;

    EXPECT_EQ(fixture_map(space, FIXTURE_VA, 4 * PAGE_SIZE, PROT_RW), OK);
    before = container_used(container, CONTAINER_OBJECTS);
    container_set_limit(container, CONTAINER_OBJECTS, before);
    EXPECT_EQ(object_test_map(space, fixture->object, FIXTURE_VA, 0),
              ERR_NO_MEMORY);
    container_set_limit(container, CONTAINER_OBJECTS, CONTAINER_UNLIMITED);
    EXPECT_EQ(fixture_read(FIXTURE_VA), 0);

    before = container_used(container, CONTAINER_OBJECTS);
    EXPECT_EQ(object_test_map(space, fixture->object, FIXTURE_VA, 0), OK);
    EXPECT_EQ(container_used(container, CONTAINER_OBJECTS) - before,
              sizeof(struct vm_region));
    EXPECT_EQ(space_unmap(space->space, FIXTURE_VA, PAGE_SIZE), OK);
    EXPECT_EQ(container_used(container, CONTAINER_OBJECTS) - before,
              sizeof(struct vm_region));
    EXPECT_EQ(space_unmap(space->space, FIXTURE_VA, 4 * PAGE_SIZE), OK);
    EXPECT_EQ(container_used(container, CONTAINER_OBJECTS), before);
}

/* The region is of both: who made it pays until the last has gone. */
TEST(object, mapping_of_a_clone_is_paid_for_once)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    struct container *container = space->container;
    struct vm_space *clone;
    uint64_t before;

    before = container_used(container, CONTAINER_OBJECTS);
    EXPECT_EQ(object_test_map(space, fixture->object, FIXTURE_VA, 0), OK);
    ASSERT(space_clone(&clone, space->space, fixture->container, "clone") ==
           OK);
    EXPECT_EQ(space_unmap(space->space, FIXTURE_VA, 4 * PAGE_SIZE), OK);
    EXPECT_EQ(container_used(container, CONTAINER_OBJECTS) - before,
              sizeof(struct vm_region));
    space_put(clone);
    rcu_barrier();
    EXPECT_EQ(container_used(container, CONTAINER_OBJECTS), before);
}

TEST(object, mappings_show_its_pages)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    const uintptr_t other = FIXTURE_VA + GIB(1);

    ASSERT(object_test_map(space, fixture->object, FIXTURE_VA, 0) == OK);
    ASSERT(object_test_map(space, fixture->object, other, 0) == OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGE_SIZE, 77), OK);
    EXPECT_EQ(fixture_read(other + PAGE_SIZE), 77);
    EXPECT_EQ(*object_page_ptr(fixture->object, 2), 77);
    EXPECT_EQ(fixture_read(other), 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 2);
    EXPECT_EQ(container_used(space->container, CONTAINER_PAGES), 0);
}

TEST(object, private_mapping_copies_what_it_writes)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);

    *object_page_ptr(fixture->object, 1) = 5;
    ASSERT(object_test_map(space, fixture->object, FIXTURE_VA,
                           SPACE_MAP_PRIVATE) == OK);
    EXPECT_EQ(fixture_read(FIXTURE_VA), 5);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 6), OK);
    EXPECT_EQ(fixture_read(FIXTURE_VA), 6);
    EXPECT_EQ(*object_page_ptr(fixture->object, 1), 5);
    EXPECT_EQ(container_used(space->container, CONTAINER_PAGES), 1);
}

/* A slot that is not resident has its region where those bits would be. */
TEST(object, page_that_was_only_read_is_clean)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    unsigned int used;

    for (size_t i = 0; i < OBJECT_TEST_REGIONS; i++) {
        uintptr_t va = FIXTURE_VA + 8 * i * PAGE_SIZE;

        ASSERT(object_test_map(space, fixture->object, va, 0) == OK);
        EXPECT_EQ(fixture_read(va), 0);
        EXPECT_EQ(space_take_used(space->space, va, &used), OK);
        EXPECT_EQ(used, SPACE_USED_ACCESSED);
    }
}

/* Memory that was cut off is not anybody else's while it can be seen. */
TEST(object, mapping_outlives_what_is_cut_off)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);

    ASSERT(object_test_map(space, fixture->object, FIXTURE_VA, 0) == OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 1), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + PAGE_SIZE, 2), OK);
    EXPECT_EQ(object_resize(fixture->object, 2), OK);
    EXPECT_EQ(fixture_read(FIXTURE_VA), 1);
    EXPECT_EQ(fixture_read(FIXTURE_VA + PAGE_SIZE), 2);
    EXPECT_EQ(user_write_u64(FIXTURE_VA + 2 * PAGE_SIZE, 3), ERR_FAULT);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 2);
    EXPECT_EQ(space_unmap(space->space, FIXTURE_VA, 4 * PAGE_SIZE), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 1);
}

/* ------------------------------------------------------------------ names */

TEST(object, name_finds_it)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct vm_object *object;

    EXPECT_EQ(object_open(&object, "/test"), ERR_NOT_FOUND);
    EXPECT_EQ(object_publish(fixture->object, "/test"), OK);
    EXPECT_EQ(object_publish(fixture->object, "/test"), ERR_EXISTS);
    EXPECT_EQ(object_publish(fixture->object, "/test2"), OK);
    ASSERT(object_open(&object, "/test") == OK);
    EXPECT(object == fixture->object);
    object_put(object);
    EXPECT_EQ(object_unlink("/test"), OK);
    EXPECT_EQ(object_unlink("/test"), ERR_NOT_FOUND);
    EXPECT_EQ(object_open(&object, "/test"), ERR_NOT_FOUND);
    EXPECT_EQ(object_unlink("/test2"), OK);
}

TEST(object, name_keeps_it)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct vm_object *object = fixture->object;

    ASSERT(object_publish(object, "/kept") == OK);
    fixture->object = NULL;
    object_put(object);
    EXPECT_EQ(object_sync(CLOCK_NEVER), OK);
    EXPECT(container_used(fixture->container, CONTAINER_OBJECTS) > 0);
    ASSERT(object_open(&object, "/kept") == OK);
    EXPECT_EQ(object_unlink("/kept"), OK);
    EXPECT_EQ(object_sync(CLOCK_NEVER), OK);
    EXPECT_STREQ(object_name(object), "test");
    object_put(object);
}

TEST(object, name_must_make_sense)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    static char path[OBJECT_PATH_MAX + 2];

    memset(path, 'x', OBJECT_PATH_MAX + 1);
    EXPECT_EQ(object_publish(fixture->object, path), ERR_INVALID);
    EXPECT_EQ(object_publish(fixture->object, ""), ERR_INVALID);
    path[OBJECT_PATH_MAX] = '\0';
    EXPECT_EQ(object_publish(fixture->object, path), OK);
    EXPECT_EQ(object_unlink(path), OK);
}

TEST(object, list_shows_it)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct object_info info;
    bool is_found = false;

    EXPECT(object_page_ptr(fixture->object, 7) != NULL);
    for (size_t i = 0; !is_found && object_info_get(i, &info); i++) {
        is_found = strcmp(info.name, "test") == 0;
    }
    ASSERT(is_found);
    EXPECT_STREQ(info.kind, "anonymous");
    EXPECT_EQ(info.nr_pages, OBJECT_TEST_PAGES);
    EXPECT_EQ(info.nr_resident, 1);
    EXPECT_EQ(info.nr_mappings, 0);
}

/* ---------------------------------------------------------- out of memory */

static status_t
fail_test_anon(struct object_fixture *fixture)
{
    struct object_frame frame;
    status_t status;

    status = object_create_anon(&fixture->object, fixture->container, "test",
                                OBJECT_ANON_MAX);
    if (status == OK) {
        status = object_get_frame(fixture->object, 1U << 25, true, &frame);
    }
    if (status == OK) {
        status = object_resize(fixture->object, 1);
    }
    return status;
}

static status_t
fail_test_publish(struct object_fixture *fixture)
{
    struct vm_object *found;
    status_t status;

    status = object_create_anon(&fixture->object, fixture->container, "test",
                                OBJECT_TEST_PAGES);
    if (status == OK) {
        status = object_publish(fixture->object, "/fail");
    }
    if (status != OK) {
        return status;
    }
    status = object_open(&found, "/fail");
    if (status == OK) {
        object_put(found);
    }
    /* Needs no memory. */
    verify(object_unlink("/fail") == OK);
    return status;
}

static status_t
fail_test_contiguous(struct object_fixture *fixture)
{
    return object_create_contiguous(&fixture->object, fixture->container, "dma",
                                    3);
}

static status_t
fail_test_phys(struct object_fixture *fixture)
{
    struct object_range range = { object_fixture_phys(GIB(1)), PAGE_SIZE,
                                  PMAP_UC };

    return object_create_phys(&fixture->object, fixture->container, "device",
                              &range);
}

/* Run a function with the first allocation failing, then the second, ... */
static void
fail_test_each(struct object_fixture *fixture,
               status_t (*run)(struct object_fixture *fixture))
{
    struct test *t = fixture->t;
    struct fail fail;
    status_t status;
    uint64_t at = 0;

    do {
        fail_begin_at(&fail, at++);
        status = run(fixture);
        fail_end(&fail);
        /* What is done without, such as a magazine, may fail in silence. */
        EXPECT(status == OK ||
               (status == ERR_NO_MEMORY && fail.nr_failed != 0));
        if (fixture->object != NULL) {
            object_put(fixture->object);
            fixture->object = NULL;
        }
        EXPECT_EQ(object_sync(CLOCK_NEVER), OK);
        EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
        EXPECT_EQ(container_used(fixture->container, CONTAINER_OBJECTS), 0);
        ASSERT(at < OBJECT_TEST_SITES);
    } while (fail.nr_failed != 0);
    EXPECT(at > 2);
}

TEST(object, fails_at_each_allocation_and_loses_nothing)
{
    struct object_fixture *fixture = object_fixture_create(t);

    if (!FAIL_IS_BUILT) {
        SKIP("needs DEBUG=1");
    }
    fail_test_each(fixture, fail_test_anon);
    fail_test_each(fixture, fail_test_publish);
    fail_test_each(fixture, fail_test_contiguous);
    if (object_fixture_phys(GIB(1)) != PADDR_NONE) {
        fail_test_each(fixture, fail_test_phys);
    }
}
