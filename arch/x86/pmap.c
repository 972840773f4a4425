/* SPDX-License-Identifier: MIT */
/*
 * The page tables of the kernel, x86-64, four levels.
 *
 * pmap_setup() replaces what boot code made by tables that map exactly what
 * there is: RAM and firmware's memory in the direct map, with the largest
 * pages that fit, and the image page by page.  The holes of the memory map
 * are not mapped, because a speculative access to a device through a cached
 * mapping may be a machine check.
 *
 * Invariants: a table of ours, once reachable, stays; entries between levels
 * are present, writable, executable and supervisor, so the leaf alone decides;
 * a leaf has its accessed and dirty bits set from the start, so the processor
 * never writes it and compare and swap cannot lose anything.
 *
 * The page tables of the kernel need no flush when they gain a mapping: x86
 * processors do not cache the absence of one.  Source: Intel SDM vol. 3A,
 * "Invalidation of TLBs and Paging-Structure Caches".
 */

#include <stdatomic.h>

#include <lib/macros.h>
#include <lib/string.h>
#include <arch/boot_info.h>
#include <arch/cpu.h>
#include <arch/image.h>
#include <arch/pmap.h>
#include <kern/bootmem.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/page.h>
#include <kern/xcall.h>

#include "cpuid.h"
#include "kasan.h"
#include "msr.h"
#include "pte.h"

#define PTE_PROT_MASK (PTE_WRITE | PTE_NX)

/* First address behind the lower half. */
#define PMAP_LOWER_END (UINT64_C(1) << 47)

/* More pages than this are flushed by forgetting everything. */
#define PMAP_FLUSH_MAX 32

/* A PC's first MiB: RAM, the window of the VGA, ROMs. */
#define PMAP_LOW_RAM_END  UINT64_C(0xa0000)
#define PMAP_LOW_ROM_BASE UINT64_C(0xc0000)
#define PMAP_LOW_ROM_END  UINT64_C(0x100000)

#define PMAP_WISHES_MAX 16

/* A range to be mapped and the bits of its entries. */
struct pmap_range {
    uintptr_t va;
    paddr_t pa;
    size_t size;
    uint64_t bits;
};

/* A physical range, [base, end). */
struct pmap_span {
    paddr_t base;
    paddr_t end;
};

/* A call of pmap_direct_map() before there was a direct map. */
struct pmap_wish {
    struct pmap_span span;
    enum pmap_cache cache;
};

/*
 * Keys: [B] the boot CPU until others start, then constant
 */
static pte_t *pmap_top;             /* [B] */
static paddr_t pmap_top_phys;       /* [B] */
static pte_t *pmap_low_top;         /* [B] with the identity of low memory */
static uint64_t pmap_nx;            /* [B] PTE_NX if the CPU uses it */
static unsigned int pmap_level_max; /* [B] of a page in the direct map */
static struct pmap_wish pmap_wishes[PMAP_WISHES_MAX]; /* [B] */
static size_t pmap_nr_wishes;                         /* [B] */

