/* SPDX-License-Identifier: MIT */
/*
 * Access to users' memory: that it is exact, where it ends, and what is asked
 * when a page is missing.
 */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <arch/user_copy.h>
#include <arch/utable.h>
#include <arch/x86/cpuid.h>
#include <kern/preempt.h>
#include <kern/thread.h>
#include <lib/string.h>
#include <test/arch/user_kit.h>
#include <test/test.h>

/* One page, and nothing around it. */
#define USER_TEST_VA  UINT64_C(0x0000123440001000)
#define USER_TEST_END (USER_TEST_VA + PAGE_SIZE)

#define USER_TEST_MAX  300 /* bytes of the longest copy */
#define USER_TEST_RW   (PMAP_READ | PMAP_WRITE)
#define USER_TEST_FILL 0xee

/* A kernel's buffer with guards. */
struct user_buffer {
    uint8_t below[8];
    uint8_t bytes[USER_TEST_MAX];
    uint8_t above[8];
};

static void
user_buffer_init(struct user_buffer *buffer)
{
    memset(buffer, USER_TEST_FILL, sizeof(*buffer));
}

/* Whether a buffer begins with @size bytes of @data and nothing else. */
static bool
user_buffer_holds(const struct user_buffer *buffer, const uint8_t *data,
                  size_t size)
{
    const uint8_t *raw = (const uint8_t *)buffer;

    for (size_t i = 0; i < sizeof(*buffer); i++) {
        size_t at = i - offsetof(struct user_buffer, bytes);

        if (raw[i] != (at < size ? data[at] : USER_TEST_FILL)) {
            return false;
        }
    }
    return true;
}

static uint8_t *
user_test_map(struct user_kit *kit, uintptr_t va)
{
    uint8_t *page = user_kit_map(kit, va, USER_TEST_RW);

    for (size_t i = 0; i < PAGE_SIZE; i++) {
        page[i] = (uint8_t)(i * 7 + i / 256);
    }
    return page;
}

/* All sizes, from all places before the end of a page, also across it. */
static void
user_test_in(struct user_kit *kit)
{
    const uint8_t *page = user_test_map(kit, USER_TEST_VA);
    struct user_buffer buffer;

    for (size_t size = 0; size <= USER_TEST_MAX; size += size < 70 ? 1 : 23) {
        for (size_t there = 0; there <= size; there += there < 70 ? 1 : 17) {
            uintptr_t src = USER_TEST_END - there;

            user_buffer_init(&buffer);
            KIT_CHECK(kit,
                      user_copy_in(buffer.bytes, src, size) == size - there);
            KIT_CHECK(kit, user_buffer_holds(&buffer, page + PAGE_SIZE - there,
                                             there));
        }
    }
}

TEST(user_copy, copies_in_what_is_there)
{
    user_kit_run(t, user_test_in);
}

static void
user_test_out(struct user_kit *kit)
{
    uint8_t *page = user_test_map(kit, USER_TEST_VA);
    struct user_buffer buffer;

    for (size_t size = 0; size <= USER_TEST_MAX; size += size < 70 ? 1 : 23) {
        for (size_t there = 0; there <= size; there += there < 70 ? 1 : 17) {
            uintptr_t dst = USER_TEST_END - there;

            user_buffer_init(&buffer);
            memset(page, 0, PAGE_SIZE);
            KIT_CHECK(kit,
                      user_copy_out(dst, buffer.bytes, size) == size - there);
            KIT_CHECK(kit,
                      there == PAGE_SIZE || page[PAGE_SIZE - there - 1] == 0);
            for (size_t i = 1; i <= there; i++) {
                KIT_CHECK(kit, page[PAGE_SIZE - i] == USER_TEST_FILL);
            }
        }
    }
}

TEST(user_copy, copies_out_to_what_is_there)
{
    user_kit_run(t, user_test_out);
}

static void
user_test_clear(struct user_kit *kit)
{
    uint8_t *page = user_test_map(kit, USER_TEST_VA);

    for (size_t size = 0; size <= USER_TEST_MAX; size++) {
        size_t there = size - size / 3;

        memset(page, USER_TEST_FILL, PAGE_SIZE);
        KIT_CHECK(kit, user_clear(USER_TEST_END - there, size) == size / 3);
        KIT_CHECK(kit, page[PAGE_SIZE - there - 1] == USER_TEST_FILL);
        for (size_t i = 1; i <= there; i++) {
            KIT_CHECK(kit, page[PAGE_SIZE - i] == 0);
        }
    }
}

