/* SPDX-License-Identifier: MIT */
/*
 * The page tables of KASAN's shadow.
 *
 * All addresses of the kernel's half have a shadow, so a check never faults.
 * For most it is one page of zeros, "may be touched", mapped read-only again
 * and again through shared tables, one for each level.  What the compiler or
 * the allocators write a shadow for has pages of its own: the image, from the
 * first instruction in C, all RAM in the direct map, and every range of kernel
 * addresses that is given out.
 *
 * Invariant: an entry goes from shared to own, never back, by compare and
 * swap; so there is no lock.  A CPU that has cached the shared page, because
 * it has looked at a neighbour, could not write; so all forget it.
 *
 * Compiled without sanitizers: the first function here runs before there is a
 * shadow.
 */
#include <stdatomic.h>
#include <stdbool.h>

#include <arch/cpu.h>
#include <arch/image.h>
#include <arch/pmap.h>
#include <kern/bootmem.h>
#include <kern/kasan.h>
#include <kern/page.h>
#include <lib/macros.h>

#include "kasan.h"
#include "msr.h"

/* How much of the image can have a shadow; portolan.lds checks it. */
#define KASAN_IMAGE_SIZE MIB(8)
#define KASAN_IMAGE_BASE (KERNEL_BASE + KERNEL_LOAD_ADDR)

#define KASAN_PTE_ZERO (PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY)
#define KASAN_PTE_OWN  (KASAN_PTE_ZERO | PTE_WRITE)

typedef void (*kasan_constructor_fn_t)(void);

extern const kasan_constructor_fn_t constructors_start[], constructors_end[];

/* Shared by all that has no shadow of its own, by level. */
static pte_t
    kasan_zero_tables[PMAP_LEVEL_TOP][PMAP_NR_ENTRIES] __aligned(PAGE_SIZE);
static uint8_t kasan_zero_page[PAGE_SIZE] __aligned(PAGE_SIZE);

/* The image's, which begins before there is an allocator. */
static pte_t
    kasan_image_tables[PMAP_LEVEL_TOP][PMAP_NR_ENTRIES] __aligned(PAGE_SIZE);
static uint8_t
    kasan_image_shadow[KASAN_IMAGE_SIZE / KASAN_GRANULE] __aligned(PAGE_SIZE);

static pte_t *kasan_top; /* set once, when the kernel's tables are made */

static inline uint64_t
kasan_read(pte_t *pte)
{
    /* Pairs with the release in kasan_replace(): what it leads to is zeroed. */
    return atomic_load_explicit(pte, memory_order_acquire);
}

static inline void
kasan_write(pte_t *pte, uint64_t value)
{
    atomic_store_explicit(pte, value, memory_order_relaxed);
}

static inline void
kasan_set(pte_t *pte, uint64_t bits)
{
    atomic_fetch_or_explicit(pte, bits, memory_order_relaxed);
}

/* Whether an entry of @level leads to what is shared. */
static bool
kasan_is_shared(uint64_t value, unsigned int level)
{
    const void *shared = level == PMAP_LEVEL_4K
                             ? (const void *)kasan_zero_page
                             : (const void *)kasan_zero_tables[level - 1];

    return (value & PTE_ADDR_MASK) == image_phys(shared);
}

/* What the entries of a table of @level are by default. */
static uint64_t
kasan_shared_entry(unsigned int level, uint64_t nx)
{
    return level == PMAP_LEVEL_4K
               ? image_phys(kasan_zero_page) | KASAN_PTE_ZERO | nx
               : image_phys(kasan_zero_tables[level - 1]) | PTE_TABLE;
}

static void
kasan_table_fill(pte_t *table, uint64_t value)
{
    for (size_t i = 0; i < PMAP_NR_ENTRIES; i++) {
        kasan_write(&table[i], value);
    }
}