static inline void
pmap_invlpg(uintptr_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline uint64_t
pte_read(pte_t *pte)
{
    /* Pairs with the release in pmap_install(): the table is zeroed. */
    return atomic_load_explicit(pte, memory_order_acquire);
}

static inline void
pte_write(pte_t *pte, uint64_t value)
{
    atomic_store_explicit(pte, value, memory_order_relaxed);
}

static inline bool
pte_is_leaf(uint64_t value, unsigned int level)
{
    return level == PMAP_LEVEL_4K || (value & PTE_LARGE) != 0;
}

static inline pte_t *
pte_table(uint64_t value)
{
    return pmap_direct_ptr(value & PTE_ADDR_MASK);
}

static uint64_t
pmap_bits(unsigned int prot, enum pmap_cache cache)
{
    uint64_t bits = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL;

    verify((prot & PMAP_READ) != 0);
    verify((prot & (PMAP_WRITE | PMAP_EXEC)) != (PMAP_WRITE | PMAP_EXEC));

    if (prot & PMAP_WRITE) {
        bits |= PTE_WRITE;
    }
    if (!(prot & PMAP_EXEC)) {
        bits |= pmap_nx;
    }
    return bits | ((uint64_t)cache << PTE_CACHE_SHIFT);
}

unsigned int
pmap_prot_enforced(unsigned int prot)
{
    return pmap_nx != 0 ? prot : prot | PMAP_EXEC;
}

/* A zeroed table; PADDR_NONE on exhaustion. */
static paddr_t
pmap_table_alloc(void)
{
    struct page *page;

    if (!page_is_ready()) {
        return bootmem_alloc(PAGE_SIZE, PAGE_SIZE, BOOTMEM_ANYWHERE);
    }
    page = page_alloc(0, PAGE_ZERO);
    return page != NULL ? page_phys(page) : PADDR_NONE;
}

static void
pmap_table_free(paddr_t table)
{
    verify(page_is_ready());
    page_free(page_from_phys(table), 0);
}

/*
 * Put a table into an entry that was seen as @old.
 *
 * Returns: the entry's value: this table, or the one of who was faster
 */
static uint64_t
pmap_install(pte_t *pte, uint64_t old, paddr_t table)
{
    uint64_t value = table | PTE_TABLE;

    /* Release: pairs with the acquire in pte_read(). */
    if (atomic_compare_exchange_strong_explicit(
            pte, &old, value, memory_order_acq_rel, memory_order_acquire)) {
        return value;
    }
    pmap_table_free(table);
    return old;
}

/*
 * Replace a large page by a table of smaller ones with the same effect.
 *
 * Returns: the entry's value; 0 on exhaustion
 */
static uint64_t
pmap_split(pte_t *pte, uint64_t old, unsigned int level)
{
    size_t step = pmap_level_size(level - 1);
    uint64_t value = old;
    paddr_t table;
    pte_t *entries;

    table = pmap_table_alloc();
    if (table == PADDR_NONE) {
        return 0;
    }

    if (level - 1 == PMAP_LEVEL_4K) {
        value &= ~PTE_LARGE;
    }
    entries = pmap_direct_ptr(table);
    for (size_t i = 0; i < PMAP_NR_ENTRIES; i++) {
        pte_write(&entries[i], value + i * step);
    }
    return pmap_install(pte, old, table);
}

/*
 * Have a table under an entry of @level.
 *
 * Returns: the entry's value; 0 on exhaustion, or where there may be none
 */
static uint64_t
pmap_descend(pte_t *pte, unsigned int level)
{
    uint64_t value = pte_read(pte);
    paddr_t table;

    if (value & PTE_PRESENT) {
        return pte_is_leaf(value, level) ? pmap_split(pte, value, level)
                                         : value;
    }

    /* The top level grows only while there can be no copies of it. */
    if (level == PMAP_LEVEL_TOP && page_is_ready()) {
        return 0;
    }
    table = pmap_table_alloc();
    if (table == PADDR_NONE) {
        return 0;
    }
    return pmap_install(pte, 0, table);
}

/* The entry for @va at @level with the tables above it; NULL: exhaustion. */
static pte_t *
pmap_entry_create(pte_t *top, uintptr_t va, unsigned int level)
{
    pte_t *table = top;

    for (unsigned int i = PMAP_LEVEL_TOP; i > level; i--) {
        uint64_t value = pmap_descend(&table[pmap_index(va, i)], i);

        if (value == 0) {
            return NULL;
        }
        table = pte_table(value);
    }
    return &table[pmap_index(va, level)];
}

/*
 * The entry that decides about @va: a leaf, or one that is not present.
 *
 * @levelp  receives its level
 */
static pte_t *
pmap_entry_find(uintptr_t va, unsigned int *levelp)
{
    pte_t *table = pmap_top;

    for (unsigned int level = PMAP_LEVEL_TOP;; level--) {
        pte_t *pte = &table[pmap_index(va, level)];
        uint64_t value = pte_read(pte);

        if (!(value & PTE_PRESENT) || pte_is_leaf(value, level)) {
            *levelp = level;
            return pte;
        }
        table = pte_table(value);
    }
}

/* The level of the largest page that fits at the start of a range. */
static unsigned int
pmap_best_level(const struct pmap_range *range)
{
    unsigned int level = pmap_level_max;

    while (level > PMAP_LEVEL_4K &&
           (!IS_ALIGNED(range->va | range->pa, pmap_level_size(level)) ||
            range->size < pmap_level_size(level))) {
        level--;
    }
    return level;
}

static void
pmap_range_advance(struct pmap_range *range, size_t size)
{
    range->va += size;
    range->pa += size;
    range->size -= size;
}

/*
 * Enter a range into tables, with the largest pages that fit.
 *
 * Returns: OK; ERR_NO_MEMORY, the part before range->va is mapped
 */
static status_t
pmap_enter(pte_t *top, struct pmap_range *range)
{
    while (range->size != 0) {
        unsigned int level = pmap_best_level(range);
        uint64_t bits = range->bits | (level != PMAP_LEVEL_4K ? PTE_LARGE : 0);
        pte_t *pte;

        pte = pmap_entry_create(top, range->va, level);
        if (pte == NULL) {
            return ERR_NO_MEMORY;
        }
        verify(!(pte_read(pte) & PTE_PRESENT));
        pte_write(pte, range->pa | bits);
        pmap_range_advance(range, pmap_level_size(level));
    }
    return OK;
}

status_t
pmap_map(uintptr_t va, paddr_t pa, size_t size, unsigned int prot,
         enum pmap_cache cache)
{
    struct pmap_range range = { va, pa, size, pmap_bits(prot, cache) };
    status_t status;

    assert(IS_ALIGNED(va | pa | size, PAGE_SIZE));
    assert(va >= DIRECT_MAP_BASE);

    status = pmap_enter(pmap_top, &range);
    if (status != OK) {
        pmap_unmap(va, range.va - va);
    }
    return status;
}

uint64_t
pmap_word(paddr_t phys, unsigned int prot, enum pmap_cache cache)
{
    return phys | pmap_bits(prot, cache);
}

status_t
pmap_link(uintptr_t va, paddr_t node)
{
    uint64_t old = 0;
    pte_t *pte;

    assert(va >= DIRECT_MAP_BASE);

    pte = pmap_entry_create(pmap_top, va, PMAP_LEVEL_2M);
    if (pte == NULL) {
        return ERR_NO_MEMORY;
    }
    /* Release: pairs with the acquire in pte_read(): the node is filled. */
    if (!atomic_compare_exchange_strong_explicit(pte, &old, node | PTE_TABLE,
                                                 memory_order_release,
                                                 memory_order_relaxed)) {
        verify((old & PTE_ADDR_MASK) == node);
    }
    return OK;
}

void
pmap_unlink(uintptr_t va, paddr_t node)
{
    pte_t *pte = pmap_entry_create(pmap_top, va, PMAP_LEVEL_2M);

    verify(pte != NULL && (pte_read(pte) & PTE_ADDR_MASK) == node);
    pte_write(pte, 0);
}

/* Make this CPU forget the translations of a range. */
static void
pmap_flush_range(uintptr_t va, size_t size)
{
    if (size > PMAP_FLUSH_MAX * PAGE_SIZE) {
        uint64_t cr4, flags;

        flags = cpu_irq_save();
        cr4 = cr4_read();
        cr4_write(cr4 ^ CR4_PGE);
        cr4_write(cr4);
        cpu_irq_restore(flags);
        return;
    }
    for (uintptr_t end = va + size; va != end; va += PAGE_SIZE) {
        pmap_invlpg(va);
    }
}

void
pmap_unmap(uintptr_t va, size_t size)
{
    size_t done = 0;

    assert(IS_ALIGNED(va | size, PAGE_SIZE));

    while (done < size) {
        unsigned int level;
        pte_t *pte = pmap_entry_find(va + done, &level);
        size_t page_size = pmap_level_size(level);

        if (pte_read(pte) & PTE_PRESENT) {
            verify(IS_ALIGNED(va + done, page_size));
            verify(page_size <= size - done);
            pte_write(pte, 0);
        }
        done += page_size - ((va + done) & (page_size - 1));
    }
    pmap_flush_range(va, size);
}

/* Have no large page reach across @va. */
static status_t
pmap_cut(uintptr_t va)
{
    for (;;) {
        unsigned int level;
        pte_t *pte = pmap_entry_find(va, &level);
        uint64_t value = pte_read(pte);

        if (!(value & PTE_PRESENT) || IS_ALIGNED(va, pmap_level_size(level))) {
            return OK;
        }
        if (pmap_split(pte, value, level) == 0) {
            return ERR_NO_MEMORY;
        }
    }
}

status_t
pmap_protect(uintptr_t va, size_t size, unsigned int prot)
{
    uint64_t bits = pmap_bits(prot, PMAP_WB) & PTE_PROT_MASK;
    size_t done = 0;

    assert(IS_ALIGNED(va | size, PAGE_SIZE));

    if (pmap_cut(va) != OK || pmap_cut(va + size) != OK) {
        return ERR_NO_MEMORY;
    }

    /* Commit. */
    while (done < size) {
        unsigned int level;
        pte_t *pte = pmap_entry_find(va + done, &level);
        uint64_t value = pte_read(pte);
        size_t page_size = pmap_level_size(level);

        if (value & PTE_PRESENT) {
            pte_write(pte, (value & ~PTE_PROT_MASK) | bits);
        }
        done += page_size - ((va + done) & (page_size - 1));
    }
    pmap_flush_range(va, size);
    return OK;
}

static void
pmap_flush_this_cpu(void *arg __unused)
{
    pmap_flush_range(0, SIZE_MAX);
}

void
pmap_flush_all(void)
{
    xcall_all(pmap_flush_this_cpu, NULL);
}

/* Bits that a level takes away from those above it, in positive logic. */
static inline uint64_t
pte_rights(uint64_t value)
{
    return (value & (PTE_WRITE | PTE_USER)) | (~value & PTE_NX);
}

static void
pmap_walk_fill(struct pmap_walk *walk, uint64_t value, uint64_t rights)
{
    walk->phys = value & PTE_ADDR_MASK & ~(walk->size - 1);
    walk->prot = PMAP_READ | ((rights & PTE_WRITE) ? PMAP_WRITE : 0) |
                 ((rights & PTE_NX) ? PMAP_EXEC : 0);
    walk->cache =
        (enum pmap_cache)((value & (PTE_PWT | PTE_PCD)) >> PTE_CACHE_SHIFT);
    walk->user = (rights & PTE_USER) != 0;
    walk->global = (value & PTE_GLOBAL) != 0;
}

/*
 * Describe the page or the hole at @va: walk->va and walk->size bound it.
 *
 * Returns: true, a page; false, a hole
 */
static bool
pmap_walk_step(uintptr_t va, struct pmap_walk *walk)
{
    uint64_t rights = PTE_WRITE | PTE_USER | PTE_NX;
    pte_t *table = pmap_top;

    for (unsigned int level = PMAP_LEVEL_TOP;; level--) {
        uint64_t value = pte_read(&table[pmap_index(va, level)]);

        walk->size = pmap_level_size(level);
        walk->va = ALIGN_DOWN(va, walk->size);
        if (!(value & PTE_PRESENT)) {
            return false;
        }
        rights &= pte_rights(value);
        if (pte_is_leaf(value, level)) {
            pmap_walk_fill(walk, value, rights);
            return true;
        }
        table = pte_table(value);
    }
}

bool
pmap_walk(uintptr_t va, struct pmap_walk *walk)
{
    if (pmap_top == NULL || va < DIRECT_MAP_BASE || !pmap_walk_step(va, walk)) {
        return false;
    }
    walk->phys += va - walk->va;
    return true;
}

bool
pmap_walk_next(uintptr_t va, struct pmap_walk *walk)
{
    va = kasan_shadow_skip(va);
    while (!pmap_walk_step(va, walk)) {
        va = kasan_shadow_skip(walk->va + walk->size);
        if (va == PMAP_LOWER_END) {
            va = DIRECT_MAP_BASE;
        }
        if (va == 0) {
            return false;
        }
    }
    return true;
}

void
pmap_load(void)
{
    cr3_write(pmap_top_phys);
}

paddr_t
pmap_phys_end(void)
{
    return (paddr_t)1 << cpuid_phys_bits();
}

paddr_t
pmap_root(void)
{
    return pmap_top_phys;
}

/*
 * Set-up
 */

/* The code and constants of the image, whose alias must not be writable. */
static bool
pmap_is_constant(paddr_t phys)
{
    return (phys >= image_phys(text_start) && phys < image_phys(text_end)) ||
           (phys >= image_phys(rodata_start) &&
            phys < image_phys(rodata_end)) ||
           (phys >= image_phys(symtab_start) &&
            phys < image_phys(symtab_end)) ||
           (phys >= PMAP_LOW_ROM_BASE && phys < PMAP_LOW_ROM_END);
}

/* The end of the part of [base, end) with the same protection throughout. */
static paddr_t
pmap_constant_end(paddr_t base, paddr_t end)
{
    const paddr_t cuts[] = {
        image_phys(text_start),   image_phys(text_end),
        image_phys(rodata_start), image_phys(rodata_end),
        image_phys(symtab_start), image_phys(symtab_end),
        PMAP_LOW_ROM_BASE,        PMAP_LOW_ROM_END,
    };

    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
        if (cuts[i] > base && cuts[i] < end) {
            end = cuts[i];
        }
    }
    return end;
}