TEST(user_copy, clears_what_is_there)
{
    user_kit_run(t, user_test_clear);
}

/* Whole pages, which are not next to each other in memory. */
static void
user_test_pages(struct user_kit *kit)
{
    struct page *block = page_alloc(2, 0);
    uint8_t *bytes;

    KIT_CHECK(kit, block != NULL);
    if (block == NULL) {
        return;
    }
    bytes = page_ptr(block);
    for (size_t i = 0; i < 4; i++) {
        user_test_map(kit, USER_TEST_VA + i * PAGE_SIZE);
    }
    KIT_CHECK(kit, user_copy_in(bytes, USER_TEST_VA, 4 * PAGE_SIZE) == 0);
    for (size_t i = 0; i < 4 * PAGE_SIZE; i++) {
        size_t at = i % PAGE_SIZE;

        KIT_CHECK(kit, bytes[i] == (uint8_t)(at * 7 + at / 256));
    }
    KIT_CHECK(kit, user_copy_out(USER_TEST_VA + 3, bytes, 4 * PAGE_SIZE) == 3);
    KIT_CHECK(kit, user_copy_in(bytes, USER_TEST_VA + 3, 3 * PAGE_SIZE) == 0);
    KIT_CHECK(kit, bytes[PAGE_SIZE + 5] == 35);
    page_free(block, 2);
}

TEST(user_copy, copies_pages)
{
    user_kit_run(t, user_test_pages);
}

/* The kernel's addresses, and those that cannot be. */
static void
user_test_bounds(struct user_kit *kit)
{
    static const uintptr_t addrs[] = {
        USER_END,
        USER_END + 1,
        UINT64_C(0x0000800000001000),
        UINT64_C(0x7fffffffffffffff),
        UINT64_C(0x8000000000000000),
        UINT64_C(0xffff7fffffffffff),
        DIRECT_MAP_BASE,
        KERNEL_BASE + KERNEL_LOAD_ADDR,
        UINT64_C(0xfffffffffffffff8),
        UINTPTR_MAX,
    };
    uint8_t bytes[128], zeros[128] = { 0 };

    memset(bytes, 0, sizeof(bytes));
    for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
        uintptr_t addr = addrs[i];
        uint64_t word = 0;
        uint32_t old = 0;

        KIT_CHECK(kit, user_copy_in(bytes, addr, 1) == 1);
        KIT_CHECK(kit, user_copy_in(bytes, addr, 128) == 128);
        KIT_CHECK(kit, user_copy_out(addr, bytes, 8) == 8);
        KIT_CHECK(kit, user_copy_out(addr, bytes, SIZE_MAX) == SIZE_MAX);
        KIT_CHECK(kit, user_clear(addr, 128) == 128);
        KIT_CHECK(kit, user_copy_in(bytes, addr, 0) == 0);
        KIT_CHECK(kit, user_copy_string((char *)bytes, addr, 8) == ERR_FAULT);
        addr = ALIGN_DOWN(addr, 8);
        KIT_CHECK(kit, user_read_u64(addr, &word) == ERR_FAULT);
        KIT_CHECK(kit, user_write_u64(addr, 1) == ERR_FAULT);
        KIT_CHECK(kit, user_write_u32(addr, 1) == ERR_FAULT);
        KIT_CHECK(kit, user_cas_u32(addr, &old, 1) == ERR_FAULT);
        KIT_CHECK(kit, word == 0 && old == 0);
    }
    KIT_CHECK(kit, memcmp(bytes, zeros, sizeof(bytes)) == 0);
    KIT_CHECK(kit, user_clear(0, SIZE_MAX) == SIZE_MAX);
}

TEST(user_copy, refuses_addresses_of_the_kernel)
{
    user_kit_run(t, user_test_bounds);
}

/* The last page that users can have: what is behind is never touched. */
static void
user_test_last(struct user_kit *kit)
{
    const uint8_t *page = user_test_map(kit, USER_END - PAGE_SIZE);
    struct user_buffer buffer;

    for (size_t size = 0; size < 200; size += 9) {
        for (size_t there = 0; there <= size; there += 5) {
            user_buffer_init(&buffer);
            KIT_CHECK(kit, user_copy_in(buffer.bytes, USER_END - there, size) ==
                               size - there);
            KIT_CHECK(kit, user_buffer_holds(&buffer, page + PAGE_SIZE - there,
                                             there));
            KIT_CHECK(kit, user_copy_out(USER_END - there, buffer.bytes,
                                         size) == size - there);
        }
    }
}

