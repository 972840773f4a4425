/* SPDX-License-Identifier: MIT */
/*
 * Page tables of users, four levels.
 *
 * Invariants: an entry between levels is present, writable, for users and
 * accessed, so the last one alone decides and the processor never writes
 * those; it leads to a table of ours, which the page's use tells, too, or has
 * UTABLE_LINK.  The table last used for entries of 2 MiB is remembered, which
 * saves most walks their first half; it is forgotten when any table of its
 * level or above is cut off.
 *
 * A table that was cut off may be in the processor's caches of upper levels
 * until the flush: till then nobody frees it, and the processor may at most
 * set accessed bits in it.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/pmap.h>
#include <arch/utable.h>
#include <kern/container.h>
#include <kern/init.h>
#include <kern/page.h>
#include <kern/percpu.h>
#include <lib/assert.h>
#include <lib/macros.h>
#include <lib/string.h>

#include "asid.h"
#include "cpuid.h"
#include "msr.h"
#include "pte.h"

/* In an entry that leads to somebody's node; processors ignore the bit. */
#define UTABLE_LINK (UINT64_C(1) << 9)

/* An entry that leads to another table. */
#define UTABLE_TABLE (PTE_TABLE | PTE_USER)

#define UTABLE_NO_DIR   UINTPTR_MAX
#define UTABLE_NO_LEAF  UINTPTR_MAX
#define UTABLE_NR_PROTS 8

/*
 * The work of one utable_clear(): a unit is an entry that is cleared, or found
 * empty, and stands for some 7 instructions.
 */
#define UTABLE_CLEAR_MAX  224
#define UTABLE_COST_START 10 /* to find the table */
#define UTABLE_COST_ENTRY 14 /* above the last level that is not empty */

/* So many pages are cleared without much thought. */
#define UTABLE_CLEAR_FEW 64

static_assert(UWORD_PRESENT == PTE_PRESENT && UWORD_WRITE == PTE_WRITE &&
                  UWORD_USER == PTE_USER && UWORD_ACCESSED == PTE_ACCESSED &&
                  UWORD_DIRTY == PTE_DIRTY && UWORD_LARGE == PTE_LARGE &&
                  UWORD_GLOBAL == PTE_GLOBAL && UWORD_NX == PTE_NX &&
                  UWORD_FRAME_MASK == PTE_ADDR_MASK,
              "the same bits");

/* Where an entry is. */
struct utable_place {
    uint64_t *table;
    unsigned int level;
};

/* Constant after utable_setup(): bits of an entry by protection. */
static uint64_t utable_prots[UTABLE_NR_PROTS];

/* What this CPU uses; NULL: the kernel's.  Own to each, interrupts disabled */
static PERCPU(struct utable *, utable_current);

static inline uint64_t *
utable_child(uint64_t word)
{
    return pmap_direct_ptr(word & PTE_ADDR_MASK);
}

/* Whether an entry leads to a table of ours. */
static inline bool
utable_is_table(uint64_t word, unsigned int level)
{
    return level != PMAP_LEVEL_4K &&
           (word & (PTE_PRESENT | PTE_LARGE | UTABLE_LINK)) == PTE_PRESENT;
}

static inline uintptr_t
utable_dir_index(uintptr_t va)
{
    return va / pmap_level_size(PMAP_LEVEL_1G);
}

/* Whether the table for entries of 2 MiB around an address is remembered. */
static inline bool
utable_has_dir(const struct utable *ut, uintptr_t va)
{
    return ut->dir_index == utable_dir_index(va);
}

/* Find and remember that table.  Returns: whether there is one */
__noinline static bool
utable_find_dir(struct utable *ut, uintptr_t va)
{
    uint64_t *table = ut->root;

    for (unsigned int level = PMAP_LEVEL_TOP; level > PMAP_LEVEL_2M; level--) {
        uint64_t word = table[pmap_index(va, level)];

        if (!utable_is_table(word, level)) {
            return false;
        }
        table = utable_child(word);
    }
    ut->dir = table;
    ut->dir_index = utable_dir_index(va);
    return true;
}

static void
utable_recall_init(struct utable_recall *recall)
{
    for (uintptr_t i = 0; i < UTABLE_NR_SEEN; i++) {
        /* Who looks there looks for a page that has this place. */
        recall->pages[i].va = (i ^ 1) * PAGE_SIZE;
    }
    recall->leaf_index = UTABLE_NO_LEAF;
}