/* Skip the pages at the start of a span that are mapped already. */
static void
pmap_span_skip_mapped(struct pmap_span *span)
{
    unsigned int level;

    while (span->base < span->end &&
           (pte_read(pmap_entry_find(DIRECT_MAP_BASE + span->base, &level)) &
            PTE_PRESENT)) {
        span->base = ALIGN_DOWN(span->base, pmap_level_size(level)) +
                     pmap_level_size(level);
    }
}

/* The end of the pages at the start of a span that are not mapped. */
static paddr_t
pmap_span_hole_end(const struct pmap_span *span)
{
    paddr_t addr = span->base;

    while (addr < span->end) {
        unsigned int level;
        pte_t *pte = pmap_entry_find(DIRECT_MAP_BASE + addr, &level);

        if (pte_read(pte) & PTE_PRESENT) {
            return addr;
        }
        addr = ALIGN_DOWN(addr, pmap_level_size(level)) +
               pmap_level_size(level);
    }
    return span->end;
}

/* Map what is not mapped yet of a span into the direct map. */
static status_t
pmap_direct_enter(struct pmap_span span, enum pmap_cache cache)
{
    span.end = MIN(ALIGN_UP(span.end, PAGE_SIZE), DIRECT_MAP_SIZE);
    span.base = ALIGN_DOWN(span.base, PAGE_SIZE);

    for (pmap_span_skip_mapped(&span); span.base < span.end;
         pmap_span_skip_mapped(&span)) {
        bool is_constant = pmap_is_constant(span.base);
        paddr_t end = pmap_constant_end(span.base, pmap_span_hole_end(&span));
        struct pmap_range range = {
            .va = DIRECT_MAP_BASE + span.base,
            .pa = span.base,
            .size = end - span.base,
            .bits =
                pmap_bits(PMAP_READ | (is_constant ? 0 : PMAP_WRITE), cache),
        };
        status_t status;

        status = pmap_enter(pmap_top, &range);
        if (status != OK) {
            return status;
        }
        span.base = end;
    }
    return OK;
}

