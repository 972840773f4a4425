/* SPDX-License-Identifier: MIT */
/*
 * The user half of the page tables that one CPU uses for one space.
 *
 * They are a cache: whatever is in them can be found again elsewhere, so any
 * of it may be dropped at any time.  The kernel's half of the top level is
 * that of pmap.
 *
 * Invariant: the tables are read and written only by the CPU they belong to,
 * with interrupts disabled; what was cut off belongs to who has the list.
 *
 * An entry of the level above the last may lead to a table that is not ours
 * but somebody's node of the same format (utable_link()): such a page is
 * never freed, read or written here.  A bit that processors ignore tells it
 * from our own.
 *
 * What copies have found in the tables is remembered beside them, as by a
 * TLB, and the same holds for it: what is remembered is used by that CPU
 * alone, with interrupts disabled, and forgotten by utable_flush() of
 * whatever range.
 *
 * Invariant: who takes a page away from a space, restricts what may be done
 * with it, takes its accessed and dirty bits, or frees a table or node through
 * which it is translated, has each CPU that may have used the entry call
 * utable_flush() before the page, the table or the bits are used otherwise.
 * Also if it is another CPU that changes the entry, which is in a linked
 * node; and also on a CPU that has the tables, but not loaded.
 *
 * Nothing here allocates or frees with interrupts disabled.  Who enters
 * something brings the page for a table that may be needed, and who clears
 * takes tables away to free them later.
 *
 * Design: doc/utable.md.
 */
#ifndef ARCH_UTABLE_H
#define ARCH_UTABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/pmap.h>
#include <arch/types.h>
#include <lib/list.h>
#include <lib/status.h>

struct container;
struct page;

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
#define UWORD_LARGE      UINT64_C(0x080) /* in the word of a large page */
#define UWORD_GLOBAL     UINT64_C(0x100)
#define UWORD_NX         (UINT64_C(1) << 63)
#define UWORD_FRAME_MASK UINT64_C(0x000ffffffffff000)

/* Most that is poked. */
#define UTABLE_POKE_MAX 256

/* First address behind the user's half. */
#define USER_END UINT64_C(0x0000800000000000)

/* More pages than this are forgotten by forgetting everything. */
#define UTABLE_FLUSH_MAX 32

/* Pages that are remembered for reading, and for writing. */
#define UTABLE_NR_SEEN 4

/*
 * A page that was found, whose entry allows the access and says already that
 * there was one.
 */
struct utable_seen {
    uintptr_t va; /* of the page; of one with another place: none */
    char *frame;  /* of 4 KiB, ordinary memory, in the direct map */
};

/*
 * What was found for one kind of access.
 */
struct utable_recall {
    struct utable_seen pages[UTABLE_NR_SEEN]; /* places, by number of page */
    _Atomic uint64_t *leaf; /* table last used for entries of 4 KiB */
    uintptr_t leaf_index;   /* which 2 MiB it is for; ~0: none */
    paddr_t ram_start;      /* piece of RAM last found; never forgotten */
    paddr_t ram_end;        /* first address behind it */
};

/*
 * Keys: [O] the CPU it belongs to, interrupts disabled   [c] constant
 *       [a] atomic
 */
struct utable {
    uint64_t *root;              /* [c] top level */
    struct container *container; /* [c] charged for the tables */
    uint64_t asid_generation;    /* [O] in which the PCID in @cr3 was given */
    uint64_t cr3;                /* [O] to be loaded next */
    uint64_t *dir;               /* [O] table last used for 2 MiB entries */
    uintptr_t dir_index;         /* [O] which GiB it is for; ~0: none */
    atomic_uint nr_tables;       /* [a] pages charged, the top level included */
    struct utable_recall reads;  /* [O] */
    struct utable_recall writes; /* [O] */
};

/*
 * A range to be cleared, in steps.
 */
struct utable_cut {
    uintptr_t va;      /* where to go on; moved by utable_clear() */
    uintptr_t end;     /* first address behind the range */
    struct list pages; /* struct page.node of tables that were cut off */
    bool is_found;     /* something was there */
};

/*
 * Make empty tables.
 *
 * @container  kept alive by the caller
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NO_MEMORY, also when the container's limit is reached
 */
status_t utable_init(struct utable *ut,
                     struct container *container) __must_check;

/*
 * The same, with a page that is there already.
 *
 * @root  of utable_spare_alloc() for the same container
 *
 * Context: any
 */
void utable_init_with(struct utable *ut, struct container *container,
                      struct page *root);

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
 * The word for a page, without UWORD_ACCESSED and UWORD_DIRTY.
 *
 * @phys   of the page
 * @prot   PMAP_READ, PMAP_WRITE, PMAP_EXEC: any combination; what is writable
 *         or executable is readable; 0 is a word that is not present
 * @level  0: 4 KiB, 1: 2 MiB, 2: 1 GiB; up to utable_level_max()
 */
uint64_t uword_make(paddr_t phys, unsigned int prot, enum pmap_cache cache,
                    unsigned int level);

/* The level of the largest page that processors have. */
unsigned int utable_level_max(void);