/* Forget what copies have found. */
static inline void
utable_forget(struct utable *ut)
{
    utable_recall_init(&ut->reads);
    utable_recall_init(&ut->writes);
}

/*
 * Allocation
 */

struct page *
utable_spare_alloc(struct container *container)
{
    struct page *page;

    if (container_charge(container, CONTAINER_TABLES, 1) != OK) {
        return NULL;
    }
    page = page_alloc(0, PAGE_ZERO);
    if (page == NULL) {
        container_refund(container, CONTAINER_TABLES, 1);
        return NULL;
    }
    page->use = PAGE_USE_TABLE;
    return page;
}

void
utable_spare_free(struct container *container, struct page *spare)
{
    if (spare != NULL) {
        page_free(spare, 0);
        container_refund(container, CONTAINER_TABLES, 1);
    }
}

/* Have a page be a table. */
static void
utable_adopt(struct utable *ut, struct page *page, unsigned int level)
{
    page->table.utable = ut;
    page->table.level = (uint8_t)level;
    atomic_fetch_add_explicit(&ut->nr_tables, 1, memory_order_relaxed);
}

static void
utable_free_one(struct page *page)
{
    struct utable *ut = page->table.utable;

    atomic_fetch_sub_explicit(&ut->nr_tables, 1, memory_order_relaxed);
    utable_spare_free(ut->container, page);
}

/* Free what the first @nr entries of a table lead to, and what that does. */
static void
utable_free_below(struct page *page, size_t nr)
{
    const uint64_t *table = page_ptr(page);
    unsigned int level = page->table.level;

    for (size_t i = 0; i < nr; i++) {
        struct page *child;

        if (!utable_is_table(table[i], level)) {
            continue;
        }
        child = page_from_phys(table[i] & PTE_ADDR_MASK);
        if (level - 1 != PMAP_LEVEL_4K) {
            utable_free_below(child, PMAP_NR_ENTRIES);
        }
        utable_free_one(child);
    }
}

void
utable_page_free(struct page *page)
{
    assert(page->use == PAGE_USE_TABLE);

    if (page->table.level != PMAP_LEVEL_4K) {
        utable_free_below(page, PMAP_NR_ENTRIES);
    }
    utable_free_one(page);
}

status_t
utable_init(struct utable *ut, struct container *container)
{
    struct page *page = utable_spare_alloc(container);

    if (page == NULL) {
        return ERR_NO_MEMORY;
    }
    utable_init_with(ut, container, page);
    return OK;
}

void
utable_init_with(struct utable *ut, struct container *container,
                 struct page *root)
{
    const size_t kernel = PMAP_KERNEL_INDEX;
    const uint64_t *top = pmap_direct_ptr(pmap_root());

    *ut = (struct utable){
        .root = page_ptr(root),
        .container = container,
        .cr3 = page_phys(root),
        .dir_index = UTABLE_NO_DIR,
    };
    utable_forget(ut);
    utable_adopt(ut, root, PMAP_LEVEL_TOP);
    memcpy(ut->root + kernel, top + kernel,
           (PMAP_NR_ENTRIES - kernel) * sizeof(*top));
}

void
utable_destroy(struct utable *ut)
{
    struct page *page = page_from_ptr(ut->root);

    assert(ut != utable_loaded());

    utable_free_below(page, PMAP_KERNEL_INDEX);
    utable_free_one(page);
    assert(atomic_load(&ut->nr_tables) == 0);
}

/*
 * Loading
 */

void
utable_load(struct utable *ut)
{
    assert(!cpu_irq_is_enabled());

    percpu_write(utable_current, ut);
    cr3_write(asid_take(percpu_this(asid_this_cpu), ut));
}

void
utable_unload(void)
{
    assert(!cpu_irq_is_enabled());

    percpu_write(utable_current, NULL);
    cr3_write(pmap_root() | percpu_this(asid_this_cpu)->keep);
}

struct utable *
utable_loaded(void)
{
    return percpu_read(utable_current);
}