void *
pmap_direct_map(paddr_t phys, size_t size, enum pmap_cache cache)
{
    struct pmap_span span = { phys, phys + size };

    if (span.end < phys || span.end > DIRECT_MAP_SIZE) {
        return NULL;
    }
    if (pmap_top != NULL) {
        return pmap_direct_enter(span, cache) == OK ? pmap_direct_ptr(phys)
                                                    : NULL;
    }
    if (pmap_nr_wishes == PMAP_WISHES_MAX) {
        return NULL;
    }
    pmap_wishes[pmap_nr_wishes++] = (struct pmap_wish){ span, cache };
    return span.end <= GIB(4) ? pmap_direct_ptr(phys) : NULL;
}

static bool
pmap_is_memory(const struct boot_mem_range *mem)
{
    return mem->type == BOOT_MEM_USABLE || mem->type == BOOT_MEM_ACPI_RECLAIM ||
           mem->type == BOOT_MEM_ACPI_NVS;
}

/*
 * Map RAM and firmware's memory.  Ranges that touch are mapped as one, so
 * that their common bound does not cost large pages.
 *
 * Returns: the end of what is mapped
 */
static paddr_t
pmap_setup_direct(const struct boot_info *info)
{
    struct pmap_span span = { 0, PMAP_LOW_RAM_END };
    paddr_t end = PMAP_LOW_ROM_END;

    for (size_t i = 0; i < info->nr_mem; i++) {
        const struct boot_mem_range *mem = &info->mem[i];

        if (!pmap_is_memory(mem) || mem->base + mem->size <= span.end) {
            continue;
        }
        if (mem->base > span.end) {
            verify(pmap_direct_enter(span, PMAP_WB) == OK);
            span.base = mem->base;
        }
        span.end = mem->base + mem->size;
        end = MAX(end, span.end);
    }
    verify(pmap_direct_enter(span, PMAP_WB) == OK);

    span = (struct pmap_span){ PMAP_LOW_ROM_BASE, PMAP_LOW_ROM_END };
    verify(pmap_direct_enter(span, PMAP_WB) == OK);
    return MIN(end, DIRECT_MAP_SIZE);
}

