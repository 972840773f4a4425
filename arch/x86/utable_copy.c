/* SPDX-License-Identifier: MIT */
/*
 * Copies between users' memory by page tables.
 *
 * The pages used last are remembered, and so is the page table, so that a page
 * costs few instructions.  <arch/utable.h> says for how long.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <arch/utable.h>
#include <arch/utable_poke.h>
#include <kern/bootmem.h>
#include <lib/assert.h>
#include <lib/macros.h>

#include "pte.h"

/* Not ordinary memory, whatever the size of the page. */
#define COPY_UNCACHED (PTE_PWT | PTE_PCD)

/* A kind of access. */
struct copy_access {
    uint64_t needed; /* bits of an entry without which there is a fault */
    uint64_t used;   /* bits that the processor would set */
};

static const struct copy_access copy_reads = {
    .needed = PTE_PRESENT | PTE_USER,
    .used = PTE_ACCESSED,
};

static const struct copy_access copy_writes = {
    .needed = PTE_PRESENT | PTE_USER | PTE_WRITE,
    .used = PTE_ACCESSED | PTE_DIRTY,
};

/* What tells a table for entries of 4 KiB. */
static inline uintptr_t
copy_leaf_index(uintptr_t va)
{
    return va / pmap_level_size(PMAP_LEVEL_2M);
}

/*
 * The entry that translates an address, linked nodes included; or NULL.
 *
 * @levelp  receives its level
 */
static pte_t *
copy_walk(const struct utable *ut, uintptr_t va, unsigned int *levelp)
{
    uint64_t *table = ut->root;

    for (unsigned int level = PMAP_LEVEL_TOP;; level--) {
        pte_t *entry = (pte_t *)&table[pmap_index(va, level)];
        uint64_t word = atomic_load_explicit(entry, memory_order_relaxed);

        if (level == PMAP_LEVEL_4K || (word & PTE_LARGE)) {
            *levelp = level;
            return entry;
        }
        if (!(word & PTE_PRESENT)) {
            return NULL;
        }
        table = pmap_direct_ptr(word & PTE_ADDR_MASK);
    }
}

/* Whether there is memory at an address, of the piece last found. */
static inline bool
copy_is_usual(const struct utable_recall *recall, paddr_t phys)
{
    return likely(phys >= recall->ram_start && phys < recall->ram_end);
}

/* Whether there is memory at an address, of any piece, which is remembered. */
__noinline static bool
copy_find_ram(struct utable_recall *recall, paddr_t phys)
{
    struct bootmem_range ram;

    if (!bootmem_next_ram(phys, &ram) || ram.base > phys) {
        return false;
    }
    recall->ram_start = ram.base;
    recall->ram_end = ram.end;
    return true;
}

/*
 * Whether a page is ordinary memory.  That it has a struct page does not say
 * so: what is no RAM may have one, for RAM near it, and is not mapped here.
 */
static bool
copy_is_memory(struct utable_recall *recall, uint64_t word, paddr_t phys)
{
    return !(word & COPY_UNCACHED) &&
           (copy_is_usual(recall, phys) || copy_find_ram(recall, phys));
}

/* Remember the page of the next byte.  Returns: where that is */
static inline char *
copy_remember(const struct utable_side *side, struct utable_recall *recall,
              paddr_t phys)
{
    struct utable_seen *seen = utable_seen(recall, side->va);

    seen->va = ALIGN_DOWN(side->va, PAGE_SIZE);
    seen->frame = pmap_direct_ptr(phys);
    return seen->frame + side->va % PAGE_SIZE;
}

/*
 * Find the page of the next byte, have it marked as used, and remember it and
 * its table.
 *
 * @ptrp  receives where the byte is
 *
 * Returns: whether it was found; if not, side->status says why
 */
