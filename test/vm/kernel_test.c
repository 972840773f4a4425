/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own space.
 */
#include <stddef.h>

#include <arch/pmap.h>
#include <kern/alloc_check.h>
#include <kern/cpu.h>
#include <kern/kva.h>
#include <kern/page.h>
#include <kern/rcu.h>
#include <kern/slab.h>
#include <kern/thread.h>
#include <lib/string.h>
#include <vm/kernel.h>
#include <vm/space.h>
#include <vm/space_types.h>
#include <vm/tree.h>
#include <test/kern/hog.h>
#include <test/test.h>

#define KERNEL_PROT (PMAP_READ | PMAP_WRITE)

/* An address with a node of its own, in nobody's arena. */
#define KERNEL_TEST_VA (KVA_BASE + GIB(16))

#define KERNEL_TEST_NR_PAGES 600

static uintptr_t
kernel_test_map(struct test *t, uintptr_t va, size_t nr_pages)
{
    struct space_mapping mapping = {
        .va = va,
        .size = nr_pages * PAGE_SIZE,
        .prot = KERNEL_PROT,
        .flags = SPACE_MAP_WIRED | (va != 0 ? SPACE_MAP_FIXED : 0),
    };

    EXPECT_EQ(space_map(kernel_space, &mapping, &va), OK);
    return va;
}

static void
kernel_test_unmap(struct test *t, uintptr_t va, size_t nr_pages)
{
    EXPECT_EQ(space_unmap(kernel_space, va, nr_pages * PAGE_SIZE), OK);
    space_trim(kernel_space, va, va + nr_pages * PAGE_SIZE);
}

TEST(kernel_space, mapping_is_there_for_all_and_for_the_kernel_alone)
{
    uintptr_t va = kernel_test_map(t, 0, KERNEL_TEST_NR_PAGES);
    struct pmap_walk walk;

    for (size_t i = 0; i < KERNEL_TEST_NR_PAGES; i++) {
        volatile uint64_t *word = (uint64_t *)(va + i * PAGE_SIZE);

        EXPECT_EQ(*word, 0);
        *word = i;
    }
    ASSERT(pmap_walk(va, &walk));
    EXPECT(walk.global && !walk.user);
    EXPECT_EQ(walk.prot, pmap_prot_enforced(KERNEL_PROT));
    kernel_test_unmap(t, va, KERNEL_TEST_NR_PAGES);
    EXPECT(!pmap_walk(va, &walk));
}

TEST(kernel_space, protection_is_changed)
{
    uintptr_t va = kernel_test_map(t, 0, 2);
    struct pmap_walk walk;

    EXPECT_EQ(space_protect(kernel_space, va, PAGE_SIZE, PMAP_READ), OK);
    ASSERT(pmap_walk(va, &walk));
    EXPECT_EQ(walk.prot, pmap_prot_enforced(PMAP_READ));
    ASSERT(pmap_walk(va + PAGE_SIZE, &walk));
    EXPECT_EQ(walk.prot, pmap_prot_enforced(KERNEL_PROT));
    kernel_test_unmap(t, va, 2);
}

static void
kernel_test_free(void *ptr)
{
    kva_free(ptr);
}

/* A range of a page, with its guard page below. */
static uintptr_t
kernel_test_alloc(struct test *t)
{
    void *ptr = kva_alloc(PAGE_SIZE, "kernel test");

    EXPECT(ptr != NULL);
    test_cleanup(t, kernel_test_free, ptr);
    return (uintptr_t)ptr;
}

TEST(kernel_space, guard_page_cannot_be_given_a_protection)
{
    uintptr_t va = kernel_test_alloc(t), guard = va - PAGE_SIZE;
    struct pmap_walk walk;

    for (unsigned int prot = 0; prot <= KERNEL_PROT; prot++) {
        EXPECT_EQ(space_protect(kernel_space, guard, PAGE_SIZE, prot),
                  ERR_ACCESS);
        EXPECT_EQ(space_protect(kernel_space, guard, 2 * PAGE_SIZE, prot),
                  ERR_ACCESS);
    }
    EXPECT(!pmap_walk(guard, &walk));
    ASSERT(pmap_walk(va, &walk));
    EXPECT_EQ(walk.prot, pmap_prot_enforced(KERNEL_PROT));
    EXPECT_EQ(space_fault(kernel_space, guard, FAULT_READ), ERR_ACCESS);
}

TEST(kernel_space, how_pages_are_used_is_not_known)
{
    uintptr_t va = kernel_test_alloc(t), guard = va - PAGE_SIZE;
    unsigned int used;

    EXPECT_EQ(space_take_used(kernel_space, guard, &used), ERR_UNSUPPORTED);
    EXPECT_EQ(space_take_used(kernel_space, va, &used), ERR_UNSUPPORTED);
    *(volatile char *)va = 1;
}

TEST(kernel_space, protection_is_taken_and_given_back)
{
    uintptr_t va = kernel_test_map(t, 0, 2);
    volatile uint64_t *word = (uint64_t *)va;
    struct pmap_walk walk;

    *word = 1;
    EXPECT_EQ(space_protect(kernel_space, va, PAGE_SIZE, 0), OK);
    EXPECT(!pmap_walk(va, &walk));
    EXPECT_EQ(space_protect(kernel_space, va, PAGE_SIZE, KERNEL_PROT), OK);
    ASSERT(pmap_walk(va, &walk));
    EXPECT_EQ(walk.prot, pmap_prot_enforced(KERNEL_PROT));
    EXPECT_EQ(*word, 1);
    kernel_test_unmap(t, va, 2);
}

