/* SPDX-License-Identifier: MIT */
/*
 * Failures on purpose, and what the core does when an allocation fails.
 */
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/fail.h>
#include <kern/kmalloc.h>
#include <kern/kva.h>
#include <kern/page.h>
#include <kern/rcu_radix.h>
#include <kern/sref.h>
#include <kern/thread.h>
#include <kern/zero_pool.h>
#include <test/test.h>

/* More places than any function here has. */
#define FAIL_TEST_MAX 200

#define FAIL_SKIP()                                                            \
    do {                                                                       \
        if (!FAIL_IS_BUILT) {                                                  \
            SKIP("needs DEBUG=1");                                             \
        }                                                                      \
    } while (0)

/*
 * Call a function with its first allocation failing, its second and so on.
 * It must fail in each case until it has none left, and then succeed.
 */
static void
fail_walk(struct test *t, bool (*fn)(struct fail *fail, uint64_t at))
{
    struct fail fail;
    uint64_t at = 0;
    bool is_done;

    do {
        is_done = fn(&fail, at++);
        EXPECT_EQ(is_done, fail.nr_failed == 0);
        ASSERT(at < FAIL_TEST_MAX);
    } while (fail.nr_failed != 0);
    EXPECT(at > 1);
}

TEST(fail, nth_allocation_fails)
{
    struct page *page;
    struct fail fail;

    FAIL_SKIP();
    fail_begin_at(&fail, 2);
    for (int i = 0; i < 4; i++) {
        page = page_alloc(0, 0);
        EXPECT_EQ(page == NULL, i == 2);
        if (page != NULL) {
            page_free(page, 0);
        }
    }
    fail_end(&fail);
    EXPECT_EQ(fail.nr_sites, 4);
    EXPECT_EQ(fail.nr_failed, 1);
    page = page_alloc(0, 0);
    ASSERT(page != NULL);
    page_free(page, 0);
}

TEST(fail, some_allocations_fail_at_random)
{
    struct fail fail;

    FAIL_SKIP();
    fail_begin_random(&fail, rand_u64(&t->rand), 10);
    for (int i = 0; i < 1000; i++) {
        kfree(kmalloc(100));
    }
    fail_end(&fail);
    EXPECT(fail.nr_sites >= 1000);
    EXPECT(fail.nr_failed > fail.nr_sites / 20);
    EXPECT(fail.nr_failed < fail.nr_sites / 5);
}

static void
fail_test_allocate(void *arg)
{
    for (int i = 0; i < 100; i++) {
        struct page *page = zero_pool_get();

        *(unsigned int *)arg += page == NULL;
        if (page != NULL) {
            page_free(page, 0);
        }
    }
}

TEST(fail, other_threads_are_not_concerned)
{
    unsigned int nr_failed = 0;
    struct thread *thread;
    struct fail fail;

    FAIL_SKIP();
    thread = thread_create("other", fail_test_allocate, &nr_failed, NULL);
    ASSERT(thread != NULL);
    fail_begin_random(&fail, 1, 1);
    EXPECT(zero_pool_get() == NULL);
    thread_join(thread);
    fail_end(&fail);
    EXPECT_EQ(nr_failed, 0);
}

static bool
fail_test_page(struct fail *fail, uint64_t at)
{
    struct page *page;

    fail_begin_at(fail, at);
    page = page_alloc(3, PAGE_ZERO);
    fail_end(fail);
    if (page != NULL) {
        page_free(page, 3);
    }
    return page != NULL;
}

static bool
fail_test_kva(struct fail *fail, uint64_t at)
{
    void *ptr;

    fail_begin_at(fail, at);
    ptr = kva_alloc(10 * PAGE_SIZE, "test");
    fail_end(fail);
    if (ptr != NULL) {
        kva_free(ptr);
    }
    return ptr != NULL;
}

static bool
fail_test_radix(struct fail *fail, uint64_t at)
{
    struct rcu_radix tree;
    status_t status;

    rcu_radix_init(&tree);
    fail_begin_at(fail, at);
    status = rcu_radix_insert(&tree, 1U << 25, &tree);
    fail_end(fail);
    rcu_radix_destroy(&tree);
    return status == OK;
}

TEST(fail, allocators_fail_at_each_site)
{
    FAIL_SKIP();
    fail_walk(t, fail_test_page);
    fail_walk(t, fail_test_kva);
    fail_walk(t, fail_test_radix);
}

static struct container *fail_test_parent;

static bool
fail_test_container(struct fail *fail, uint64_t at)
{
    struct container *container;
    status_t status;

    fail_begin_at(fail, at);
    status = container_create(&container, fail_test_parent, "test");
    fail_end(fail);
    if (status == OK) {
        container_put(container);
        (void)sref_sync(CLOCK_NEVER);
    }
    return status == OK;
}

TEST(fail, container_fails_at_each_site)
{
    FAIL_SKIP();
    ASSERT(container_create(&fail_test_parent, container_root, "parent") == OK);
    fail_walk(t, fail_test_container);
    EXPECT_EQ(container_used(fail_test_parent, CONTAINER_OBJECTS), 0);
    container_put(fail_test_parent);
    (void)sref_sync(CLOCK_NEVER);
}
