/* SPDX-License-Identifier: MIT */
/*
 * Kernel virtual addresses.
 */

#include <arch/pmap.h>
#include <kern/cpu.h>
#include <kern/kva.h>
#include <kern/page.h>
#include <kern/thread.h>
#include <lib/string.h>
#include <test/kern/hog.h>
#include <test/stay.h>
#include <test/test.h>

#define KVA_TEST_SLOTS  64
#define KVA_TEST_ROUNDS 600
#define KVA_TEST_PAGES  8
#define KVA_TEST_LARGE  MIB(3)

/* A physical address of the local APIC: a device on every machine. */
#define KVA_TEST_DEVICE UINT64_C(0xfee00000)

static void
kva_test_free(void *ptr)
{
    kva_free(ptr);
}

/* Allocate up to KVA_TEST_SLOTS stacks; how many there were. */
static size_t
kva_test_fill(void **ptrs)
{
    size_t nr = 0;

    while (nr < KVA_TEST_SLOTS &&
           (ptrs[nr] = kva_alloc_stack("exhausted")) != NULL) {
        nr++;
    }
    return nr;
}

static void
kva_test_empty(void **ptrs, size_t nr)
{
    while (nr > 0) {
        kva_free(ptrs[--nr]);
    }
}

TEST(kva, stack_is_writable_from_end_to_end)
{
    uint8_t *stack = kva_alloc_stack("test");

    ASSERT(stack != NULL);
    test_cleanup(t, kva_test_free, stack);
    memset(stack, 0x5a, KERNEL_STACK_SIZE);
    EXPECT_EQ(stack[0], 0x5a);
    EXPECT_EQ(stack[KERNEL_STACK_SIZE - 1], 0x5a);
}

TEST(kva, pages_on_both_sides_are_not_mapped)
{
    uint8_t *a = kva_alloc(PAGE_SIZE, "a");
    uint8_t *b = kva_alloc(PAGE_SIZE, "b");
    uint8_t *c = kva_alloc(PAGE_SIZE, "c");
    struct pmap_walk walk;

    ASSERT(a != NULL && b != NULL && c != NULL);
    EXPECT(pmap_walk((uintptr_t)b, &walk));
    EXPECT(!pmap_walk((uintptr_t)b - 1, &walk));
    EXPECT(!pmap_walk((uintptr_t)b + PAGE_SIZE, &walk));
    kva_free(a);
    kva_free(b);
    kva_free(c);
}

TEST(kva, guard_page_tells_whose_it_is)
{
    uintptr_t stack = (uintptr_t)kva_alloc_stack("stack of a test");
    struct kva_info info;

    ASSERT(stack != 0);
    test_cleanup(t, kva_test_free, (void *)stack);
    ASSERT(kva_find(stack - 1, &info));
    EXPECT_EQ(info.place, KVA_PLACE_GUARD);
    EXPECT_STREQ(info.name, "stack of a test");
    EXPECT_EQ(info.base, stack);
    EXPECT_EQ(info.size, KERNEL_STACK_SIZE);
    ASSERT(kva_find(stack + KERNEL_STACK_SIZE - 1, &info));
    EXPECT_EQ(info.place, KVA_PLACE_INSIDE);
}

TEST(kva, freed_range_is_known_until_it_is_flushed)
{
    uintptr_t ptr = (uintptr_t)kva_alloc(PAGE_SIZE, "freed");
    struct kva_info info;
    struct pmap_walk walk;

    ASSERT(ptr != 0);
    kva_free((void *)ptr);
    EXPECT(!pmap_walk(ptr, &walk));
    ASSERT(kva_find(ptr, &info));
    EXPECT_EQ(info.place, KVA_PLACE_FREED);
    EXPECT_STREQ(info.name, "freed");
    kva_purge();
    EXPECT(!kva_find(ptr, &info));
}

/* The physical address that an address of the kernel leads to. */
static paddr_t
kva_test_phys(const void *ptr)
{
    struct pmap_walk walk;

    return pmap_walk((uintptr_t)ptr, &walk) ? walk.phys : PADDR_NONE;
}

/*
 * Run a test on one CPU: what is allocated and freed on another is not what it
 * finds again.
 */
static void
kva_test_pinned(struct test *t, void (*fn)(void *arg))
{
    struct thread_attr attr = { .pinned = true, .cpu = cpu_id() };
    struct thread *thread = thread_create("kva test", fn, t, &attr);

    ASSERT(thread != NULL);
    thread_join(thread);
}

