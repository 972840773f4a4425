/* SPDX-License-Identifier: MIT */
/*
 * Operations on much memory: that they end and do what they should.  What
 * they keep others waiting is recorded where LATENCY=1 or DEBUG=1 built the
 * kernel, see doc/latency.md.
 *
 * iterations= multiplies the pages that are used: with 489 and 6 GiB of memory
 * there are 10^6 of them.
 */
#include <stddef.h>

#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/page.h>
#include <test/vm/space_fixture.h>

/* Pages that are used: next to each other, or far apart. */
#define VAST_PAGES  2048
#define VAST_SPARSE 256

#define VAST_TIB (UINT64_C(1) << 40)

/* The least from one page to the next when they are far apart. */
#define VAST_STEP_MIN (UINT64_C(64) << 20)

/*
 * A mapping of 1 TiB, of which all CPUs use some pages.
 */
struct vast {
    struct space_fixture *fixture;
    size_t nr_pages;
    size_t step; /* bytes from one page that is used to the next */
};

/* As many as two thirds of free memory suffice for, at @pages_each for one. */
static size_t
vast_nr_pages(size_t wanted, size_t pages_each)
{
    return MIN(wanted, page_nr_free() * 2 / 3 / pages_each);
}

static uintptr_t
vast_va(const struct vast *vast, size_t i)
{
    return FIXTURE_VA + i * vast->step;
}

/* On each CPU. */
static void
vast_touch(void *arg)
{
    const struct vast *vast = arg;

    space_use(vast->fixture->space);
    for (size_t i = 0; i < vast->nr_pages; i++) {
        verify(user_write_u64(vast_va(vast, i), i) == OK);
    }
    space_use(NULL);
}

/* Use pages next to each other. */
static void
vast_begin(struct vast *vast, struct test *t)
{
    vast->fixture = space_fixture_create(t);
    vast->nr_pages = vast_nr_pages(VAST_PAGES * t->iterations, 1);
    vast->step = PAGE_SIZE;
    verify(fixture_map(vast->fixture, FIXTURE_VA, VAST_TIB, PROT_RW) == OK);
    all_cpus_run(vast_touch, vast);
}

/* Use pages that are far apart. */
static void
vast_begin_sparse(struct vast *vast, struct test *t)
{
    size_t wanted = MIN(VAST_SPARSE * t->iterations, VAST_TIB / VAST_STEP_MIN);

    vast->fixture = space_fixture_create(t);
    /* A page, two nodes, an array of sharers, two tables of each CPU. */
    vast->nr_pages = vast_nr_pages(wanted, 4 + 2 * cpu_nr_online());
    vast->step = ALIGN_DOWN(VAST_TIB / vast->nr_pages, PAGE_SIZE);
    verify(fixture_map(vast->fixture, FIXTURE_VA, VAST_TIB, PROT_RW) == OK);
    all_cpus_run(vast_touch, vast);
}

static void
vast_unmap(const struct vast *vast)
{
    struct space_fixture *fixture = vast->fixture;
    struct test *t = fixture->t;

    EXPECT_EQ(space_unmap(fixture->space, FIXTURE_VA, VAST_TIB), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
    EXPECT_EQ(fixture_read(FIXTURE_VA), UINT64_MAX);
    EXPECT_EQ(fixture_read(vast_va(vast, vast->nr_pages - 1)), UINT64_MAX);
}

TEST(vast, reserved_tebibyte_is_unmapped)
{
    struct vast vast = { .nr_pages = 1 };

    vast.fixture = space_fixture_create(t);
    EXPECT_EQ(fixture_map(vast.fixture, FIXTURE_VA, VAST_TIB, PROT_RW), OK);
    vast_unmap(&vast);
}

TEST(vast, tebibyte_with_pages_far_apart_is_unmapped)
{
    struct vast vast;

    vast_begin_sparse(&vast, t);
    vast_unmap(&vast);
}

TEST(vast, pages_are_unmapped)
{
    struct vast vast;

    vast_begin(&vast, t);
    vast_unmap(&vast);
}

static void
vast_protect(const struct vast *vast)
{
    struct space_fixture *fixture = vast->fixture;
    uintptr_t last = vast_va(vast, vast->nr_pages - 1);
    struct test *t = fixture->t;

    EXPECT_EQ(space_protect(fixture->space, FIXTURE_VA, VAST_TIB, PMAP_READ),
              OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 1), ERR_FAULT);
    EXPECT_EQ(user_write_u64(last, 1), ERR_FAULT);
    EXPECT_EQ(fixture_read(last), vast->nr_pages - 1);
}

TEST(vast, tebibyte_with_pages_far_apart_is_protected)
{
    struct vast vast;

    vast_begin_sparse(&vast, t);
    vast_protect(&vast);
}

TEST(vast, pages_are_protected)
{
    struct vast vast;

    vast_begin(&vast, t);
    vast_protect(&vast);
}

TEST(vast, pages_are_discarded)
{
    struct space_fixture *fixture;
    struct vast vast;

    vast_begin(&vast, t);
    fixture = vast.fixture;
    EXPECT_EQ(space_discard(fixture->space, FIXTURE_VA, VAST_TIB), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
    EXPECT_EQ(fixture_read(vast_va(&vast, vast.nr_pages - 1)), 0);
}

static void
vast_clone(const struct vast *vast)
{
    struct space_fixture *fixture = vast->fixture;
    size_t last = vast->nr_pages - 1;
    struct test *t = fixture->t;
    struct vm_space *clone;

    ASSERT(space_clone(&clone, fixture->space, fixture->container, "clone") ==
           OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES),
              vast->nr_pages);
    EXPECT_EQ(user_write_u64(vast_va(vast, last), 0), OK);
    space_use(clone);
    EXPECT_EQ(fixture_read(vast_va(vast, last)), last);
    space_use(fixture->space);
    space_put(clone);
}

TEST(vast, tebibyte_with_pages_far_apart_is_cloned)
{
    struct vast vast;

    vast_begin_sparse(&vast, t);
    vast_clone(&vast);
}

TEST(vast, pages_are_cloned)
{
    struct vast vast;

    vast_begin(&vast, t);
    vast_clone(&vast);
}