static void
pmap_setup_section(const char *start, const char *end, unsigned int prot)
{
    struct pmap_range range = {
        .va = (uintptr_t)start,
        .pa = image_phys(start),
        .size = (uintptr_t)end - (uintptr_t)start,
        .bits = pmap_bits(prot, PMAP_WB),
    };

    verify(IS_ALIGNED(range.va | range.size, PAGE_SIZE));
    verify(pmap_enter(pmap_top, &range) == OK);
}

/* Map the image page by page: its sections share large pages. */
static void
pmap_setup_image(void)
{
    unsigned int level_max = pmap_level_max;

    pmap_level_max = PMAP_LEVEL_4K;
    pmap_setup_section(text_start, text_end, PMAP_READ | PMAP_EXEC);
    pmap_setup_section(rodata_start, rodata_end, PMAP_READ);
    pmap_setup_section(data_start, data_end, PMAP_READ | PMAP_WRITE);
    pmap_setup_section(bss_start, bss_end, PMAP_READ | PMAP_WRITE);
    pmap_setup_section(symtab_start, symtab_end, PMAP_READ);
    pmap_level_max = level_max;
}

/* Have the top-level entries of a region, so that copies of them are final. */
static void
pmap_setup_region(uintptr_t base, size_t size)
{
    size_t step = pmap_level_size(PMAP_LEVEL_TOP);

    for (size_t done = 0; done < size; done += step) {
        verify(pmap_entry_create(pmap_top, base + done, PMAP_LEVEL_1G) != NULL);
    }
}