static void
kva_test_reuse_freed(void *arg)
{
    struct test *t = arg;
    char *first, *second;
    paddr_t phys;

    kva_purge();
    first = kva_alloc_stack("first");
    ASSERT(first != NULL);
    phys = kva_test_phys(first);
    first[5] = 5;
    kva_free(first);
    second = kva_alloc_stack("second");
    ASSERT(second != NULL);
    EXPECT(second == first);
    EXPECT_EQ(kva_test_phys(second), phys);
    EXPECT_EQ(second[5], 5);
    kva_free(second);
}

TEST(kva, freed_stack_comes_back_as_it_was)
{
    kva_test_pinned(t, kva_test_reuse_freed);
}

/* CPUs may still translate these addresses as before. */
TEST(kva, addresses_do_not_get_other_memory_before_the_flush)
{
    char *first = kva_alloc(3 * PAGE_SIZE, "first");
    paddr_t phys[3];
    char *second;

    ASSERT(first != NULL);
    for (size_t i = 0; i < 3; i++) {
        phys[i] = kva_test_phys(first + i * PAGE_SIZE);
    }
    kva_free(first);
    for (size_t nr = 1; nr <= 4; nr++) {
        second = kva_alloc(nr * PAGE_SIZE, "second");
        ASSERT(second != NULL);
        for (size_t i = 0; i < 3; i++) {
            paddr_t now = kva_test_phys(first + i * PAGE_SIZE);

            EXPECT(now == PADDR_NONE || now == phys[i]);
        }
        kva_free(second);
    }
}

TEST(kva, registers_do_not_come_back_as_memory)
{
    void *device = kva_map_mmio(KVA_TEST_DEVICE, PAGE_SIZE, PMAP_UC, "device");
    void *memory;

    ASSERT(device != NULL);
    kva_free(device);
    memory = kva_alloc(PAGE_SIZE, "memory");
    ASSERT(memory != NULL);
    /* All addresses may have been flushed meanwhile, when memory is short. */
    EXPECT(kva_test_phys(memory) != KVA_TEST_DEVICE);
    kva_free(memory);
}

static void
kva_test_reuse_flushed(void *arg)
{
    struct test *t = arg;
    void *first, *second;

    kva_purge();
    first = kva_alloc_stack("first");
    ASSERT(first != NULL);
    kva_free(first);
    kva_purge();
    second = kva_alloc_stack("second");
    EXPECT(second == first);
    if (second != NULL) {
        kva_free(second);
    }
}

TEST(kva, addresses_are_reused_after_the_flush)
{
    kva_test_pinned(t, kva_test_reuse_flushed);
}

TEST(kva, much_that_is_freed_is_flushed_by_itself)
{
    size_t nr_dirty = 0;

    /* None is of the size of another, so none comes back. */
    for (size_t i = 0; i < KVA_TEST_SLOTS; i++) {
        void *ptr = kva_alloc((i + 1) * PAGE_SIZE, "dirty");

        ASSERT(ptr != NULL);
        kva_free(ptr);
        nr_dirty = MAX(nr_dirty, kva_nr_dirty());
    }
    EXPECT(nr_dirty > 0);
    EXPECT(nr_dirty < cpu_nr_possible * (MIB(2) + KVA_TEST_SLOTS * PAGE_SIZE));
}

TEST(kva, large_range_is_known_from_end_to_end)
{
    uintptr_t ptr = (uintptr_t)kva_alloc(KVA_TEST_LARGE, "large");
    struct kva_info info;

    ASSERT(ptr != 0);
    test_cleanup(t, kva_test_free, (void *)ptr);
    for (size_t i = 0; i < KVA_TEST_LARGE; i += PAGE_SIZE) {
        *(volatile char *)(ptr + i) = 1;
    }
    ASSERT(kva_find(ptr + KVA_TEST_LARGE - 1, &info));
    EXPECT_EQ(info.base, ptr);
    EXPECT_EQ(info.size, KVA_TEST_LARGE);
    EXPECT_EQ(info.place, KVA_PLACE_INSIDE);
    EXPECT(!kva_find(ptr + KVA_TEST_LARGE, &info) || info.base != ptr);
}

TEST(kva, walk_over_ranges_passes_each_once)
{
    uintptr_t ptr = (uintptr_t)kva_alloc(PAGE_SIZE, "walked");
    uintptr_t addr = KVA_BASE;
    struct kva_info info;
    size_t nr = 0;

    ASSERT(ptr != 0);
    test_cleanup(t, kva_test_free, (void *)ptr);
    while (kva_find_next(addr, &info)) {
        ASSERT(info.base + info.size > addr);
        nr += info.base == ptr;
        addr = info.base + info.size;
    }
    EXPECT_EQ(nr, 1);
}