void
utable_flush(struct utable *ut, uintptr_t va, size_t nr_pages)
{
    assert(!cpu_irq_is_enabled());

    utable_forget(ut);
    if (ut != utable_loaded()) {
        asid_forget(ut);
        return;
    }
    if (nr_pages > UTABLE_FLUSH_MAX) {
        asid_forget(ut);
        cr3_write(asid_take(percpu_this(asid_this_cpu), ut));
        return;
    }
    /* Each of these forgets all entries of upper levels, too. */
    for (; nr_pages > 0; nr_pages--, va += PAGE_SIZE) {
        __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
    }
}

/*
 * Entries
 */

uint64_t
uword_make(paddr_t phys, unsigned int prot, enum pmap_cache cache,
           unsigned int level)
{
    assert(IS_ALIGNED(phys, pmap_level_size(level)));
    assert(level <= utable_level_max());

    return phys | utable_prots[prot % UTABLE_NR_PROTS] |
           ((uint64_t)cache << PTE_CACHE_SHIFT) |
           (level != PMAP_LEVEL_4K ? PTE_LARGE : 0);
}

unsigned int
utable_level_max(void)
{
    return cpuid_has(CPUID_PAGE_1G) ? PMAP_LEVEL_1G : PMAP_LEVEL_2M;
}

/* Make the spare page the table that an entry leads to.  Returns: the word */
static uint64_t
utable_grow(struct utable *ut, uint64_t *entry, unsigned int level,
            struct page **spare)
{
    uint64_t word = page_phys(*spare) | UTABLE_TABLE;

    utable_adopt(ut, *spare, level);
    *spare = NULL;
    WRITE_ONCE(*entry, word);
    return word;
}

/*
 * Find an entry, with the tables above it.
 *
 * Returns: as utable_enter()
 */
__noinline static status_t
utable_descend(struct utable *ut, uintptr_t va, unsigned int to_level,
               struct page **spare, uint64_t **entryp)
{
    uint64_t *table = ut->root;

    for (unsigned int level = PMAP_LEVEL_TOP; level > to_level; level--) {
        uint64_t *entry = &table[pmap_index(va, level)];
        uint64_t word = *entry;

        if (!(word & PTE_PRESENT)) {
            if (*spare == NULL) {
                return ERR_AGAIN;
            }
            word = utable_grow(ut, entry, level - 1, spare);
        }
        if (!utable_is_table(word, level)) {
            return ERR_STATE;
        }
        table = utable_child(word);
    }
    *entryp = &table[pmap_index(va, to_level)];
    return OK;
}

/* All but the most frequent case of utable_enter(). */
__noinline static status_t
utable_enter_slow(struct utable *ut, uintptr_t va, uint64_t word,
                  unsigned int level, struct page **spare)
{
    uint64_t *entry;
    status_t status;

    status = utable_descend(ut, va, level, spare, &entry);
    if (status != OK) {
        return status;
    }
    if (level != PMAP_LEVEL_4K &&
        (*entry & (PTE_PRESENT | PTE_LARGE)) == PTE_PRESENT) {
        return ERR_STATE;
    }
    WRITE_ONCE(*entry, word);
    utable_find_dir(ut, va);
    return OK;
}

status_t
utable_enter(struct utable *ut, uintptr_t va, uint64_t word, unsigned int level,
             struct page **spare)
{
    uint64_t above;

    assert(!cpu_irq_is_enabled());
    assert(va < USER_END);

    if (likely(level == PMAP_LEVEL_4K && utable_has_dir(ut, va))) {
        above = ut->dir[pmap_index(va, PMAP_LEVEL_2M)];
        if (likely(utable_is_table(above, PMAP_LEVEL_2M))) {
            WRITE_ONCE(utable_child(above)[pmap_index(va, PMAP_LEVEL_4K)],
                       word);
            return OK;
        }
    }
    return utable_enter_slow(ut, va, word, level, spare);
}

static inline uint64_t
utable_link_word(paddr_t node)
{
    return node | UTABLE_TABLE | UTABLE_LINK;
}

bool
utable_is_linked(struct utable *ut, uintptr_t va, paddr_t node)
{
    assert(!cpu_irq_is_enabled());

    if (unlikely(!utable_has_dir(ut, va)) && !utable_find_dir(ut, va)) {
        return false;
    }
    return ut->dir[pmap_index(va, PMAP_LEVEL_2M)] == utable_link_word(node);
}