/* Tables with the identity of low memory; the top level is filled later. */
static void
pmap_setup_low(void)
{
    struct pmap_range range = { 0, 0, PMAP_LOW_RAM_END,
                                PTE_PRESENT | PTE_WRITE };
    paddr_t top;

    top = bootmem_alloc(PAGE_SIZE, PAGE_SIZE, GIB(4));
    verify(top != PADDR_NONE);
    pmap_low_top = pmap_direct_ptr(top);
    verify(pmap_enter(pmap_low_top, &range) == OK);
    pmap_unmap_identity_low();
}

static status_t
pmap_setup(void)
{
    const struct boot_info *info = boot_info_get();
    pte_t *top;
    paddr_t end;

    pmap_nx = (msr_read(MSR_EFER) & EFER_NXE) ? PTE_NX : 0;
    pmap_level_max = cpuid_has(CPUID_PAGE_1G) ? PMAP_LEVEL_1G : PMAP_LEVEL_2M;

    pmap_top_phys = bootmem_alloc(PAGE_SIZE, PAGE_SIZE, GIB(4));
    if (pmap_top_phys == PADDR_NONE) {
        return ERR_NO_MEMORY;
    }
    top = pmap_direct_ptr(pmap_top_phys);
    pmap_top = top;

    end = pmap_setup_direct(info);
    for (size_t i = 0; i < pmap_nr_wishes; i++) {
        verify(pmap_direct_enter(pmap_wishes[i].span, pmap_wishes[i].cache) ==
               OK);
    }
    pmap_setup_image();
    pmap_setup_region(KVA_BASE, KVA_SIZE);
    pmap_setup_region(PAGE_ARRAY_BASE, PAGE_ARRAY_SIZE);
    pmap_setup_low();
    kasan_shadow_enter(pmap_top);

    pmap_load();
    pmap_flush_this_cpu(NULL);
    bootmem_set_mapped(end);
    verify(kasan_shadow_setup_ram() == OK);
    log_info("pmap: direct map of %llu MiB, pages of up to %llu MiB%s",
             (unsigned long long)(end >> 20),
             (unsigned long long)(pmap_level_size(pmap_level_max) >> 20),
             pmap_nx != 0 ? "" : ", no NX");
    return OK;
}

paddr_t
pmap_map_identity_low(void)
{
    for (size_t i = PMAP_KERNEL_INDEX; i < PMAP_NR_ENTRIES; i++) {
        pte_write(&pmap_low_top[i], pte_read(&pmap_top[i]));
    }
    return pmap_direct_addr(pmap_low_top);
}

void
pmap_unmap_identity_low(void)
{
    for (size_t i = PMAP_KERNEL_INDEX; i < PMAP_NR_ENTRIES; i++) {
        pte_write(&pmap_low_top[i], 0);
    }
}

INIT_OP(pmap_setup, INIT_BOOT_CPU, AFTER(bootmem_setup), AFTER(control_setup),
        AFTER(user_copy_setup));