TEST(kernel_space, mapping_without_access_is_made_resident_later)
{
    struct space_mapping mapping = {
        .size = 2 * PAGE_SIZE,
        .flags = SPACE_MAP_WIRED,
    };
    struct pmap_walk walk;
    uintptr_t va;

    ASSERT(space_map(kernel_space, &mapping, &va) == OK);
    EXPECT(!pmap_walk(va, &walk));
    EXPECT_EQ(space_protect(kernel_space, va, PAGE_SIZE, KERNEL_PROT), OK);
    EXPECT_EQ(space_need(kernel_space, va, 2 * PAGE_SIZE), OK);
    EXPECT_EQ(*(volatile uint64_t *)va, 0);
    EXPECT(!pmap_walk(va + PAGE_SIZE, &walk));
    kernel_test_unmap(t, va, 2);
}

TEST(kernel_space, addresses_of_users_are_out_of_range)
{
    EXPECT_EQ(space_unmap(kernel_space, SPACE_START, PAGE_SIZE), ERR_RANGE);
    EXPECT_EQ(space_unmap(kernel_space, KVA_BASE - PAGE_SIZE, 2 * PAGE_SIZE),
              ERR_RANGE);
    EXPECT_EQ(space_unmap(kernel_space, KVA_BASE + KVA_SIZE - PAGE_SIZE,
                          2 * PAGE_SIZE),
              ERR_RANGE);
}

/* The level of the terminal slot that stands for an address. */
static unsigned int
kernel_test_level(uintptr_t va)
{
    struct vm_place place;

    rcu_read_lock();
    tree_find(&kernel_space->tree, va, &place);
    rcu_read_unlock();
    return place.level;
}

TEST(kernel_space, node_that_is_empty_is_unlinked)
{
    unsigned int level = kernel_test_level(KERNEL_TEST_VA);

    EXPECT(level > 0);
    for (int i = 0; i < 3; i++) {
        kernel_test_map(t, KERNEL_TEST_VA, 1);
        *(volatile char *)KERNEL_TEST_VA = 1;
        EXPECT_EQ(kernel_test_level(KERNEL_TEST_VA), 0);
        kernel_test_unmap(t, KERNEL_TEST_VA, 1);
        EXPECT_EQ(kernel_test_level(KERNEL_TEST_VA), level);
    }
}

static void
kernel_test_append(void *arg)
{
    strlcat(arg, ", read", PAGE_SIZE);
}

TEST(kernel_space, one_cpus_mapping_serves_the_others)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        struct thread_attr attr = { .pinned = true, .cpu = cpu };
        uintptr_t va = kernel_test_map(t, 0, 1);
        struct thread *thread;

        strlcpy((char *)va, "written by another", PAGE_SIZE);
        thread = thread_create("kernel space", kernel_test_append, (void *)va,
                               &attr);
        ASSERT(thread != NULL);
        thread_join(thread);
        EXPECT_STREQ((char *)va, "written by another, read");
        kernel_test_unmap(t, va, 1);
    }
}

/* A shrinker that looks how it is called. */
static bool kernel_test_is_asked, kernel_test_was_inside;

static void
kernel_test_shrink(void)
{
    if (kernel_test_is_asked) {
        kernel_test_was_inside = kernel_test_was_inside ||
                                 alloc_check_is_inside();
    }
}

/* Constructors of objects are called by the allocator. */
static void
kernel_test_construct(void *object __unused)
{
    kernel_test_was_inside = alloc_check_is_inside();
}

TEST(kernel_space, entering_it_inside_of_an_allocator_would_be_found)
{
    static struct slab_cache cache;
    void *object;

    kernel_test_was_inside = false;
    slab_cache_init(&cache, "kernel test", 64, 0, 0);
    slab_cache_set_ctor(&cache, kernel_test_construct);
    object = slab_alloc(&cache);
    ASSERT(object != NULL);
    EXPECT_EQ(kernel_test_was_inside, ALLOC_IS_CHECKED);
    EXPECT(!alloc_check_is_inside());
    slab_free(&cache, object);
    slab_cache_destroy(&cache);
}

TEST(kernel_space, shrinkers_may_enter_it)
{
    static struct page_shrinker shrinker = {
        .name = "kernel test",
        .order = PAGE_SHRINK_KVA,
        .shrink = kernel_test_shrink,
    };
    static bool is_registered;
    struct list blocks = LIST_INITIALIZER(blocks);
    struct page *page;

    if (!is_registered) {
        page_register_shrinker(&shrinker);
        is_registered = true;
    }
    kernel_test_was_inside = false;
    hog_take_all(&blocks);
    kernel_test_is_asked = true;
    page = page_alloc(0, 0);
    kernel_test_is_asked = false;
    if (page != NULL) {
        page_free(page, 0);
    }
    hog_give_all(&blocks);
    EXPECT(!kernel_test_was_inside);
}
