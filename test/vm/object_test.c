/* SPDX-License-Identifier: MIT */
/*
 * Memory objects.
 */
#include <stdatomic.h>

#include <kern/all_cpus.h>
#include <kern/bootmem.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/page.h>
#include <kern/rcu_radix.h>
#include <kern/sref.h>
#include <kern/thread.h>
#include <kern/waitq.h>
#include <lib/string.h>
#include <test/vm/object_fixture.h>
#include <test/vm/space_fixture.h>
#include <vm/object.h>
#include <vm/region.h>

#define OBJECT_TEST_PAGES 100

/* More places than any function here has that allocate. */
#define OBJECT_TEST_SITES 200

/* Regions that fill a slab. */
#define OBJECT_TEST_REGIONS 64

/* With an anonymous object. */
static struct object_fixture *
anon_fixture_create(struct test *t)
{
    struct object_fixture *fixture = object_fixture_create(t);

    verify(object_create_anon(&fixture->object, fixture->container, "test",
                              OBJECT_TEST_PAGES) == OK);
    return fixture;
}

/* Where a page of RAM of an object is; NULL: it cannot be had. */
static uint64_t *
object_page_ptr(struct vm_object *object, uint64_t index)
{
    struct object_frame frame;

    if (object_get_frame(object, index, true, &frame) != OK) {
        return NULL;
    }
    return pmap_direct_ptr(frame.phys);
}

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