status_t
utable_link(struct utable *ut, uintptr_t va, paddr_t node, struct page **spare)
{
    uint64_t word = utable_link_word(node);
    uint64_t *entry;
    status_t status;

    assert(!cpu_irq_is_enabled());
    assert(va < USER_END && IS_ALIGNED(node, PAGE_SIZE));

    if (likely(utable_is_linked(ut, va, node))) {
        return OK;
    }
    status = utable_descend(ut, va, PMAP_LEVEL_2M, spare, &entry);
    if (status != OK) {
        return status;
    }
    if (*entry & PTE_PRESENT) {
        return ERR_STATE;
    }
    WRITE_ONCE(*entry, word);
    return OK;
}

uint64_t
utable_lookup(struct utable *ut, uintptr_t va)
{
    const uint64_t *table = ut->root;
    unsigned int level = PMAP_LEVEL_TOP;
    uint64_t word;

    assert(!cpu_irq_is_enabled());
    assert(va < USER_END);

    for (;;) {
        word = table[pmap_index(va, level)];
        if (!utable_is_table(word, level)) {
            break;
        }
        table = utable_child(word);
        level--;
    }
    if (!(word & PTE_PRESENT) ||
        (level != PMAP_LEVEL_4K && !(word & PTE_LARGE))) {
        return 0;
    }
    return word;
}

/*
 * Clearing
 */

void
utable_cut_init(struct utable_cut *cut, uintptr_t va, uintptr_t end)
{
    assert(va <= end && end <= USER_END && IS_ALIGNED(va | end, PAGE_SIZE));

    cut->va = va;
    cut->end = end;
    cut->is_found = false;
    list_init(&cut->pages);
}

/* Whether all that the next entry of a level stands for is to be cleared. */
static inline bool
utable_cut_covers(const struct utable_cut *cut, unsigned int level)
{
    size_t size = pmap_level_size(level);

    return IS_ALIGNED(cut->va, size) && cut->end - cut->va >= size;
}

/* Have a table, whose entry at @level was cleared, freed later. */
static void
utable_cut_off(struct utable *ut, struct utable_cut *cut, unsigned int level,
               uint64_t word)
{
    if (level > PMAP_LEVEL_2M) {
        ut->dir_index = UTABLE_NO_DIR;
    }
    list_insert_tail(&cut->pages, &page_from_phys(word & PTE_ADDR_MASK)->node);
}

/* Find the first entry that is not of a table which has to be entered. */
static struct utable_place
utable_cut_begin(const struct utable *ut, const struct utable_cut *cut)
{
    struct utable_place place = { ut->root, PMAP_LEVEL_TOP };

    if (utable_has_dir(ut, cut->va) && !utable_cut_covers(cut, PMAP_LEVEL_1G)) {
        place = (struct utable_place){ ut->dir, PMAP_LEVEL_2M };
    }
    for (;;) {
        uint64_t word = place.table[pmap_index(cut->va, place.level)];

        if (!utable_is_table(word, place.level) ||
            utable_cut_covers(cut, place.level)) {
            return place;
        }
        place.table = utable_child(word);
        place.level--;
    }
}

/* Clear so many pages of 4 KiB, whose first word is given. */
static inline void
utable_clear_run(struct utable_cut *cut, uint64_t *word, size_t nr)
{
    const uint64_t *end = word + nr;
    uint64_t found = 0;

    for (; word != end; word++) {
        found |= *word;
        WRITE_ONCE(*word, 0);
    }
    cut->is_found |= found != 0;
    cut->va += nr * PAGE_SIZE;
}

/*
 * Clear pages of 4 KiB up to the end of a table.
 *
 * @left  how many may be looked at; returned less those that were
 */
static unsigned int
utable_clear_words(struct utable_cut *cut, uint64_t *table, unsigned int left)
{
    size_t first = pmap_index(cut->va, PMAP_LEVEL_4K);
    size_t nr = MIN((cut->end - cut->va) / PAGE_SIZE, (size_t)left);

    nr = MIN(nr, PMAP_NR_ENTRIES - first);
    utable_clear_run(cut, &table[first], nr);
    return left - (unsigned int)nr;
}

/*
 * Pass by entries of a table above the last level that are empty.
 *
 * @end   of what is to be cleared in the table
 * @left  as above
 */
