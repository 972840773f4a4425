/* SPDX-License-Identifier: MIT */
/*
 * The kernel's page tables.
 */

#include <arch/image.h>
#include <arch/layout.h>
#include <arch/pmap.h>
#include <kern/bootmem.h>
#include <kern/page.h>
#include <test/kern/hog.h>
#include <test/test.h>

#define PMAP_TEST_LARGE       MIB(2)
#define PMAP_TEST_LARGE_ORDER 9

/* The start of the region, which kva_alloc() reaches last. */
#define PMAP_TEST_BASE KVA_BASE

TEST(pmap, nothing_is_writable_and_executable)
{
    struct pmap_walk walk;
    size_t nr = 0;

    if (pmap_prot_enforced(PMAP_READ) != PMAP_READ) {
        SKIP("this processor has no NX");
    }
    for (uintptr_t va = 0; pmap_walk_next(va, &walk); nr++) {
        if (walk.prot & PMAP_EXEC) {
            ASSERT(!(walk.prot & PMAP_WRITE));
        }
        va = walk.va + walk.size;
        if (va == 0) {
            break;
        }
    }
    EXPECT(nr > 0);
}

TEST(pmap, only_code_is_executable)
{
    struct pmap_walk walk;

    if (pmap_prot_enforced(PMAP_READ) != PMAP_READ) {
        SKIP("this processor has no NX");
    }
    for (uintptr_t va = 0; pmap_walk_next(va, &walk);) {
        if (walk.prot & PMAP_EXEC) {
            ASSERT(walk.va >= (uintptr_t)text_start);
            ASSERT(walk.va + walk.size <= (uintptr_t)text_end);
        }
        va = walk.va + walk.size;
        if (va == 0) {
            break;
        }
    }
}

TEST(pmap, nothing_is_for_users)
{
    struct pmap_walk walk;

    for (uintptr_t va = 0; pmap_walk_next(va, &walk);) {
        ASSERT(!walk.user);
        va = walk.va + walk.size;
        if (va == 0) {
            break;
        }
    }
}

TEST(pmap, lower_half_is_empty)
{
    struct pmap_walk walk;

    ASSERT(pmap_walk_next(0, &walk));
    EXPECT(walk.va >= DIRECT_MAP_BASE);
}

TEST(pmap, no_memory_is_writable_here_and_executable_there)
{
    struct pmap_walk walk;

    for (const char *p = text_start; p < text_end; p += PAGE_SIZE) {
        ASSERT(pmap_walk((uintptr_t)p, &walk));
        EXPECT_EQ(walk.phys, image_phys(p));
        ASSERT(pmap_walk((uintptr_t)pmap_direct_ptr(walk.phys), &walk));
        EXPECT_EQ(walk.prot, pmap_prot_enforced(PMAP_READ));
    }
}

TEST(pmap, constants_are_read_only_everywhere)
{
    struct pmap_walk walk;

    for (const char *p = rodata_start; p < rodata_end; p += PAGE_SIZE) {
        ASSERT(pmap_walk((uintptr_t)p, &walk));
        EXPECT_EQ(walk.prot, pmap_prot_enforced(PMAP_READ));
        ASSERT(pmap_walk((uintptr_t)pmap_direct_ptr(walk.phys), &walk));
        EXPECT_EQ(walk.prot, pmap_prot_enforced(PMAP_READ));
    }
}

TEST(pmap, data_is_writable)
{
    struct pmap_walk walk;
    size_t nr_holes = 0;

    for (const char *p = data_start; p < bss_end; p += PAGE_SIZE) {
        if (!pmap_walk((uintptr_t)p, &walk)) {
            nr_holes++;
            continue;
        }
        EXPECT_EQ(walk.prot, pmap_prot_enforced(PMAP_READ | PMAP_WRITE));
        EXPECT_EQ(walk.phys, image_phys(p));
    }
    /* The guard page of the stack that the boot CPU starts on. */
    EXPECT(nr_holes <= 1);
}

TEST(pmap, all_ram_is_in_the_direct_map)
{
    struct bootmem_range range;

    for (paddr_t addr = 0; bootmem_next_ram(addr, &range); addr = range.end) {
        struct pmap_walk walk = { 0 };

        for (paddr_t at = range.base; at < range.end;
             at = walk.phys + walk.size) {
            ASSERT(pmap_walk((uintptr_t)pmap_direct_ptr(at), &walk));
            EXPECT_EQ(walk.phys, at);
            EXPECT_EQ(walk.cache, PMAP_WB);
            walk.phys = ALIGN_DOWN(walk.phys, walk.size);
        }
    }
}

TEST(pmap, direct_map_ends_with_the_memory)
{
    struct pmap_walk walk;

    EXPECT(!pmap_walk_next(DIRECT_MAP_BASE + DIRECT_MAP_SIZE - GIB(1), &walk) ||
           walk.va >= DIRECT_MAP_BASE + DIRECT_MAP_SIZE);
}