/*
 * Allocate a page for a table, charged, for utable_enter() and utable_link().
 *
 * Context: thread; only with interrupts enabled and preemptible it fails no
 *          sooner than it has to
 * Returns: NULL on exhaustion, also when the container's limit is reached
 */
struct page *utable_spare_alloc(struct container *container) __must_check;

/*
 * Free a page that was not used, and refund it.
 *
 * @spare  NULL: nothing is done
 */
void utable_spare_free(struct container *container, struct page *spare);

/*
 * Enter a page, replacing the page of the same size that is there.  Where the
 * old word was present and allowed more, or led elsewhere, utable_flush() has
 * to follow.
 *
 * @word   of uword_make(); software's bits are left as they are
 * @level  where
 * @spare  of utable_spare_alloc() for the same container, or NULL in it; NULL
 *         is stored when it was used
 *
 * Context: the CPU of @ut, interrupts disabled
 * Returns: OK;
 *          ERR_AGAIN, a table is missing and *@spare is NULL: fill it, with
 *          interrupts enabled, and call again, up to three times;
 *          ERR_STATE, pages of another size or somebody's node are there:
 *          utable_clear() them first
 */
status_t utable_enter(struct utable *ut, uintptr_t va, uint64_t word,
                      unsigned int level, struct page **spare) __must_check;

/*
 * Have an address range of 2 MiB translated by somebody's node.
 *
 * @va    in that range
 * @node  physical address of a page of 512 words
 *
 * Context: the CPU of @ut, interrupts disabled
 * Returns: as utable_enter(); OK also if it was linked already
 */
status_t utable_link(struct utable *ut, uintptr_t va, paddr_t node,
                     struct page **spare) __must_check;

/*
 * Whether utable_link() was done and is still in effect.
 *
 * Context: the CPU of @ut, interrupts disabled
 */
bool utable_is_linked(struct utable *ut, uintptr_t va, paddr_t node);

/*
 * The word that translates an address, of whatever level; 0 when there is
 * none, or when it is in a linked node.
 *
 * Context: the CPU of @ut, interrupts disabled
 */
uint64_t utable_lookup(struct utable *ut, uintptr_t va);

/* Most that one utable_copy() copies: some 1,000 instructions. */
#define UTABLE_COPY_MAX 6144

/*
 * One side of a copy.
 */
struct utable_side {
    struct utable *ut; /* of this CPU; NULL: memory in the direct map */
    uintptr_t va;      /* of the next byte, below USER_END if there is @ut */
    status_t status;   /* receives OK; ERR_AGAIN: there would be a fault there;
                          ERR_FAULT: the page is a device's */
};

/*
 * Copy what a program that runs on this CPU could copy, through the direct
 * map, and mark pages as used, as the processor would.  Interrupts being
 * disabled, nobody can take a page away meanwhile: whoever does waits for this
 * CPU.
 *
 * @dst, @src  move on
 * @size       not 0
 *
 * Context: the CPU of the tables, interrupts disabled
 * Returns: bytes copied, UTABLE_COPY_MAX at most; if not all, a status tells
 *          why, or that was the most
 */
size_t utable_copy(struct utable_side *dst, struct utable_side *src,
                   size_t size);

/*
 * Write few bytes of the kernel's where a program that runs on this CPU could,
 * as utable_copy(); see <arch/utable_poke.h> for the quick way.
 *
 * @va    any; below USER_END if anything is to be written
 * @size  1 to UTABLE_POKE_MAX
 *
 * Context: the CPU of @ut, interrupts disabled
 * Returns: whether all was written; if not, a part may have been
 */
bool utable_poke(struct utable *ut, uintptr_t va, const void *from,
                 size_t size);

/* Begin with a range.  @va, @end: multiples of PAGE_SIZE, up to USER_END */
void utable_cut_init(struct utable_cut *cut, uintptr_t va, uintptr_t end);

/*
 * Clear the entries of a range, but not those inside of linked nodes.  A
 * table or link that lies in the range as a whole is cut off; a large page
 * that lies in it in part is cleared as a whole.  One call does at most what
 * takes some 1,500 instructions.
 *
 * Context: the CPU of @ut, interrupts disabled; utable_flush() of what was
 *          cleared has to follow before they are enabled
 * Returns: whether the range is done
 */
bool utable_clear(struct utable *ut, struct utable_cut *cut);

/*
 * Free a table that was cut off, with those below it, and refund them.
 *
 * Context: thread, preemptible, after the flush; the tables that it was cut
 *          off from are not destroyed yet
 */
void utable_page_free(struct page *page);

/*
 * Have this CPU forget translations of its tables for a range, now if they are
 * loaded, else before they are next.  That an entry led to a table is always
 * forgotten, too, and so is all that copies have remembered.
 *
 * @va        of the first page
 * @nr_pages  of 4 KiB; a large page alone counts as one
 *
 * Context: the CPU of @ut, interrupts disabled
 */
void utable_flush(struct utable *ut, uintptr_t va, size_t nr_pages);

#endif /* ARCH_UTABLE_H */