static unsigned int
utable_skip_empty(struct utable_cut *cut, struct utable_place place,
                  uintptr_t end, unsigned int left)
{
    unsigned int shift = PAGE_SHIFT + PMAP_BITS * place.level;
    uintptr_t first = cut->va >> shift;
    uintptr_t stop = MIN(((end - 1) >> shift) + 1, first + left);
    const uint64_t *entry = &place.table[first % PMAP_NR_ENTRIES];
    uintptr_t at = first;

    while (at < stop && *entry == 0) {
        entry++;
        at++;
    }
    if (at != first) {
        cut->va = MIN(at << shift, end);
    }
    return left - (unsigned int)(at - first);
}

/*
 * Clear the entry of a table that is next, if that is to be.
 *
 * Returns: whether it is done with; else it leads to a table that has to be
 *          entered
 */
static bool
utable_clear_entry(struct utable *ut, struct utable_cut *cut,
                   struct utable_place place)
{
    size_t size = pmap_level_size(place.level);
    uint64_t *entry = &place.table[pmap_index(cut->va, place.level)];
    uint64_t word = *entry;

    if ((word & (PTE_PRESENT | PTE_LARGE)) == PTE_PRESENT &&
        !utable_cut_covers(cut, place.level)) {
        if (!(word & UTABLE_LINK)) {
            return false;
        }
    } else {
        cut->is_found = true;
        WRITE_ONCE(*entry, 0);
        if (utable_is_table(word, place.level)) {
            utable_cut_off(ut, cut, place.level, word);
        }
    }
    cut->va = MIN(ALIGN_DOWN(cut->va, size) + size, cut->end);
    return true;
}

/* Clear entries above the last level up to the end of a table.  As above */
static unsigned int
utable_clear_entries(struct utable *ut, struct utable_cut *cut,
                     struct utable_place place, unsigned int left)
{
    size_t span = pmap_level_size(place.level + 1);
    uintptr_t end = MIN(ALIGN_DOWN(cut->va, span) + span, cut->end);

    while (cut->va < end) {
        left = utable_skip_empty(cut, place, end, left);
        if (cut->va == end || left < UTABLE_COST_ENTRY ||
            !utable_clear_entry(ut, cut, place)) {
            break;
        }
        left -= UTABLE_COST_ENTRY;
    }
    return left;
}

/* All but the most frequent case of utable_clear(). */
__noinline static bool
utable_clear_slow(struct utable *ut, struct utable_cut *cut)
{
    unsigned int left = UTABLE_CLEAR_MAX;

    while (cut->va < cut->end) {
        struct utable_place place;

        if (left < UTABLE_COST_START) {
            return false;
        }
        place = utable_cut_begin(ut, cut);
        left -= UTABLE_COST_START;
        left = place.level == PMAP_LEVEL_4K
                   ? utable_clear_words(cut, place.table, left)
                   : utable_clear_entries(ut, cut, place, left);
    }
    return true;
}

bool
utable_clear(struct utable *ut, struct utable_cut *cut)
{
    uintptr_t va = cut->va, size = cut->end - va;

    assert(!cpu_irq_is_enabled());

    /* Few pages of one table, below the one that was used last? */
    if (likely(size - PAGE_SIZE < UTABLE_CLEAR_FEW * PAGE_SIZE &&
               utable_has_dir(ut, va)) &&
        pmap_index(va, PMAP_LEVEL_2M) ==
            pmap_index(cut->end - PAGE_SIZE, PMAP_LEVEL_2M)) {
        uint64_t above = ut->dir[pmap_index(va, PMAP_LEVEL_2M)];

        if (utable_is_table(above, PMAP_LEVEL_2M)) {
            uint64_t *table = utable_child(above);

            utable_clear_run(cut, &table[pmap_index(va, PMAP_LEVEL_4K)],
                             size / PAGE_SIZE);
            return true;
        }
    }
    return utable_clear_slow(ut, cut);
}

static status_t
utable_setup(void)
{
    uint64_t nx = (msr_read(MSR_EFER) & EFER_NXE) ? PTE_NX : 0;

    for (unsigned int prot = 1; prot < UTABLE_NR_PROTS; prot++) {
        utable_prots[prot] = PTE_PRESENT | PTE_USER |
                             ((prot & PMAP_WRITE) ? PTE_WRITE : 0) |
                             ((prot & PMAP_EXEC) ? 0 : nx);
    }
    return OK;
}

INIT_OP(utable_setup, INIT_BOOT_CPU, AFTER(control_setup));