TEST(pmap, mapping_appears_and_disappears)
{
    struct page *page = page_alloc(0, PAGE_ZERO);
    uint64_t *alias = (uint64_t *)PMAP_TEST_BASE;
    struct pmap_walk walk;

    ASSERT(page != NULL);
    EXPECT(!pmap_walk(PMAP_TEST_BASE, &walk));
    ASSERT(pmap_map(PMAP_TEST_BASE, page_phys(page), PAGE_SIZE,
                    PMAP_READ | PMAP_WRITE, PMAP_WB) == OK);
    *(volatile uint64_t *)alias = 42;
    EXPECT_EQ(*(volatile uint64_t *)page_ptr(page), 42);
    ASSERT(pmap_walk(PMAP_TEST_BASE + 5, &walk));
    EXPECT_EQ(walk.phys, page_phys(page) + 5);
    EXPECT(walk.global);
    pmap_unmap(PMAP_TEST_BASE, PAGE_SIZE);
    EXPECT(!pmap_walk(PMAP_TEST_BASE, &walk));
    pmap_flush_all();
    page_free(page, 0);
}

TEST(pmap, memory_types_are_kept)
{
    static const enum pmap_cache caches[] = { PMAP_WB, PMAP_WC, PMAP_UC_MINUS,
                                              PMAP_UC };
    struct page *page = page_alloc(0, 0);

    ASSERT(page != NULL);
    for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
        struct pmap_walk walk;

        ASSERT(pmap_map(PMAP_TEST_BASE, page_phys(page), PAGE_SIZE, PMAP_READ,
                        caches[i]) == OK);
        ASSERT(pmap_walk(PMAP_TEST_BASE, &walk));
        EXPECT_EQ(walk.cache, caches[i]);
        EXPECT_EQ(walk.prot, pmap_prot_enforced(PMAP_READ));
        pmap_unmap(PMAP_TEST_BASE, PAGE_SIZE);
    }
    pmap_flush_all();
    page_free(page, 0);
}

TEST(pmap, protecting_a_part_splits_a_large_page)
{
    struct page *page = page_alloc(PMAP_TEST_LARGE_ORDER, 0);
    uintptr_t base = PMAP_TEST_BASE + GIB(1);
    struct pmap_walk walk;

    if (page == NULL) {
        SKIP("no 2 MiB of memory in one piece");
    }
    ASSERT(pmap_map(base, page_phys(page), PMAP_TEST_LARGE,
                    PMAP_READ | PMAP_WRITE, PMAP_WB) == OK);
    ASSERT(pmap_walk(base, &walk));
    EXPECT_EQ(walk.size, PMAP_TEST_LARGE);
    EXPECT_EQ(pmap_protect(base + PAGE_SIZE, PAGE_SIZE, PMAP_READ), OK);

    for (size_t i = 0; i < PMAP_TEST_LARGE; i += PAGE_SIZE) {
        ASSERT(pmap_walk(base + i, &walk));
        EXPECT_EQ(walk.phys, page_phys(page) + i);
        EXPECT_EQ(walk.prot,
                  pmap_prot_enforced(PMAP_READ |
                                     (i == PAGE_SIZE ? 0 : PMAP_WRITE)));
    }
    pmap_unmap(base, PMAP_TEST_LARGE);
    EXPECT(!pmap_walk_next(base, &walk) || walk.va >= base + PMAP_TEST_LARGE);
    pmap_flush_all();
    page_free(page, PMAP_TEST_LARGE_ORDER);
}

TEST(pmap, exhaustion_maps_nothing)
{
    struct list blocks = LIST_INITIALIZER(blocks);
    uintptr_t base = PMAP_TEST_BASE + GIB(4) - 3 * PAGE_SIZE;
    struct pmap_walk walk;
    status_t status;

    hog_take_all_but(&blocks, 2);
    /* Needs two tables and has them for the lower part, none for the rest. */
    status = pmap_map(base, 0x1000, 4 * PMAP_TEST_LARGE, PMAP_READ, PMAP_UC);
    hog_give_all(&blocks);

    EXPECT_EQ(status, ERR_NO_MEMORY);
    EXPECT(!pmap_walk_next(base, &walk) ||
           walk.va >= base + 4 * PMAP_TEST_LARGE);
}

TEST(pmap, root_for_starting_cpus_maps_low_memory)
{
    paddr_t root = pmap_map_identity_low();
    const uint64_t *low = pmap_direct_ptr(root);
    const uint64_t *kernel = pmap_direct_ptr(pmap_root());

    EXPECT(root < GIB(4) && pmap_root() < GIB(4));
    EXPECT(low[0] != 0 && kernel[0] == 0);
    for (size_t i = 256; i < 512; i++) {
        EXPECT_EQ(low[i], kernel[i]);
    }
    pmap_unmap_identity_low();
    EXPECT_EQ(low[511], 0);
}
