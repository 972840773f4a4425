/* SPDX-License-Identifier: MIT */
/*
 * What <arch/utable.h> promises, and processors that translate by such tables:
 * they keep what they have found until they are told to forget it, both
 * translations and where a table is.
 *
 * Only addresses from MMU_BASE on have tables, so that two levels are enough.
 * A step of utable_clear() is short, so that what is longer takes several
 * interrupts.  For one file of a program.
 */
#ifndef TEST_EXPLORE_MMU_H
#define TEST_EXPLORE_MMU_H

#include <stdatomic.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/utable.h>
#include <kern/cpu.h>
#include <kern/page.h>
#include <kern/thread.h>
#include <lib/macros.h>
#include <test/explore/explore.h>
#include <vm/space.h>

#define MMU_BASE       UINT64_C(0x200000000000)
#define MMU_TABLE_SIZE MIB(2)
#define MMU_NR_TABLES  4
#define MMU_NR_KEPT    4
#define MMU_STEP       3
#define MMU_LINK       UINT64_C(0x200)

/* A translation, or the entry that leads to a table, that a CPU keeps. */
struct mmu_kept {
    const struct utable *ut; /* NULL: none */
    uintptr_t va;
    uint64_t word;
};

/* Of the CPU alone, interrupts disabled. */
struct mmu_cpu {
    struct utable *loaded;
    struct mmu_kept pages[MMU_NR_KEPT];
    struct mmu_kept table;
    unsigned next; /* of @pages, to be replaced */
};

static struct mmu_cpu mmu_cpus[EXPLORE_CPUS_MAX];

static _Atomic uint64_t *
mmu_table(uint64_t word)
{
    return pmap_direct_ptr(word & UWORD_FRAME_MASK);
}

static uint64_t *
mmu_dir_entry(const struct utable *ut, uintptr_t va)
{
    explore_expect((va - MMU_BASE) / MMU_TABLE_SIZE < MMU_NR_TABLES);
    return &ut->root[(va - MMU_BASE) / MMU_TABLE_SIZE];
}

static _Atomic uint64_t *
mmu_entry(uint64_t dir_word, uintptr_t va)
{
    return &mmu_table(dir_word)[va / PAGE_SIZE % (PAGE_SIZE / 8)];
}

/* ------------------------------------------------------------------ tables */

struct page *
utable_spare_alloc(struct container *container __unused)
{
    return page_alloc(0, PAGE_ZERO);
}

void
utable_spare_free(struct container *container __unused, struct page *spare)
{
    if (spare != NULL) {
        page_free(spare, 0);
    }
}

void
utable_page_free(struct page *page)
{
    page_free(page, 0);
}

void
utable_init_with(struct utable *ut, struct container *container,
                 struct page *root)
{
    ut->container = container;
    ut->root = page_ptr(root);
}

void
utable_destroy(struct utable *ut)
{
    for (size_t i = 0; i < MMU_NR_TABLES; i++) {
        if (ut->root[i] != 0 && !(ut->root[i] & MMU_LINK)) {
            page_free(page_from_phys(ut->root[i] & UWORD_FRAME_MASK), 0);
        }
    }
    page_free(page_from_ptr(ut->root), 0);
}

uint64_t
uword_make(paddr_t phys, unsigned int prot, enum pmap_cache cache __unused,
           unsigned int level __unused)
{
    return phys | (prot != 0 ? UWORD_PRESENT | UWORD_USER : 0) |
           ((prot & PMAP_WRITE) ? UWORD_WRITE : 0) |
           ((prot & PMAP_EXEC) ? 0 : UWORD_NX);
}

/* Pages are small. */
unsigned int
utable_level_max(void)
{
    return 0;
}

status_t
utable_enter(struct utable *ut, uintptr_t va, uint64_t word,
             unsigned int level __unused, struct page **spare)
{
    uint64_t *dir = mmu_dir_entry(ut, va);

    if (*dir & MMU_LINK) {
        return ERR_STATE;
    }
    if (*dir == 0) {
        if (*spare == NULL) {
            return ERR_AGAIN;
        }
        *dir = page_phys(*spare) | UWORD_PRESENT;
        *spare = NULL;
    }
    *mmu_entry(*dir, va) = word;
    return OK;
}

status_t
utable_link(struct utable *ut, uintptr_t va, paddr_t node,
            struct page **spare __unused)
{
    uint64_t *dir = mmu_dir_entry(ut, va);
    uint64_t word = node | MMU_LINK | UWORD_PRESENT;

    if (*dir != 0 && *dir != word) {
        return ERR_STATE;
    }
    *dir = word;
    return OK;
}

uint64_t
utable_lookup(struct utable *ut, uintptr_t va)
{
    uint64_t dir = *mmu_dir_entry(ut, va);
    uint64_t word = dir == 0 || (dir & MMU_LINK) ? 0 : *mmu_entry(dir, va);

    return (word & UWORD_PRESENT) ? word : 0;
}

void
utable_cut_init(struct utable_cut *cut, uintptr_t va, uintptr_t end)
{
    cut->va = va;
    cut->end = end;
    cut->is_found = false;
    list_init(&cut->pages);
}

