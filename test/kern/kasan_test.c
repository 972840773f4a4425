/* SPDX-License-Identifier: MIT */
/*
 * KASAN builds: each kind of bad access is reported, and no good one.
 *
 * Pointers and indices pass through volatile variables or empty assembly, so
 * that the compiler neither sees the mistake nor drops it.  A write that is
 * let through in spite of the report hits red zones only, or memory that
 * nobody else uses.
 */
#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/trap.h>
#include <arch/user_copy.h>
#include <kern/cpu.h>
#include <kern/kasan.h>
#include <kern/kmalloc.h>
#include <kern/kva.h>
#include <kern/page.h>
#include <kern/preempt.h>
#include <kern/sanitizer.h>
#include <kern/slab.h>
#include <kern/zero_pool.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <test/test.h>

#define KASAN_TEST_SIZE 20

#define KASAN_SKIP()                                                           \
    do {                                                                       \
        if (!SANITIZER_IS_KASAN) {                                             \
            SKIP("not a KASAN build");                                         \
        }                                                                      \
    } while (0)

static volatile char kasan_sink;

/* With red zones behind it. */
static char kasan_global[KASAN_TEST_SIZE];

/* A pointer that the compiler knows nothing of. */
static volatile char *
kasan_hide(void *ptr)
{
    __asm__ volatile("" : "+r"(ptr) : : "memory");
    return ptr;
}

__noinline static void
kasan_read(void *ptr, size_t offset)
{
    sanitizer_expect_begin();
    kasan_sink = kasan_hide(ptr)[offset];
}

__noinline static void
kasan_write(void *ptr, size_t offset)
{
    sanitizer_expect_begin();
    kasan_hide(ptr)[offset] = 0;
}

/* After one of these: see that there was one report, with these words. */
static void
kasan_expect(struct test *t, const char *text)
{
    EXPECT_EQ(sanitizer_expect_end(), 1);
    if (strstr(sanitizer_expected_text(), text) == NULL) {
        test_fail(t, __FILE__, __LINE__, "\"%s\" is not in \"%s\"", text,
                  sanitizer_expected_text());
    }
}

static void
kasan_expect_nothing(struct test *t)
{
    EXPECT_EQ(sanitizer_expect_end(), 0);
    EXPECT_STREQ(sanitizer_expected_text(), "");
}

TEST(kasan, reports_read_behind_object)
{
    char *ptr;

    KASAN_SKIP();
    ptr = kmalloc(KASAN_TEST_SIZE);
    ASSERT(ptr != NULL);
    kasan_read(ptr, KASAN_TEST_SIZE - 1);
    kasan_expect_nothing(t);
    kasan_read(ptr, KASAN_TEST_SIZE);
    kasan_expect(t, "slab-out-of-bounds read of size 1 at");
    kasan_write(ptr, KASAN_TEST_SIZE);
    kasan_expect(t, "slab-out-of-bounds write of size 1 at");
    kfree(ptr);
}

TEST(kasan, reports_write_behind_full_object)
{
    char *ptr;

    KASAN_SKIP();
    ptr = kmalloc(64);
    ASSERT(ptr != NULL);
    kasan_write(ptr, 63);
    kasan_expect_nothing(t);
    kasan_read(ptr, 64);
    kasan_expect(t, "slab-out-of-bounds read");
    kfree(ptr);
}

/* A page that waits, full of zeros, is nobody's. */
TEST(kasan, reports_use_of_page_in_zero_pool)
{
    struct page *page;
    bool is_pooled;

    KASAN_SKIP();
    page = page_alloc(0, PAGE_ZERO);
    ASSERT(page != NULL);
    preempt_disable();
    zero_pool_put(page);
    is_pooled = zero_pool_nr(cpu_id()) != 0;
    preempt_enable();
    ASSERT(is_pooled);
    kasan_read(page_ptr(page), 100);
    kasan_expect(t, "page-use-after-free read of size 1 at");

    page = zero_pool_get();
    ASSERT(page != NULL);
    kasan_read(page_ptr(page), PAGE_SIZE - 1);
    kasan_expect_nothing(t);
    page_free(page, 0);
}

TEST(kasan, reports_use_after_free)
{
    char *ptr;

    KASAN_SKIP();
    ptr = kmalloc(KASAN_TEST_SIZE);
    ASSERT(ptr != NULL);
    kfree(ptr);
    kasan_read(ptr, 0);
    kasan_expect(t, "slab-use-after-free read of size 1 at");
    kasan_read(ptr, KASAN_TEST_SIZE - 1);
    kasan_expect(t, "slab-use-after-free read");
}

TEST(kasan, reports_word_across_the_end)
{
    char *ptr;

    KASAN_SKIP();
    ptr = kmalloc(KASAN_TEST_SIZE);
    ASSERT(ptr != NULL);
    sanitizer_expect_begin();
    kasan_sink = (char)*(volatile uint64_t *)kasan_hide(ptr + 16);
    kasan_expect(t, "slab-out-of-bounds read of size 8 at");
    kfree(ptr);
}

TEST(kasan, reports_double_free)
{
    void *ptr;

    KASAN_SKIP();
    ptr = kmalloc(KASAN_TEST_SIZE);
    ASSERT(ptr != NULL);
    kfree(ptr);
    sanitizer_expect_begin();
    kfree(ptr);
    kasan_expect(t, "double free");
}

TEST(kasan, reports_stable_objects_never)
{
    static struct slab_cache cache;
    char *ptr;

    KASAN_SKIP();
    slab_cache_init(&cache, "kasan test", KASAN_TEST_SIZE, 0, SLAB_TYPE_STABLE);
    ptr = slab_alloc(&cache);
    ASSERT(ptr != NULL);
    slab_free(&cache, ptr);
    kasan_read(ptr, KASAN_TEST_SIZE - 1);
    kasan_expect_nothing(t);
    kasan_read(ptr, 24);
    kasan_expect(t, "slab-out-of-bounds");
    slab_cache_destroy(&cache);
}