static status_t
object_test_map(struct space_fixture *space, struct vm_object *object,
                uintptr_t va, unsigned int flags)
{
    struct space_mapping mapping = {
        .va = va,
        .size = 4 * PAGE_SIZE,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED | flags,
        .object = object,
        .index = 1,
    };

    return space_map(space->space, &mapping, &va);
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

/* ------------------------------------------------------------------ pagers */

/*
 * A pager that has to be asked, and answers when the test says.
 *
 * Keys: [W] lock of the queue
 */
struct pager_object {
    struct vm_object object;
    struct waitq waiters;
    struct page *page;    /* [W] of any index; NULL: not there yet */
    bool is_broken;       /* [W] */
    atomic_uint nr_asked; /* times that the page was not there */
};

static struct pager_object *
pager_of(struct vm_object *object)
{
    return container_of(object, struct pager_object, object);
}

static status_t
pager_get_frame(struct vm_object *object, uint64_t index __unused,
                bool is_write __unused, struct object_frame *frame)
{
    struct pager_object *pager = pager_of(object);
    status_t status = ERR_AGAIN;
    uint64_t flags;

    flags = waitq_lock(&pager->waiters);
    if (pager->is_broken) {
        status = ERR_IO;
    } else if (pager->page != NULL) {
        *frame = (struct object_frame){ page_phys(pager->page), PMAP_WB };
        status = OK;
    }
    waitq_unlock(&pager->waiters, flags);
    atomic_fetch_add(&pager->nr_asked, status == ERR_AGAIN);
    return status;
}

static status_t
pager_wait(struct vm_object *object, uint64_t index __unused, uint64_t deadline)
{
    struct pager_object *pager = pager_of(object);
    uint64_t flags;

    flags = waitq_lock(&pager->waiters);
    if (pager->page != NULL || pager->is_broken) {
        waitq_unlock(&pager->waiters, flags);
        return OK;
    }
    return waitq_wait_locked(&pager->waiters, flags, deadline);
}

static void
pager_answer(struct pager_object *pager, struct page *page)
{
    uint64_t flags;

    flags = waitq_lock(&pager->waiters);
    pager->page = page;
    pager->is_broken = page == NULL;
    waitq_unlock(&pager->waiters, flags);
    waitq_wake_all(&pager->waiters);
}

static void
pager_destroy(struct vm_object *object)
{
    if (pager_of(object)->page != NULL) {
        page_free(pager_of(object)->page, 0);
    }
}

static const struct object_ops pager_ops = {
    .kind = "pager",
    .size = sizeof(struct pager_object),
    .is_memory = true,
    .get_frame = pager_get_frame,
    .wait = pager_wait,
    .destroy = pager_destroy,
};

struct pager_test {
    struct vm_space *space;
    struct thread *thread;
    uint64_t value;
    status_t status;
};

static void
pager_test_read(void *arg)
{
    struct pager_test *test = arg;

    space_use(test->space);
    test->status = user_read_u64(FIXTURE_VA, &test->value);
    space_use(NULL);
}

/* Have a thread read from a mapping of the object, and wait until it waits. */
static void
pager_test_begin(struct pager_test *test, struct space_fixture *space,
                 struct vm_object *object)
{
    verify(object_test_map(space, object, FIXTURE_VA, 0) == OK);
    test->space = space->space;
    test->value = 0;
    test->thread = thread_create("reader", pager_test_read, test, NULL);
    verify(test->thread != NULL);
    while (atomic_load(&pager_of(object)->nr_asked) == 0) {
        test_pause();
    }
}

static struct object_fixture *
pager_fixture_create(struct test *t)
{
    struct object_fixture *fixture = object_fixture_create(t);

    verify(object_create(&fixture->object, &pager_ops, fixture->container,
                         "pager", 10) == OK);
    waitq_init(&pager_of(fixture->object)->waiters);
    return fixture;
}

TEST(object, fault_waits_for_the_pager)
{
    struct object_fixture *fixture = pager_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    struct page *page = page_alloc(0, PAGE_ZERO);
    struct pager_test test;

    ASSERT(page != NULL);
    *(uint64_t *)page_ptr(page) = 99;
    pager_test_begin(&test, space, fixture->object);
    pager_answer(pager_of(fixture->object), page);
    thread_join(test.thread);
    EXPECT_EQ(test.status, OK);
    EXPECT_EQ(test.value, 99);
}

TEST(object, pager_may_fail)
{
    struct object_fixture *fixture = pager_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    struct pager_test test;

    pager_test_begin(&test, space, fixture->object);
    pager_answer(pager_of(fixture->object), NULL);
    thread_join(test.thread);
    EXPECT_EQ(test.status, ERR_FAULT);
}

/* Who waits for a pager has no slot locked: the mapping can be replaced. */
TEST(object, mapping_is_replaced_while_the_pager_works)
{
    struct object_fixture *fixture = pager_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    struct page *page = page_alloc(0, PAGE_ZERO);
    struct pager_test test;

    ASSERT(page != NULL);
    *(uint64_t *)page_ptr(page) = 99;
    pager_test_begin(&test, space, fixture->object);
    EXPECT_EQ(space_unmap(space->space, FIXTURE_VA, 4 * PAGE_SIZE), OK);
    EXPECT_EQ(fixture_map(space, FIXTURE_VA, PAGE_SIZE, PROT_RW), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 55), OK);
    pager_answer(pager_of(fixture->object), page);
    thread_join(test.thread);
    EXPECT_EQ(test.status, OK);
    EXPECT_EQ(test.value, 55);
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

/* ---------------------------------------------------------------- torture */

#define TORTURE_INDEXES 300
#define TORTURE_THREADS 5

/*
 * Keys: [c] constant while others run   [a] atomic
 */
struct torture {
    struct vm_object *object;               /* [c] */
    _Atomic uint64_t phys[TORTURE_INDEXES]; /* [a] first frame that was seen */
    atomic_uint nr_bad;                     /* [a] */
    atomic_bool stop;                       /* [a] */
    uint64_t seed;                          /* [c] */
    atomic_uint nr_begun;                   /* [a] */
};

/* Each CPU asks for all pages, in an order of its own. */
static void
torture_ask_for_all(void *arg)
{
    struct torture *torture = arg;
    uint32_t start = cpu_id() * 7;

    for (uint32_t i = 0; i < TORTURE_INDEXES; i++) {
        uint32_t index = (start + i * 7) % TORTURE_INDEXES;
        uint64_t expected = 0;
        struct object_frame frame;

        if (object_get_frame(torture->object, index, true, &frame) != OK) {
            atomic_fetch_add(&torture->nr_bad, 1);
        } else if (!atomic_compare_exchange_strong(&torture->phys[index],
                                                   &expected, frame.phys) &&
                   expected != frame.phys) {
            atomic_fetch_add(&torture->nr_bad, 1);
        }
    }
}

TEST(object, all_cpus_at_once_get_one_page)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    static struct torture torture;

    memset(&torture, 0, sizeof(torture));
    torture.object = fixture->object;
    ASSERT(object_resize(fixture->object, TORTURE_INDEXES) == OK);
    all_cpus_run(torture_ask_for_all, &torture);
    EXPECT_EQ(atomic_load(&torture.nr_bad), 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES),
              TORTURE_INDEXES);
}