__noinline static bool
copy_find(struct utable_side *side, struct utable_recall *recall,
          const struct copy_access *access, char **ptrp)
{
    unsigned int level;
    pte_t *entry = copy_walk(side->ut, side->va, &level);
    paddr_t phys;
    uint64_t word;
    size_t mask;

    side->status = ERR_AGAIN;
    if (entry == NULL) {
        return false;
    }
    word = atomic_load_explicit(entry, memory_order_relaxed);
    if ((word & access->needed) != access->needed) {
        return false;
    }
    mask = pmap_level_size(level) - 1;
    phys = (word & PTE_ADDR_MASK & ~mask) |
           (ALIGN_DOWN(side->va, PAGE_SIZE) & mask);
    if (unlikely(!copy_is_memory(recall, word, phys))) {
        side->status = ERR_FAULT;
        return false;
    }
    side->status = OK;
    if ((word & access->used) != access->used) {
        /* An entry of a node is others' to change, too. */
        atomic_fetch_or_explicit(entry, access->used, memory_order_relaxed);
    }
    if (level == PMAP_LEVEL_4K) {
        recall->leaf = entry - pmap_index(side->va, PMAP_LEVEL_4K);
        recall->leaf_index = copy_leaf_index(side->va);
    }
    *ptrp = copy_remember(side, recall, phys);
    return true;
}

/* The same for the next page of a table that is remembered, as a rule. */
static inline bool
copy_find_next(struct utable_side *side, struct utable_recall *recall,
               const struct copy_access *access, char **ptrp)
{
    uint64_t bits = access->needed | access->used;

    if (likely(copy_leaf_index(side->va) == recall->leaf_index)) {
        pte_t *entry = &recall->leaf[pmap_index(side->va, PMAP_LEVEL_4K)];
        uint64_t word = atomic_load_explicit(entry, memory_order_relaxed);
        paddr_t phys = word & PTE_ADDR_MASK;

        if (likely((word & (bits | COPY_UNCACHED)) == bits) &&
            copy_is_usual(recall, phys)) {
            *ptrp = copy_remember(side, recall, phys);
            return true;
        }
    }
    return copy_find(side, recall, access, ptrp);
}

/*
 * Find the next byte.
 *
 * @ptrp   receives where it is
 * @piece  bytes to be copied; receives how many of them are in the same page
 *
 * Returns: as copy_find()
 */
static inline bool
copy_at(struct utable_side *side, struct utable_recall *recall,
        const struct copy_access *access, char **ptrp, size_t *piece)
{
    if (side->ut == NULL) {
        *ptrp = (char *)side->va;
        return true;
    }
    *piece = MIN(*piece, PAGE_SIZE - side->va % PAGE_SIZE);
    return likely(utable_recall(recall, side->va, 1, ptrp)) ||
           copy_find_next(side, recall, access, ptrp);
}

size_t
utable_copy(struct utable_side *dst, struct utable_side *src, size_t size)
{
    size_t left = MIN(size, (size_t)UTABLE_COPY_MAX);
    size_t before = left;

    assert(!cpu_irq_is_enabled());
    assert(size != 0);
    assert(src->ut == NULL || src->va < USER_END);
    assert(dst->ut == NULL || dst->va < USER_END);

    src->status = OK;
    dst->status = OK;
    do {
        size_t piece = left;
        char *from, *to;
        bool is_found =
            copy_at(src, &src->ut->reads, &copy_reads, &from, &piece);

        /* Both are looked at, so that both can be resolved at once. */
        if (unlikely(
                !copy_at(dst, &dst->ut->writes, &copy_writes, &to, &piece) ||
                !is_found)) {
            break;
        }
        user_copy_frames(to, from, piece);
        src->va += piece;
        dst->va += piece;
        left -= piece;
    } while (left != 0);
    return before - left;
}

bool
utable_poke(struct utable *ut, uintptr_t va, const void *from, size_t size)
{
    struct utable_side dst = { .ut = ut, .va = va };
    struct utable_side src = { .va = (uintptr_t)from };

    return va < USER_END && utable_copy(&dst, &src, size) == size;
}
