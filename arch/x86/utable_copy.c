/* SPDX-License-Identifier: MIT */
/*
 * Copies between users' memory by page tables.
 *
 * Each side has a cursor: an entry and what is left of its page.  The entry of
 * the next page is next to it as a rule, so a page costs few instructions.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <arch/utable.h>
#include <kern/bootmem.h>
#include <kern/init.h>
#include <lib/assert.h>
#include <lib/macros.h>

#include "pte.h"

/* Not ordinary memory, whatever the size of the page. */
#define COPY_UNCACHED (PTE_PWT | PTE_PCD)

struct copy_cursor {
    struct utable_side *side;
    enum utable_side_nr nr;
    char *ptr;       /* next byte, in the direct map */
    size_t room;     /* bytes of the page from there */
    pte_t *entry;    /* of the page before; NULL: none yet */
    uint64_t needed; /* bits of an entry without which there is a fault */
    uint64_t used;   /* bits that the processor would set */
    unsigned int level;
};

/* Which 2 MiB an address is in. */
static inline uintptr_t
copy_leaf_index(uintptr_t va)
{
    return va / pmap_level_size(PMAP_LEVEL_2M);
}

/* The largest pieces of RAM; set on the boot CPU, constant from then on. */
static struct {
    paddr_t base;
    uint64_t size;
} copy_ram[2];

/* Whether there is memory at an address, of those pieces. */
static inline bool
copy_is_large_ram(paddr_t phys)
{
    return likely(phys - copy_ram[0].base < copy_ram[0].size) ||
           phys - copy_ram[1].base < copy_ram[1].size;
}

/* As copy_walk(), by all levels; a table of the last one is remembered. */
__noinline static pte_t *
copy_walk_all(struct copy_cursor *cursor, struct utable_leaf *leaf)
{
    uint64_t *table = cursor->side->ut->root;
    uintptr_t va = cursor->side->va;

    for (unsigned int level = PMAP_LEVEL_TOP; level > PMAP_LEVEL_4K; level--) {
        pte_t *entry = (pte_t *)&table[pmap_index(va, level)];
        uint64_t word = atomic_load_explicit(entry, memory_order_relaxed);

        if (!(word & PTE_PRESENT)) {
            return NULL;
        }
        if (word & PTE_LARGE) {
            cursor->level = level;
            return entry;
        }
        table = pmap_direct_ptr(word & PTE_ADDR_MASK);
    }
    leaf->table = table;
    leaf->index = copy_leaf_index(va);
    cursor->level = PMAP_LEVEL_4K;
    return (pte_t *)&table[pmap_index(va, PMAP_LEVEL_4K)];
}

/* The entry that translates an address, linked nodes included; or NULL. */
static inline pte_t *
copy_walk(struct copy_cursor *cursor)
{
    struct utable_leaf *leaf = &cursor->side->ut->leaves[cursor->nr];
    uintptr_t va = cursor->side->va;

    if (unlikely(leaf->index != copy_leaf_index(va))) {
        return copy_walk_all(cursor, leaf);
    }
    cursor->level = PMAP_LEVEL_4K;
    return (pte_t *)&leaf->table[pmap_index(va, PMAP_LEVEL_4K)];
}

/* Find the entry of the next byte, which is the first of a page or copy. */
static inline void
copy_find_entry(struct copy_cursor *cursor)
{
    if (cursor->entry != NULL && cursor->level == PMAP_LEVEL_4K &&
        pmap_index(cursor->side->va, PMAP_LEVEL_4K) != 0) {
        cursor->entry++;
    } else {
        cursor->entry = copy_walk(cursor);
    }
}

/* Whether there is memory at an address, of any piece. */
__noinline static bool
copy_find_ram(paddr_t phys)
{
    struct bootmem_range ram;

    return bootmem_next_ram(phys, &ram) && ram.base <= phys;
}

/*
 * Whether a page is ordinary memory.  That it has a struct page does not say
 * so: what is no RAM may have one, for RAM near it, and is not mapped here.
 */
static inline bool
copy_is_memory(uint64_t word, paddr_t phys)
{
    if (word & COPY_UNCACHED) {
        return false;
    }
    return likely(copy_is_large_ram(phys)) || copy_find_ram(phys);
}

/* Go on with the page of the next byte.  Returns: OK; as side->status */
static inline status_t
copy_next_page(struct copy_cursor *cursor)
{
    size_t mask;
    uint64_t word;
    paddr_t phys;

    copy_find_entry(cursor);
    if (cursor->entry == NULL) {
        return ERR_AGAIN;
    }
    word = atomic_load_explicit(cursor->entry, memory_order_relaxed);
    if ((word & cursor->needed) != cursor->needed) {
        return ERR_AGAIN;
    }
    mask = pmap_level_size(cursor->level) - 1;
    phys = (word & PTE_ADDR_MASK & ~mask) | (cursor->side->va & mask);
    if (unlikely(!copy_is_memory(word, phys))) {
        return ERR_FAULT;
    }
    if (unlikely((word & cursor->used) != cursor->used)) {
        /* An entry of a node is others' to change, too. */
        atomic_fetch_or_explicit(cursor->entry, cursor->used,
                                 memory_order_relaxed);
    }
    cursor->ptr = pmap_direct_ptr(phys);
    cursor->room = mask + 1 - (cursor->side->va & mask);
    return OK;
}