/*
 * As a mapping: write into pages, and see that nobody else has them while the
 * mapping lasts, whatever becomes of the object's size.
 */
static void
torture_map_round(struct torture *torture, struct rand *rand, uint64_t mark)
{
    uint64_t *pages[16];

    object_attach(torture->object);
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        pages[i] =
            object_page_ptr(torture->object, rand_below(rand, TORTURE_INDEXES));
        if (pages[i] != NULL) {
            pages[i][mark] = mark;
        }
    }
    thread_sleep(rand_below(rand, 100000));
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        if (pages[i] != NULL && pages[i][mark] != mark) {
            atomic_fetch_add(&torture->nr_bad, 1);
        }
    }
    object_detach(torture->object);
}

static void
torture_map_run(void *arg)
{
    struct torture *torture = arg;
    uint64_t mark = atomic_fetch_add(&torture->nr_begun, 1) + 1;
    struct rand rand;

    rand_init(&rand, torture->seed + mark);
    while (!atomic_load(&torture->stop)) {
        torture_map_round(torture, &rand, mark);
    }
}

TEST(object, torture_resize_while_mapped)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct thread *threads[TORTURE_THREADS];
    static struct torture torture;

    memset(&torture, 0, sizeof(torture));
    torture.object = fixture->object;
    torture.seed = rand_u64(&t->rand);
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        threads[i] = thread_create("torture", torture_map_run, &torture, NULL);
        verify(threads[i] != NULL);
    }
    for (uint64_t i = 0; i < 20 * t->iterations; i++) {
        EXPECT_EQ(object_resize(fixture->object,
                                rand_below(&t->rand, TORTURE_INDEXES + 1)),
                  OK);
        thread_sleep(rand_below(&t->rand, 200000));
    }
    atomic_store(&torture.stop, true);
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(atomic_load(&torture.nr_bad), 0);
    EXPECT_EQ(object_resize(fixture->object, 0), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
}

/* Create, publish, find, fill and forget objects of one name. */
static void
torture_names_run(void *arg)
{
    struct torture *torture = arg;
    struct container *container = torture->object->container;

    while (!atomic_load(&torture->stop)) {
        struct vm_object *object;

        if (object_create_anon(&object, container, "torture", 10) != OK) {
            atomic_fetch_add(&torture->nr_bad, 1);
            return;
        }
        if (object_publish(object, "/torture") != OK) {
            object_put(object);
            if (object_open(&object, "/torture") != OK) {
                continue;
            }
            (void)object_unlink("/torture");
        }
        if (object_page_ptr(object, 3) == NULL) {
            atomic_fetch_add(&torture->nr_bad, 1);
        }
        object_put(object);
        cpu_pause();
    }
}

TEST(object, torture_names)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    struct thread *threads[TORTURE_THREADS];
    static struct torture torture;

    memset(&torture, 0, sizeof(torture));
    torture.object = fixture->object;
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        threads[i] =
            thread_create("torture", torture_names_run, &torture, NULL);
        verify(threads[i] != NULL);
    }
    thread_sleep(UINT64_C(20000000) * t->iterations);
    atomic_store(&torture.stop, true);
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(atomic_load(&torture.nr_bad), 0);
    (void)object_unlink("/torture");
}
