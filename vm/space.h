/* SPDX-License-Identifier: MIT */
/*
 * Address spaces.
 *
 * Operations on ranges that do not overlap do not write a cache line in
 * common, apart from the first uses of a node; see doc/vm.md for what each
 * pair shares.  Each operation on a range is atomic with respect to all others
 * that overlap with it.
 *
 * Sizes and addresses are in bytes, and multiples of PAGE_SIZE unless said.
 */
#ifndef VM_SPACE_H
#define VM_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/status.h>
#include <arch/user_copy.h>
#include <vm/slot.h>

struct container;
struct vm_object;
struct vm_region;
struct vm_space;

/* Addresses that can be mapped: [SPACE_START, SPACE_END). */
#define SPACE_START UINT64_C(0x10000)
#define SPACE_END   (USER_END - PAGE_SIZE)

/* Flags of space_map(). */
#define SPACE_MAP_FIXED   0x1U /* there, replacing what is there */
#define SPACE_MAP_NEW     0x2U /* with FIXED: only if nothing is there */
#define SPACE_MAP_PRIVATE 0x4U /* copy the object's pages before writing */
#define SPACE_MAP_WIRED   0x8U /* make all of it resident, and keep it */

/* What is to be mapped. */
struct space_mapping {
    uintptr_t va; /* where, or where if there is room; 0: anywhere */
    size_t size;
    unsigned int prot;  /* PMAP_..., any combination; 0: a guard */
    unsigned int flags; /* SPACE_MAP_... */
    enum vm_inherit inherit;
    struct vm_object *object; /* NULL: memory that begins as zeros */
    uint64_t index;           /* first page of the object */
};

/* A mapping, as far as it is uniform. */
struct space_info {
    uintptr_t va;
    size_t size;
    unsigned int prot;
    enum vm_inherit inherit;
    bool is_wired;
    const struct vm_region *region; /* for comparison only; NULL: anonymous */
};

/*
 * Create an empty space.
 *
 * @container  is charged for all that is in it; referenced
 * @name       copied, cut if it is too long
 *
 * Context: thread, preemptible
 * Returns: OK, with one reference; ERR_NO_MEMORY
 */
status_t space_create(struct vm_space **spacep, struct container *container,
                      const char *name);

/* Take another reference.  Context: any; the caller has one */
void space_get(struct vm_space *space);

/*
 * Give a reference up.  With the last one the space is emptied and freed, in
 * the caller's time.
 *
 * Context: thread, preemptible
 */
void space_put(struct vm_space *space);

/*
 * Give up a reference where nothing may be destroyed: a thread does that.
 *
 * Context: any but NMI
 */
void space_put_later(struct vm_space *space);

/*
 * Have the calling thread use a space.
 *
 * @space  NULL: none; the thread keeps no reference of its own
 *
 * Context: thread, preemptible
 */
void space_use(struct vm_space *space);

/*
 * Map.
 *
 * @vap  receives where
 *
 * Context: thread, preemptible
 * Blocks:  while others work on the same addresses
 * Returns: OK; ERR_INVALID: not aligned, no size, flags that make no sense;
 *          ERR_RANGE: not within the space; ERR_EXISTS: SPACE_MAP_NEW and
 *          something is there; ERR_NO_MEMORY: also no room, or a limit of the
 *          container; with SPACE_MAP_WIRED also as space_wire().  If not OK,
 *          nothing has changed, but that what SPACE_MAP_FIXED with
 *          SPACE_MAP_WIRED was to replace may be gone.
 */
status_t space_map(struct vm_space *space, const struct space_mapping *mapping,
                   uintptr_t *vap);

/*
 * Unmap all that is in a range.  As space_map().
 *
 * Returns: OK, also if nothing was there; ERR_INVALID, ERR_RANGE;
 *          ERR_NO_MEMORY: a mapping could not be split
 */
status_t space_unmap(struct vm_space *space, uintptr_t va, size_t size);

/*
 * Change the protection of a range.  As space_map().
 *
 * Returns: OK; ERR_INVALID, ERR_RANGE; ERR_NOT_FOUND: not all of it is mapped;
 *          ERR_ACCESS: the object does not allow it, or some of it is a guard
 *          page of the kernel's; ERR_NO_MEMORY
 */
status_t space_protect(struct vm_space *space, uintptr_t va, size_t size,
                       unsigned int prot);

/*
 * Say what clones of the space get of a range.  As space_protect().
 *
 * Returns: as space_protect(); ERR_INVALID: VM_INHERIT_SHARE for memory that
 *          is not an object's
 */
status_t space_set_inherit(struct vm_space *space, uintptr_t va, size_t size,
                           enum vm_inherit inherit);