/* Clear what is next in the range of one table. */
static void
mmu_clear_next(struct utable *ut, struct utable_cut *cut)
{
    uintptr_t end = ALIGN_DOWN(cut->va, MMU_TABLE_SIZE) + MMU_TABLE_SIZE;
    uint64_t *dir = mmu_dir_entry(ut, cut->va), word = *dir;

    if (cut->va % MMU_TABLE_SIZE == 0 && cut->end >= end) {
        *dir = 0;
        if (word != 0 && !(word & MMU_LINK)) {
            list_insert_tail(&cut->pages,
                             &page_from_phys(word & UWORD_FRAME_MASK)->node);
        }
        cut->va = end;
    } else if (word == 0 || (word & MMU_LINK)) {
        cut->va = MIN(end, cut->end);
    } else {
        *mmu_entry(word, cut->va) = 0;
        cut->va += PAGE_SIZE;
    }
}

bool
utable_clear(struct utable *ut, struct utable_cut *cut)
{
    const uintptr_t end = MMU_BASE + MMU_NR_TABLES * MMU_TABLE_SIZE;

    for (int i = 0; i < MMU_STEP && cut->va < cut->end; i++) {
        cut->va = MIN(MAX(cut->va, MMU_BASE), cut->end);
        if (cut->va < MIN(end, cut->end)) {
            mmu_clear_next(ut, cut);
        }
        if (cut->va >= end) {
            cut->va = cut->end;
        }
    }
    return cut->va == cut->end;
}

/* -------------------------------------------------------------- processors */

void
utable_load(struct utable *ut)
{
    mmu_cpus[cpu_id()].loaded = ut;
}

void
utable_unload(void)
{
    mmu_cpus[cpu_id()].loaded = NULL;
}

struct utable *
utable_loaded(void)
{
    return mmu_cpus[cpu_id()].loaded;
}

/* Whether it is loaded or not: there are PCIDs. */
void
utable_flush(struct utable *ut, uintptr_t va, size_t nr_pages)
{
    struct mmu_cpu *cpu = &mmu_cpus[cpu_id()];

    cpu->table.ut = NULL;
    for (size_t i = 0; i < MMU_NR_KEPT; i++) {
        struct mmu_kept *kept = &cpu->pages[i];

        if (kept->ut == ut && kept->va - va < nr_pages * PAGE_SIZE) {
            kept->ut = NULL;
        }
    }
}

static bool
mmu_allows(uint64_t word, unsigned int access)
{
    return (word & UWORD_PRESENT) &&
           (access != FAULT_WRITE || (word & UWORD_WRITE));
}

/* Find a translation in the tables and keep it.  Returns: 0: there is none */
static uint64_t
mmu_walk(struct mmu_cpu *cpu, uintptr_t va, unsigned int access)
{
    uint64_t used = UWORD_ACCESSED | (access == FAULT_WRITE ? UWORD_DIRTY : 0);
    uintptr_t table_va = ALIGN_DOWN(va, MMU_TABLE_SIZE);
    _Atomic uint64_t *entry;
    uint64_t word;

    if (cpu->table.ut != cpu->loaded || cpu->table.va != table_va) {
        word = *mmu_dir_entry(cpu->loaded, va);
        if (word == 0) {
            return 0;
        }
        cpu->table = (struct mmu_kept){ cpu->loaded, table_va, word };
    }
    entry = mmu_entry(cpu->table.word, va);
    word = *entry;
    do {
        if (!mmu_allows(word, access)) {
            return 0;
        }
    } while (!atomic_compare_exchange_strong(entry, &word, word | used));
    cpu->pages[cpu->next++ % MMU_NR_KEPT] =
        (struct mmu_kept){ cpu->loaded, va, word | used };
    return word;
}

/* Whether a CPU has a translation; the first write has to be noted. */
static bool
mmu_has(const struct mmu_cpu *cpu, const struct mmu_kept *kept, uintptr_t va,
        unsigned int access)
{
    return kept->ut == cpu->loaded && kept->va == va &&
           mmu_allows(kept->word, access) &&
           (access != FAULT_WRITE || (kept->word & UWORD_DIRTY));
}

/* The word that translates the address of a page. */
static uint64_t
mmu_translate(uintptr_t va, unsigned int access)
{
    struct mmu_cpu *cpu = &mmu_cpus[cpu_id()];

    if (cpu->loaded == NULL) {
        return 0;
    }
    for (size_t i = 0; i < MMU_NR_KEPT; i++) {
        const struct mmu_kept *kept = &cpu->pages[i];

        if (mmu_has(cpu, kept, va, access)) {
            return kept->word;
        }
    }
    return mmu_walk(cpu, va, access);
}

/* One instruction of the user's.  Returns: whether it had no fault */
static bool
mmu_try(uintptr_t va, unsigned int access, uint64_t *valuep)
{
    uint64_t flags = cpu_irq_save();
    uint64_t word = mmu_translate(va, access);

    if (word != 0) {
        uint64_t *memory = pmap_direct_ptr(word & UWORD_FRAME_MASK);

        if (access == FAULT_WRITE) {
            WRITE_ONCE(*memory, *valuep);
        } else {
            *valuep = READ_ONCE(*memory);
        }
    }
    cpu_irq_restore(flags);
    return word != 0;
}

/* The same until faults are resolved.  Returns: as space_fault() */
static status_t
mmu_use(uintptr_t va, unsigned int access, uint64_t *valuep)
{
    status_t status = OK;

    while (status == OK && !mmu_try(va, access, valuep)) {
        status = space_fault(thread_self()->space, va, access);
    }
    return status;
}

static inline status_t
mmu_write(uintptr_t va, uint64_t value)
{
    return mmu_use(va, FAULT_WRITE, &value);
}

static inline status_t
mmu_read(uintptr_t va, uint64_t *valuep)
{
    return mmu_use(va, FAULT_READ, valuep);
}

#endif /* TEST_EXPLORE_MMU_H */