/* Have a byte to go on with, if that is possible. */
static inline void
copy_refill(struct copy_cursor *cursor)
{
    if (cursor->room == 0) {
        cursor->side->status = copy_next_page(cursor);
    }
}

static inline void
copy_advance(struct copy_cursor *cursor, size_t size)
{
    cursor->ptr += size;
    cursor->room -= size;
    cursor->side->va += size;
}

/* What a program's load, or store, wants of an entry, and does to it. */
#define COPY_LOAD_NEEDED  (PTE_PRESENT | PTE_USER)
#define COPY_LOAD_USED    PTE_ACCESSED
#define COPY_STORE_NEEDED (PTE_PRESENT | PTE_USER | PTE_WRITE)
#define COPY_STORE_USED   (PTE_ACCESSED | PTE_DIRTY)

static inline struct copy_cursor
copy_begin(struct utable_side *side, enum utable_side_nr nr, uint64_t needed,
           uint64_t used)
{
    struct copy_cursor cursor = {
        .side = side, .nr = nr, .needed = needed, .used = used
    };

    assert(side->ut == NULL || side->va < USER_END);
    side->status = OK;
    if (side->ut == NULL) {
        cursor.ptr = (char *)side->va;
        cursor.room = SIZE_MAX;
    }
    return cursor;
}

size_t
utable_copy(struct utable_side *dst, struct utable_side *src, size_t size)
{
    struct copy_cursor from =
        copy_begin(src, UTABLE_SRC, COPY_LOAD_NEEDED, COPY_LOAD_USED);
    struct copy_cursor to =
        copy_begin(dst, UTABLE_DST, COPY_STORE_NEEDED, COPY_STORE_USED);
    size_t left = MIN(size, (size_t)UTABLE_COPY_MAX);
    size_t before = left;

    assert(!cpu_irq_is_enabled());
    while (left != 0) {
        size_t piece;

        /* Both are looked at, so that both can be resolved at once. */
        copy_refill(&from);
        copy_refill(&to);
        piece = MIN(from.room, to.room);
        if (piece == 0) {
            break;
        }
        piece = MIN(piece, left);
        user_copy_frames(to.ptr, from.ptr, piece);
        copy_advance(&from, piece);
        copy_advance(&to, piece);
        left -= piece;
    }
    return before - left;
}

/* utable_reach() when not all is as it is as a rule. */
__noinline static void *
copy_reach_slow(struct utable *ut, uintptr_t va)
{
    struct utable_side side = { .ut = ut, .va = va };
    struct copy_cursor to =
        copy_begin(&side, UTABLE_DST, COPY_STORE_NEEDED, COPY_STORE_USED);

    return copy_next_page(&to) == OK ? to.ptr : NULL;
}

void *
utable_reach(struct utable *ut, uintptr_t va)
{
    const struct utable_leaf *leaf = &ut->leaves[UTABLE_DST];
    const uint64_t all = COPY_STORE_NEEDED | COPY_STORE_USED;
    uint64_t word;
    paddr_t phys;

    assert(!cpu_irq_is_enabled() && va < USER_END);
    if (unlikely(leaf->index != copy_leaf_index(va))) {
        return copy_reach_slow(ut, va);
    }
    word = READ_ONCE(leaf->table[pmap_index(va, PMAP_LEVEL_4K)]);
    phys = word & PTE_ADDR_MASK;
    if (unlikely((word & (all | COPY_UNCACHED)) != all ||
                 !copy_is_large_ram(phys))) {
        return copy_reach_slow(ut, va);
    }
    return pmap_direct_ptr(phys | (va % PAGE_SIZE));
}

static status_t
copy_setup(void)
{
    struct bootmem_range ram;

    for (paddr_t at = 0; bootmem_next_ram(at, &ram); at = ram.end) {
        uint64_t size = ram.end - ram.base;

        if (size > copy_ram[0].size) {
            copy_ram[1] = copy_ram[0];
            copy_ram[0].base = ram.base;
            copy_ram[0].size = size;
        } else if (size > copy_ram[1].size) {
            copy_ram[1].base = ram.base;
            copy_ram[1].size = size;
        }
    }
    return OK;
}

INIT_OP(copy_setup, INIT_BOOT_CPU, AFTER(bootmem_setup));