/*
 * Make a range resident, and keep it so.
 *
 * Returns: as space_protect(), or as space_fault(); ERR_INTERRUPTED: the
 *          calling thread is to end
 */
status_t space_wire(struct vm_space *space, uintptr_t va, size_t size);

/*
 * Keep a range resident no longer.
 *
 * Returns: as space_protect()
 */
status_t space_unwire(struct vm_space *space, uintptr_t va, size_t size);

/*
 * Make a range resident, page by page, as far as it allows any access.
 *
 * Returns: as space_wire(); what comes before is resident then
 */
status_t space_need(struct vm_space *space, uintptr_t va, size_t size);

/*
 * Forget the contents of a range: it is as after space_map().  What is wired
 * stays.
 *
 * Returns: as space_protect()
 */
status_t space_discard(struct vm_space *space, uintptr_t va, size_t size);

/*
 * Resolve a fault, or have a page resident in advance.
 *
 * @va      any address
 * @access  one of FAULT_...
 *
 * Context: thread, preemptible
 * Blocks:  while others work on the same address, or the object has to get
 *          the page
 * Returns: OK: this CPU had a translation; it may be gone again;
 *          ERR_FAULT: nothing is mapped; ERR_ACCESS: not allowed;
 *          ERR_NO_MEMORY; what the object says
 */
status_t space_fault(struct vm_space *space, uintptr_t va, unsigned int access);

/* Faults, and pages that were entered besides, of all CPUs since boot. */
struct space_fault_stats {
    uint64_t nr_faults;
    uint64_t nr_near;
};

/* Read the counts; racy. */
void space_fault_stats_get(struct space_fault_stats *stats);

/*
 * Describe the mapping at the lowest address at or above @va.  Others may
 * change it meanwhile.
 *
 * Context: thread, preemptible
 * Returns: false, there is none
 */
bool space_query(struct vm_space *space, uintptr_t va, struct space_info *info);

/*
 * Whether what is mapped at an address is an object's, of which pages are
 * copied before they are written.
 *
 * @va  within the space
 *
 * Context: thread, preemptible
 * Blocks:  while others work on the same address
 */
bool space_is_private(struct vm_space *space, uintptr_t va);

/*
 * Find the byte of an object that an address shows, to all who map it.
 *
 * @va       any address
 * @offsetp  receives the byte, if there is one
 *
 * Context: thread, preemptible
 * Blocks:  while others work on the same address
 * Returns: with a reference; NULL: nothing is mapped, or it is the space's own
 */
struct vm_object *space_find_shared(struct vm_space *space, uintptr_t va,
                                    uint64_t *offsetp) __must_check;

/*
 * Create a space with the contents that another has now, page by page.
 * Untouched parts are not looked at.
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NO_MEMORY; ERR_BUSY: it becomes a clone itself
 */
status_t space_clone(struct vm_space **clonep, struct vm_space *space,
                     struct container *container, const char *name);

/*
 * The same into a space that is empty, and is charged.
 *
 * A space is either cloned or becomes a clone at any time, so that no two
 * clones wait for slots of each other's spaces.
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_INVALID: they are one space; ERR_EXISTS: @clone is not
 *          empty; ERR_BUSY: @clone is cloned, or one of them becomes a clone;
 *          ERR_NO_MEMORY: it is empty, also of what others mapped meanwhile
 */
status_t space_clone_into(struct vm_space *clone, struct vm_space *space);

/*
 * Take nodes out of the tree whose slots all say the same, in a range.
 *
 * Context: thread, preemptible
 */
void space_trim(struct vm_space *space, uintptr_t start, uintptr_t end);

/* How a page was used, see space_take_used(). */
#define SPACE_USED_ACCESSED 0x1U
#define SPACE_USED_DIRTY    0x2U

/*
 * Say how a page was used since this was last asked, or it became resident,
 * and forget it: from the tables of all CPUs that may have it.  That it was
 * accessed may be forgotten when page tables are dropped.
 *
 * @usedp  receives SPACE_USED_...
 *
 * Context: thread, preemptible
 * Blocks:  while others work on the same address
 * Returns: OK; ERR_NOT_FOUND: it is not resident; ERR_UNSUPPORTED: of the
 *          kernel's pages nobody knows
 */
status_t space_take_used(struct vm_space *space, uintptr_t va,
                         unsigned int *usedp);

/*
 * Drop all page tables of a space.
 *
 * Context: thread, preemptible
 */
void space_drop_tables(struct vm_space *space);

/* The name of a space. */
const char *space_name(const struct vm_space *space);

#endif /* VM_SPACE_H */
