/* SPDX-License-Identifier: MIT */
/*
 * The user half of the page tables that one CPU uses for one space.
 *
 * They are a cache: whatever is in them can be found again elsewhere, so any
 * of it may be dropped at any time.  The kernel's half of the top level is
 * that of pmap.
 *
 * Invariant: the tables are read and written only by the CPU they belong to,
 * with interrupts disabled; what was cut off belongs to who has the chain.
 *
 * An entry of the level above the last may lead to a table that is not ours
 * but somebody's node of the same format (utable_link()): such a page is
 * never freed or written here, and PAGE_USE_NODE tells it from our own.
 *
 * Design: doc/vm.md.
 */
#ifndef ARCH_UTABLE_H
#define ARCH_UTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/pmap.h>
#include <arch/types.h>
#include <lib/list.h>
#include <lib/status.h>

struct container;

/*
 * The word of an entry, as processors read it.  Bits 9 to 11 and 52 to 62 are
 * ignored by them in each entry, all others but bit 0 in one that is not
 * present.
 */
#define UWORD_PRESENT    UINT64_C(0x001)
#define UWORD_WRITE      UINT64_C(0x002)
#define UWORD_USER       UINT64_C(0x004)
#define UWORD_ACCESSED   UINT64_C(0x020)
#define UWORD_DIRTY      UINT64_C(0x040)
#define UWORD_NX         (UINT64_C(1) << 63)
#define UWORD_FRAME_MASK UINT64_C(0x000ffffffffff000)

/* First address behind the user's half. */
#define USER_END UINT64_C(0x0000800000000000)

/* Entries looked at in one call of utable_clear(), at most. */
#define UTABLE_CLEAR_MAX 128

/* More pages than this are forgotten by forgetting everything. */
#define UTABLE_FLUSH_MAX 32

/*
 * Keys: [O] the CPU it belongs to, interrupts disabled   [c] constant
 */
struct utable {
    uint64_t *root;              /* [O] top level; NULL: none yet */
    struct container *container; /* [c] charged for the tables */
    uint64_t asid_generation;    /* [O] in which @asid was given */
    uint16_t asid;               /* [O] PCID */
    bool is_stale;               /* [O] to be forgotten when next loaded */
    uint32_t nr_tables;          /* [O] pages, the top level included */
};

/*
 * A range to be cleared, in steps.
 */
struct utable_cut {
    uintptr_t va;      /* where to go on; moved by utable_clear() */
    uintptr_t end;     /* first address behind the range */
    bool is_found;     /* something was there */
    uint32_t nr_pages; /* in @pages */
    struct list pages; /* struct page.node of tables that were cut off */
};

/*
 * Make empty tables.
 *
 * Context: any but NMI; nobody uses @ut yet
 * Returns: OK; ERR_NO_MEMORY, also when the container's limit is reached
 */
status_t utable_init(struct utable *ut, struct container *container);

/*
 * Free all tables and refund them.
 *
 * Context: thread, preemptible; no CPU has them loaded or uses them any more
 */
void utable_destroy(struct utable *ut);

/*
 * Have this CPU use tables.  Without PCIDs, or when the tables' PCID was given
 * to another meanwhile, all old translations are forgotten.
 *
 * Context: interrupts disabled
 */
void utable_load(struct utable *ut);

/* Have this CPU use the kernel's tables alone.  Context: interrupts disabled */
void utable_unload(void);

/* The tables that this CPU uses; NULL for the kernel's alone. */
struct utable *utable_loaded(void);

/*
 * The word for a page.
 *
 * @phys   of the page
 * @prot   PMAP_READ, PMAP_WRITE, PMAP_EXEC: any combination; 0 is a word that
 *         is not present
 * @level  0: 4 KiB, 1: 2 MiB, 2: 1 GiB
 */
uint64_t uword_make(paddr_t phys, unsigned int prot, enum pmap_cache cache,
                    unsigned int level);

/*
 * Have an address range of 2 MiB translated by somebody's node.
 *
 * @va    in that range
 * @node  physical address of a page of 512 words, whose use is PAGE_USE_NODE
 *
 * Context: the CPU of @ut, interrupts disabled
 * Returns: OK; ERR_NO_MEMORY
 */
status_t utable_link(struct utable *ut, uintptr_t va, paddr_t node);

/*
 * Whether utable_link() was done and is still in effect.
 *
 * Context: the CPU of @ut, interrupts disabled
 */
bool utable_is_linked(struct utable *ut, uintptr_t va, paddr_t node);

/*
 * Enter a page, replacing what is there for it.  An entry that was present
 * and is restricted needs utable_flush().
 *
 * @word   of uword_make(); software's bits are left as they are
 * @level  where
 *
 * Context: the CPU of @ut, interrupts disabled
 * Returns: OK; ERR_NO_MEMORY
 */
status_t utable_enter(struct utable *ut, uintptr_t va, uint64_t word,
                      unsigned int level);

/*
 * The word of the last level for an address, 0 when there is none; entries of
 * linked nodes count as none.
 *
 * Context: the CPU of @ut, interrupts disabled
 */
uint64_t utable_lookup(struct utable *ut, uintptr_t va);

/*
 * Clear the entries of a range, but not those inside of linked nodes; a table
 * or link that lies in the range as a whole is cut off.  At most
 * UTABLE_CLEAR_MAX entries are looked at.
 *
 * Context: the CPU of @ut, interrupts disabled; utable_flush() has to follow
 *          before interrupts are enabled
 * Returns: whether the range is done
 */
bool utable_clear(struct utable *ut, struct utable_cut *cut);

/*
 * Free the tables that were cut off.
 *
 * Context: thread, preemptible, after all flushes
 */
void utable_cut_free(struct utable *ut, struct utable_cut *cut);

/*
 * Have this CPU forget translations of its tables for a range, now if they are
 * loaded, else before they are next.
 *
 * Context: the CPU of @ut, interrupts disabled
 */
void utable_flush(struct utable *ut, uintptr_t va, size_t nr_pages);

#endif /* ARCH_UTABLE_H */