static void
kasan_tables_make(void)
{
    uintptr_t va = kasan_shadow(KASAN_IMAGE_BASE);
    size_t index = pmap_index(va, PMAP_LEVEL_4K);

    for (unsigned int level = 0; level < PMAP_LEVEL_TOP; level++) {
        uint64_t value = kasan_shared_entry(level, 0);

        kasan_table_fill(kasan_zero_tables[level], value);
        kasan_table_fill(kasan_image_tables[level], value);
    }

    for (unsigned int level = 1; level < PMAP_LEVEL_TOP; level++) {
        kasan_write(&kasan_image_tables[level][pmap_index(va, level)],
                    image_phys(kasan_image_tables[level - 1]) | PTE_TABLE);
    }
    for (size_t i = 0; i < sizeof(kasan_image_shadow) / PAGE_SIZE; i++) {
        kasan_write(&kasan_image_tables[PMAP_LEVEL_4K][index + i],
                    image_phys(kasan_image_shadow + i * PAGE_SIZE) |
                        KASAN_PTE_OWN);
    }
}

static void
kasan_top_enter(pte_t *top)
{
    size_t first = pmap_index(KASAN_SHADOW_BASE, PMAP_LEVEL_TOP);
    size_t last = pmap_index(KASAN_SHADOW_END - 1, PMAP_LEVEL_TOP);
    size_t image = pmap_index(kasan_shadow(KASAN_IMAGE_BASE), PMAP_LEVEL_TOP);

    for (size_t i = first; i <= last; i++) {
        kasan_write(&top[i], kasan_shared_entry(PMAP_LEVEL_TOP, 0));
    }
    kasan_write(&top[image],
                image_phys(kasan_image_tables[PMAP_LEVEL_1G]) | PTE_TABLE);
}

void
kasan_early_setup(void)
{
    const kasan_constructor_fn_t *constructor;

    kasan_tables_make();
    kasan_top_enter(pmap_direct_ptr(cr3_read() & PTE_ADDR_MASK));
    for (constructor = constructors_start; constructor < constructors_end;
         constructor++) {
        (*constructor)();
    }
}

void
kasan_shadow_enter(pte_t *top)
{
    uint64_t nx = (msr_read(MSR_EFER) & EFER_NXE) ? PTE_NX : 0;

    for (size_t i = 0; i < PMAP_NR_ENTRIES; i++) {
        kasan_set(&kasan_zero_tables[PMAP_LEVEL_4K][i], nx);
        kasan_set(&kasan_image_tables[PMAP_LEVEL_4K][i], nx);
    }
    kasan_top_enter(top);
    kasan_top = top;
}

/* A zeroed page; PADDR_NONE on exhaustion. */
static paddr_t
kasan_page_alloc(void)
{
    struct page *page;

    if (!page_is_ready()) {
        return bootmem_alloc(PAGE_SIZE, PAGE_SIZE, BOOTMEM_ANYWHERE);
    }
    page = page_alloc(0, PAGE_ZERO);
    return page != NULL ? page_phys(page) : PADDR_NONE;
}

static void
kasan_page_free(paddr_t page)
{
    /* What bootmem gave is not freed, but then nobody else installs either. */
    if (page_is_ready()) {
        page_free(page_from_phys(page), 0);
    }
}

/* Install a page or a table where the shared one was seen as @old. */
static void
kasan_replace(pte_t *pte, uint64_t old, uint64_t value)
{
    /* Release: pairs with the acquire in kasan_read(). */
    if (!atomic_compare_exchange_strong_explicit(
            pte, &old, value, memory_order_acq_rel, memory_order_acquire)) {
        kasan_page_free(value & PTE_ADDR_MASK);
    }
}

/*
 * Have an entry of @level lead to something of its own.
 *
 * Returns: its value; 0 on exhaustion
 */
static uint64_t
kasan_own(pte_t *pte, unsigned int level)
{
    uint64_t value = kasan_read(pte);
    uint64_t nx = kasan_read(&kasan_zero_tables[PMAP_LEVEL_4K][0]) & PTE_NX;
    paddr_t page;

    if (!kasan_is_shared(value, level)) {
        return value;
    }
    page = kasan_page_alloc();
    if (page == PADDR_NONE) {
        return 0;
    }
    if (level == PMAP_LEVEL_4K) {
        kasan_replace(pte, value, page | KASAN_PTE_OWN | nx);
    } else {
        kasan_table_fill(pmap_direct_ptr(page),
                         kasan_shared_entry(level - 1, nx));
        kasan_replace(pte, value, page | PTE_TABLE);
    }
    return kasan_read(pte);
}