TEST(kasan, reports_page_after_free)
{
    struct page *page;
    char *ptr;

    KASAN_SKIP();
    page = page_alloc(0, 0);
    ASSERT(page != NULL);
    ptr = page_ptr(page);
    kasan_write(ptr, PAGE_SIZE - 1);
    kasan_expect_nothing(t);
    page_free(page, 0);
    kasan_read(ptr, PAGE_SIZE - 1);
    kasan_expect(t, "page-use-after-free read of size 1 at");
}

TEST(kasan, reports_large_object)
{
    char *ptr;

    KASAN_SKIP();
    ptr = kmalloc(PAGE_SIZE + 1);
    ASSERT(ptr != NULL);
    kasan_write(ptr, PAGE_SIZE);
    kasan_expect_nothing(t);
    kasan_write(ptr, PAGE_SIZE + 1);
    kasan_expect(t, "slab-out-of-bounds write");
    kfree(ptr);
    kasan_read(ptr, 0);
    kasan_expect(t, "page-use-after-free");
}

/* The copies from and to users are not the compiler's; nobody is there. */
TEST(kasan, reports_buffer_of_a_user_copy)
{
    char *ptr;
    size_t left;

    KASAN_SKIP();
    ptr = kmalloc(KASAN_TEST_SIZE);
    ASSERT(ptr != NULL);
    sanitizer_expect_begin();
    left = user_copy_in(ptr, 0, KASAN_TEST_SIZE);
    kasan_expect_nothing(t);
    EXPECT_EQ(left, KASAN_TEST_SIZE);
    sanitizer_expect_begin();
    left = user_copy_in(ptr, 0, KASAN_TEST_SIZE + 1);
    kasan_expect(t, "slab-out-of-bounds write");
    EXPECT_EQ(left, KASAN_TEST_SIZE + 1);
    kfree(ptr);
    sanitizer_expect_begin();
    left = user_copy_out(0, ptr, 1);
    kasan_expect(t, "slab-use-after-free read");
    EXPECT_EQ(left, 1);
}

TEST(kasan, reports_stack_overrun)
{
    char array[KASAN_TEST_SIZE];

    KASAN_SKIP();
    kasan_write(array, KASAN_TEST_SIZE - 1);
    kasan_expect_nothing(t);
    kasan_read(array, KASAN_TEST_SIZE);
    kasan_expect(t, "stack-out-of-bounds read of size 1 at");
    /* Not array[-1], which UBSAN reports too. */
    kasan_read((void *)((uintptr_t)array - 1), 0);
    kasan_expect(t, "stack-out-of-bounds");
}

TEST(kasan, reports_use_after_scope)
{
    volatile char *volatile ptr = NULL;

    KASAN_SKIP();
    for (size_t i = 0; i < 1; i++) {
        char array[KASAN_TEST_SIZE];

        array[0] = 0;
        ptr = kasan_hide(array);
    }
    sanitizer_expect_begin();
    kasan_sink = *ptr;
    kasan_expect(t, "stack-use-after-scope read");
}

TEST(kasan, reports_global_overrun)
{
    KASAN_SKIP();
    kasan_write(kasan_global, KASAN_TEST_SIZE - 1);
    kasan_expect_nothing(t);
    kasan_write(kasan_global, KASAN_TEST_SIZE);
    kasan_expect(t, "global-out-of-bounds write of size 1 at");
}

TEST(kasan, reports_string_functions)
{
    char *ptr;

    KASAN_SKIP();
    ptr = kmalloc(KASAN_TEST_SIZE);
    ASSERT(ptr != NULL);
    sanitizer_expect_begin();
    memset(ptr, 'x', KASAN_TEST_SIZE);
    memmove(ptr, ptr + 1, KASAN_TEST_SIZE - 1);
    kasan_expect_nothing(t);

    sanitizer_expect_begin();
    memset(ptr, 'x', KASAN_TEST_SIZE + 1);
    kasan_expect(t, "write of size 21 at");
    sanitizer_expect_begin();
    memcpy(kasan_global, ptr + 1, KASAN_TEST_SIZE);
    kasan_expect(t, "read of size 20 at");
    sanitizer_expect_begin();
    memmove(ptr + 1, kasan_global, KASAN_TEST_SIZE);
    kasan_expect(t, "write of size 20 at");
    kfree(ptr);
}

/* Its shadow must not remember the last use. */
TEST(kasan, reports_nothing_on_reused_addresses)
{
    KASAN_SKIP();
    for (unsigned int i = 0; i < 2; i++) {
        char *stack = kva_alloc_stack("kasan test");

        ASSERT(stack != NULL);
        sanitizer_expect_begin();
        memset(stack, 0, KERNEL_STACK_SIZE);
        kasan_expect_nothing(t);
        kva_free(stack);
        kva_purge();
    }
}

/* A failed read leaves the handlers of its trap without their epilogues. */
TEST(kasan, reports_nothing_below_failed_safe_read)
{
    uintptr_t sp = cpu_stack_pointer();
    uint64_t value;

    KASAN_SKIP();
    EXPECT(!trap_safe_read(1, &value));
    sanitizer_expect_begin();
    for (size_t i = KASAN_GRANULE; i < PAGE_SIZE; i += KASAN_GRANULE) {
        kasan_sink = *kasan_hide((void *)(sp - i));
    }
    kasan_expect_nothing(t);
}