TEST(user_copy, ends_with_the_users_half)
{
    user_kit_run(t, user_test_last);
}

static void
user_test_read_only(struct user_kit *kit)
{
    const uint8_t *page = user_kit_map(kit, USER_TEST_VA, PMAP_READ);
    uint8_t bytes[100];
    uint32_t old = 0;

    memset(bytes, 1, sizeof(bytes));
    KIT_CHECK(kit, user_copy_out(USER_TEST_VA, bytes, 100) == 100);
    KIT_CHECK(kit, user_copy_out(USER_TEST_VA, bytes, 20) == 20);
    KIT_CHECK(kit, user_clear(USER_TEST_VA, 50) == 50);
    KIT_CHECK(kit, user_write_u64(USER_TEST_VA, 1) == ERR_FAULT);
    KIT_CHECK(kit, user_cas_u32(USER_TEST_VA, &old, 1) == ERR_FAULT);
    KIT_CHECK(kit, *(const uint64_t *)page == 0);
    KIT_CHECK(kit, user_copy_in(bytes, USER_TEST_VA, 100) == 0);
}

TEST(user_copy, respects_protection)
{
    user_kit_run(t, user_test_read_only);
}

static void
user_test_words(struct user_kit *kit)
{
    uint64_t *page = user_kit_map(kit, USER_TEST_VA, USER_TEST_RW);
    uint64_t value = 0;
    uint32_t old = 5;

    page[1] = UINT64_C(0x0123456789abcdef);
    KIT_CHECK(kit, user_read_u64(USER_TEST_VA + 8, &value) == OK);
    KIT_CHECK(kit, value == page[1]);
    KIT_CHECK(kit, user_read_u64(USER_TEST_VA + 4, &value) == ERR_FAULT);
    KIT_CHECK(kit, user_write_u64(USER_TEST_VA + 9, 7) == ERR_FAULT);
    KIT_CHECK(kit, user_write_u64(USER_TEST_VA + 16, 7) == OK);
    KIT_CHECK(kit, page[2] == 7);

    KIT_CHECK(kit, user_cas_u32(USER_TEST_VA + 16, &old, 9) == OK);
    KIT_CHECK(kit, old == 7 && page[2] == 7);
    KIT_CHECK(kit, user_cas_u32(USER_TEST_VA + 16, &old, 9) == OK);
    KIT_CHECK(kit, old == 7 && page[2] == 9);
    KIT_CHECK(kit, user_cas_u32(USER_TEST_VA + 20, &old, 1) == OK);
    KIT_CHECK(kit, old == 0);
    KIT_CHECK(kit, user_cas_u32(USER_TEST_VA + 18, &old, 1) == ERR_FAULT);

    page[3] = UINT64_MAX;
    KIT_CHECK(kit, user_write_u32(USER_TEST_VA + 28, 6) == OK);
    KIT_CHECK(kit, page[3] == UINT64_C(0x6ffffffff));
    KIT_CHECK(kit, user_write_u32(USER_TEST_VA + 26, 1) == ERR_FAULT);
}

TEST(user_copy, words)
{
    user_kit_run(t, user_test_words);
}

static void
user_test_strings(struct user_kit *kit)
{
    char *page = user_kit_map(kit, USER_TEST_VA, USER_TEST_RW);
    char text[200];

    memset(page, 'x', PAGE_SIZE);
    for (size_t len = 0; len < 150; len++) {
        uintptr_t va = USER_TEST_END - len - 1;

        page[PAGE_SIZE - 1] = '\0';
        KIT_CHECK(kit, user_copy_string(text, va, sizeof(text)) == OK);
        KIT_CHECK(kit, strlen(text) == len);
        KIT_CHECK(kit, user_copy_string(text, va, len + 1) == OK);
        KIT_CHECK(kit, user_copy_string(text, va, len) == ERR_OVERFLOW);
        page[PAGE_SIZE - 1] = 'x';
        KIT_CHECK(kit, user_copy_string(text, va, sizeof(text)) == ERR_FAULT);
    }
}

TEST(user_copy, strings)
{
    user_kit_run(t, user_test_strings);
}

/* Outside of these functions the kernel cannot get at users' memory. */
static void
user_test_smap(struct user_kit *kit)
{
    uint64_t value;

    user_kit_map(kit, USER_TEST_VA, USER_TEST_RW);
    KIT_CHECK(kit, user_read_u64(USER_TEST_VA, &value) == OK);
    KIT_CHECK(kit,
              trap_safe_read(USER_TEST_VA, &value) == !cpuid_has(CPUID_SMAP));
    KIT_CHECK(kit, user_read_u64(USER_TEST_END, &value) == ERR_FAULT);
    KIT_CHECK(kit,
              trap_safe_read(USER_TEST_VA, &value) == !cpuid_has(CPUID_SMAP));
}