/*
 * Have the tables above the entry for @va at @level.
 *
 * Returns: the entry, or a large page's above it; NULL on exhaustion
 */
static pte_t *
kasan_descend(uintptr_t va, unsigned int level)
{
    pte_t *table = kasan_top;

    for (unsigned int i = PMAP_LEVEL_TOP; i > level; i--) {
        pte_t *pte = &table[pmap_index(va, i)];
        uint64_t value = kasan_own(pte, i);

        if (value == 0) {
            return NULL;
        }
        if (i != PMAP_LEVEL_TOP && (value & PTE_LARGE)) {
            return pte;
        }
        table = pmap_direct_ptr(value & PTE_ADDR_MASK);
    }
    return &table[pmap_index(va, level)];
}

/* Have a page of shadow at @va. */
static status_t
kasan_page_enter(uintptr_t va)
{
    pte_t *pte;

    pte = kasan_descend(va, PMAP_LEVEL_4K);
    if (pte == NULL) {
        return ERR_NO_MEMORY;
    }
    if (kasan_read(pte) & PTE_LARGE) {
        return OK;
    }
    if (kasan_own(pte, PMAP_LEVEL_4K) == 0) {
        return ERR_NO_MEMORY;
    }
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
    return OK;
}

/* Whether there is a page of shadow at @va that is not the shared one. */
static bool
kasan_has_page(uintptr_t va)
{
    struct pmap_walk walk;

    return pmap_walk(va, &walk) &&
           ALIGN_DOWN(walk.phys, PAGE_SIZE) != image_phys(kasan_zero_page);
}

/* Have a large page of shadow at @va, if there is nothing yet but memory. */
static bool
kasan_large_try_enter(uintptr_t va)
{
    uint64_t nx = kasan_read(&kasan_zero_tables[PMAP_LEVEL_4K][0]) & PTE_NX;
    size_t size = pmap_level_size(PMAP_LEVEL_2M);
    paddr_t memory;
    pte_t *pte;

    pte = kasan_descend(va, PMAP_LEVEL_2M);
    if (pte == NULL || !kasan_is_shared(kasan_read(pte), PMAP_LEVEL_2M)) {
        return false;
    }
    memory = bootmem_alloc(size, size, BOOTMEM_ANYWHERE);
    if (memory == PADDR_NONE) {
        return false;
    }
    kasan_write(pte, memory | KASAN_PTE_OWN | PTE_LARGE | nx);
    return true;
}

status_t
kasan_map_shadow(const void *ptr, size_t size)
{
    uintptr_t va = ALIGN_DOWN(kasan_shadow((uintptr_t)ptr), PAGE_SIZE);
    uintptr_t end = kasan_shadow((uintptr_t)ptr + size - 1);
    bool is_new = false;

    for (; va <= end; va += PAGE_SIZE) {
        status_t status;

        is_new = is_new || !kasan_has_page(va);
        status = kasan_page_enter(va);
        if (status != OK) {
            return status;
        }
    }
    if (is_new && cpu_irq_is_enabled()) {
        pmap_flush_all();
    }
    return OK;
}

static status_t
kasan_range_setup(const struct bootmem_range *range)
{
    size_t large = pmap_level_size(PMAP_LEVEL_2M);
    uintptr_t va, end, step;

    va = kasan_shadow(DIRECT_MAP_BASE + range->base);
    end = kasan_shadow(DIRECT_MAP_BASE + range->end);
    end = ALIGN_UP(end, PAGE_SIZE);
    for (va = ALIGN_DOWN(va, PAGE_SIZE); va < end; va += step) {
        step = PAGE_SIZE;
        if (IS_ALIGNED(va, large) && end - va >= large &&
            kasan_large_try_enter(va)) {
            step = large;
        } else if (kasan_page_enter(va) != OK) {
            return ERR_NO_MEMORY;
        }
    }
    return OK;
}

status_t
kasan_shadow_setup_ram(void)
{
    struct bootmem_range range;

    for (paddr_t addr = 0; bootmem_next_ram(addr, &range); addr = range.end) {
        status_t status = kasan_range_setup(&range);

        if (status != OK) {
            return status;
        }
    }
    /* Forget the shared translations. */
    cr3_write(cr3_read());
    return OK;
}