TEST(kva, long_name_is_cut)
{
    void *ptr = kva_alloc(1, "a name that is much longer than there is room");
    struct kva_info info;

    ASSERT(ptr != NULL);
    test_cleanup(t, kva_test_free, ptr);
    ASSERT(kva_find((uintptr_t)ptr, &info));
    EXPECT_EQ(strlen(info.name), KVA_NAME_SIZE - 1);
}

TEST(kva, device_is_mapped_uncached_at_its_offset)
{
    uintptr_t ptr =
        (uintptr_t)kva_map_mmio(KVA_TEST_DEVICE + 0x30, 4, PMAP_UC, "device");
    struct pmap_walk walk;

    ASSERT(ptr != 0);
    test_cleanup(t, kva_test_free, (void *)ptr);
    ASSERT(pmap_walk(ptr, &walk));
    EXPECT_EQ(walk.phys, KVA_TEST_DEVICE + 0x30);
    EXPECT_EQ(walk.cache, PMAP_UC);
    EXPECT_EQ(walk.prot, pmap_prot_enforced(PMAP_READ | PMAP_WRITE));
}

TEST(kva, absurd_sizes_return_null)
{
    EXPECT(kva_alloc(0, "nothing") == NULL);
    EXPECT(kva_alloc(SIZE_MAX, "all") == NULL);
    EXPECT(kva_map_mmio(~(paddr_t)0 - 10, 100, PMAP_UC, "wraps") == NULL);
    EXPECT(kva_map_mmio(0, 0, PMAP_UC, "nothing") == NULL);
}

TEST(kva, unknown_addresses_are_not_found)
{
    struct kva_info info;

    EXPECT(!kva_find(0, &info));
    EXPECT(!kva_find(KVA_BASE, &info));
    EXPECT(!kva_find(KVA_BASE + KVA_SIZE, &info));
    EXPECT(!kva_find((uintptr_t)&info, &info) ||
           info.place == KVA_PLACE_INSIDE);
}

TEST(kva, exhaustion_returns_null_and_all_comes_back)
{
    static void *ptrs[KVA_TEST_SLOTS];
    struct list blocks = LIST_INITIALIZER(blocks);
    size_t nr_free, nr_used, nr;

    /* Have the page tables and descriptors for what comes, and KASAN's shadow,
     * which is kept: of addresses of this CPU. */
    test_stay(t);
    nr = kva_test_fill(ptrs);
    kva_test_empty(ptrs, nr);
    hog_settle();
    nr_free = page_nr_free();
    nr_used = kva_nr_used();
    hog_take_all_but(&blocks, 16);
    nr = kva_test_fill(ptrs);
    EXPECT(nr < KVA_TEST_SLOTS);
    kva_test_empty(ptrs, nr);
    hog_give_all(&blocks);
    hog_settle();
    EXPECT_EQ(page_nr_free(), nr_free);
    EXPECT_EQ(kva_nr_used(), nr_used);
    EXPECT_EQ(kva_nr_dirty(), 0);
}

TEST(kva, random_ranges_never_overlap)
{
    static uint64_t *ptrs[KVA_TEST_SLOTS];
    size_t nr_used = kva_nr_used();

    for (uint64_t i = 0; i < KVA_TEST_ROUNDS * t->iterations; i++) {
        size_t slot = rand_below(&t->rand, KVA_TEST_SLOTS);
        size_t nr = 1 + rand_below(&t->rand, KVA_TEST_PAGES);

        if (ptrs[slot] != NULL) {
            EXPECT_EQ(ptrs[slot][0], slot);
            EXPECT_EQ(ptrs[slot][ptrs[slot][1]], slot);
            kva_free(ptrs[slot]);
            ptrs[slot] = NULL;
            continue;
        }
        ptrs[slot] = kva_alloc(nr * PAGE_SIZE, "random");
        ASSERT(ptrs[slot] != NULL);
        ptrs[slot][0] = slot;
        ptrs[slot][1] = nr * PAGE_SIZE / 8 - 1;
        ptrs[slot][nr * PAGE_SIZE / 8 - 1] = slot;
    }
    for (size_t i = 0; i < KVA_TEST_SLOTS; i++) {
        if (ptrs[i] != NULL) {
            kva_free(ptrs[i]);
            ptrs[i] = NULL;
        }
    }
    EXPECT_EQ(kva_nr_used(), nr_used);
}