TEST(user_copy, closes_the_door)
{
    user_kit_run(t, user_test_smap);
}

/*
 * The hook.  Each CPU resolves its own faults.
 */
#define USER_FLAG_AC UINT64_C(0x40000)

static bool user_test_refuses; /* constant during a test */

static status_t
user_test_fault(uintptr_t addr, unsigned int access)
{
    struct user_kit *kit = user_kit_this();
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    KIT_CHECK(kit, (flags & USER_FLAG_AC) == 0);
    KIT_CHECK(kit, cpu_irq_is_enabled() && preempt_is_enabled());
    kit->nr_faults++;
    kit->last_access = access;
    if (user_test_refuses) {
        return ERR_FAULT;
    }
    /* It may sleep. */
    thread_sleep(1000);
    user_test_map(kit, ALIGN_DOWN(addr, PAGE_SIZE));
    return OK;
}

static void
user_test_run_hook(struct test *t, user_kit_fn_t fn, bool refuses)
{
    user_fault_fn_t old;

    user_test_refuses = refuses;
    old = user_fault_register(user_test_fault);
    user_kit_run(t, fn);
    user_fault_register(old);
}

static void
user_test_resolve(struct user_kit *kit)
{
    uint64_t value = 0;
    uint8_t bytes[200];

    KIT_CHECK(kit, user_read_u64(USER_TEST_VA, &value) == OK);
    KIT_CHECK(kit, value == UINT64_C(0x312a231c150e0700));
    KIT_CHECK(kit, kit->nr_faults == 1 && kit->last_access == FAULT_READ);
    KIT_CHECK(kit, user_write_u64(USER_TEST_END, 1) == OK);
    KIT_CHECK(kit, kit->nr_faults == 2 && kit->last_access == FAULT_WRITE);

    /* Across two pages that are missing, and one that is there. */
    KIT_CHECK(kit, user_copy_in(bytes, USER_TEST_VA + MIB(1) - 100, 200) == 0);
    KIT_CHECK(kit, kit->nr_faults == 4);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        size_t at = (i + PAGE_SIZE - 100) % PAGE_SIZE;

        KIT_CHECK(kit, bytes[i] == (uint8_t)(at * 7 + at / 256));
    }
    KIT_CHECK(kit,
              user_copy_out(USER_TEST_END + PAGE_SIZE - 30, bytes, 60) == 0);
    KIT_CHECK(kit, kit->nr_faults == 5 && kit->last_access == FAULT_WRITE);
}

TEST(user_copy, faults_are_resolved)
{
    user_test_run_hook(t, user_test_resolve, false);
}

/* Who cannot be preempted does without. */
static void
user_test_atomic(struct user_kit *kit)
{
    uint64_t value, flags;

    preempt_disable();
    KIT_CHECK(kit, user_read_u64(USER_TEST_VA, &value) == ERR_FAULT);
    preempt_enable();
    flags = cpu_irq_save();
    KIT_CHECK(kit, user_read_u64(USER_TEST_VA, &value) == ERR_FAULT);
    KIT_CHECK(kit, !cpu_irq_is_enabled());
    cpu_irq_restore(flags);
    KIT_CHECK(kit, kit->nr_faults == 0);
    KIT_CHECK(kit, user_read_u64(USER_TEST_VA, &value) == OK);
    KIT_CHECK(kit, kit->nr_faults == 1);
}

TEST(user_copy, nothing_is_resolved_without_preemption)
{
    user_test_run_hook(t, user_test_atomic, false);
}

static void
user_test_refuse(struct user_kit *kit)
{
    uint64_t value;
    uint8_t bytes[100];

    user_test_map(kit, USER_TEST_VA);
    KIT_CHECK(kit, user_read_u64(USER_TEST_END, &value) == ERR_FAULT);
    KIT_CHECK(kit, kit->nr_faults == 1);
    KIT_CHECK(kit, user_copy_in(bytes, USER_TEST_END - 60, 100) == 40);
    KIT_CHECK(kit, kit->nr_faults > 1);
    KIT_CHECK(kit, cpu_irq_is_enabled() && preempt_is_enabled());
}

TEST(user_copy, faults_that_cannot_be_resolved_end_it)
{
    user_test_run_hook(t, user_test_refuse, true);
}
