/* SPDX-License-Identifier: MIT */
/*
 * The page tables of the kernel's half of the address space.
 *
 * One set for all CPUs.  Tables are added when needed and never removed, so a
 * copy of the top level's upper half, taken once, stays valid for ever.  A
 * leaf entry belongs to whoever owns the address range; tables in between are
 * installed by compare and swap.  So there is no lock.  Only tables of the last
 * level that are somebody else's nodes come and go, as he says.
 *
 * Nothing is ever writable and executable at once, neither through one
 * mapping nor through an alias: the direct map of the kernel's constants and
 * code is read-only.  A processor without NX cannot enforce the former.
 */
#ifndef ARCH_PMAP_H
#define ARCH_PMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/status.h>
#include <arch/layout.h>
#include <arch/types.h>

/* Protection; executable and writable exclude each other. */
#define PMAP_READ  0x1U
#define PMAP_WRITE 0x2U
#define PMAP_EXEC  0x4U

/* Memory type, and its index in the PAT as each CPU programs it. */
enum pmap_cache {
    PMAP_WB,       /* write back: memory */
    PMAP_WC,       /* write combining: frame buffers */
    PMAP_UC_MINUS, /* uncached unless an MTRR says WC */
    PMAP_UC,       /* uncached: device registers */
};

/* What maps an address; as the processor combines all levels. */
struct pmap_walk {
    uintptr_t va; /* first address of the page */
    paddr_t phys; /* of the page, or in pmap_walk() of the address itself */
    size_t size;  /* of the page, bytes */
    unsigned int prot;
    enum pmap_cache cache;
    bool user;
    bool global;
};

/* Where physical memory is mapped; needs pmap_is_direct(). */
static inline void *
pmap_direct_ptr(paddr_t phys)
{
    assert(phys < DIRECT_MAP_SIZE);
    return (void *)(uintptr_t)(DIRECT_MAP_BASE + phys);
}

/* Whether a pointer is into the direct map. */
static inline bool
pmap_is_direct(const void *ptr)
{
    return (uintptr_t)ptr - DIRECT_MAP_BASE < DIRECT_MAP_SIZE;
}

/* The physical address of a pointer into the direct map. */
static inline paddr_t
pmap_direct_addr(const void *ptr)
{
    assert(pmap_is_direct(ptr));
    return (uintptr_t)ptr - DIRECT_MAP_BASE;
}

/*
 * Have the direct map cover a range that is not RAM: tables of firmware
 * outside of the memory map, memory of a console needed before kva_setup().
 * Before pmap_setup() the wish is noted, and the range is reachable when it
 * is below 4 GiB.
 *
 * @size   bytes; rounded outwards to whole pages
 * @cache  ignored for pages that are mapped already
 *
 * Context: boot CPU, before other CPUs are started
 * Returns: where @phys is mapped; NULL when it is not reachable yet, or
 *          never, for want of memory
 */
void *pmap_direct_map(paddr_t phys, size_t size, enum pmap_cache cache);

/*
 * Map a range of kernel addresses that is not mapped.
 *
 * @va, @pa, @size  multiples of PAGE_SIZE
 * @prot            PMAP_READ, possibly with PMAP_WRITE or PMAP_EXEC
 *
 * Context: any; the caller owns the range
 * Returns: OK; ERR_NO_MEMORY, nothing is mapped
 */
status_t pmap_map(uintptr_t va, paddr_t pa, size_t size, unsigned int prot,
                  enum pmap_cache cache);

/*
 * Remove what is mapped in a range; holes are skipped.  Other CPUs may use
 * the old translations until pmap_flush_all().  A range may not end inside a
 * large page.
 *
 * Context: any; the caller owns the range
 */
void pmap_unmap(uintptr_t va, size_t size);

/*
 * Change the protection of what is mapped in a range, splitting large pages
 * at its ends.  Other CPUs may use the old one until pmap_flush_all().
 *
 * Context: any; the caller owns the range
 * Returns: OK; ERR_NO_MEMORY, nothing was changed
 */
status_t pmap_protect(uintptr_t va, size_t size, unsigned int prot);

/*
 * What a protection amounts to: a processor without NX executes all that it
 * reads.
 *
 * Context: any, after pmap_setup()
 */
unsigned int pmap_prot_enforced(unsigned int prot);

/*
 * The word of an entry for a page of 4 KiB, present, for the kernel alone.
 *
 * @phys, @prot, @cache  as for pmap_map()
 *
 * Context: any, after pmap_setup()
 */
uint64_t pmap_word(paddr_t phys, unsigned int prot, enum pmap_cache cache);

/*
 * Have a range of 2 MiB of kernel addresses translated by somebody's node, a
 * page of 512 words of pmap_word() or ones that are not present.
 *
 * @va    in a range that is not mapped, or linked to @node already
 * @node  physical address
 *
 * Context: any; the caller sees to it that nobody unlinks it meanwhile
 * Returns: OK; ERR_NO_MEMORY
 */
status_t pmap_link(uintptr_t va, paddr_t node);

/*
 * Undo pmap_link().  Other CPUs may use the node, and what was in it, until
 * pmap_flush_all().
 *
 * Context: any; the caller sees to it that nobody links it meanwhile
 */
void pmap_unlink(uintptr_t va, paddr_t node);

/*
 * Make all CPUs forget the translations of the kernel's half.
 *
 * Context: thread, interrupts enabled, no spin lock held; before other CPUs
 *          are started: any
 * Ordering: entries written before the call are what all CPUs use after it
 */
void pmap_flush_all(void);

/*
 * Look an address of the kernel's half up.
 *
 * @walk  receives what maps it; its phys is that of @va
 *
 * Context: any, also in a panic
 * Returns: false when it is not mapped
 */
bool pmap_walk(uintptr_t va, struct pmap_walk *walk);

/*
 * Find the mapped page at the lowest address at or above @va, in any half.
 *
 * @walk  receives it; its va may be below @va, within the same page
 *
 * Context: any
 * Returns: false when there is none
 */
bool pmap_walk_next(uintptr_t va, struct pmap_walk *walk);

/*
 * Use the kernel's own page tables on this CPU.
 *
 * Context: a CPU that runs in the kernel's half
 */
void pmap_load(void);

/* First physical address behind those that page tables can hold. */
paddr_t pmap_phys_end(void);

/* Physical address of the top-level table, below 4 GiB. */
paddr_t pmap_root(void);

/*
 * Top-level tables for CPUs that start in low memory: as the kernel's, with
 * the first 640 KiB mapped at their physical addresses, writable and
 * executable, too.  Such a CPU calls pmap_load() as soon as it can.
 *
 * Context: after pmap_setup()
 * Returns: physical address of the top level, below 4 GiB
 */
paddr_t pmap_map_identity_low(void);

/*
 * Withdraw what pmap_map_identity_low() gave: no CPU uses it any more.
 */
void pmap_unmap_identity_low(void);

#endif /* ARCH_PMAP_H */
