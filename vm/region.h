/* SPDX-License-Identifier: MIT */
/*
 * Regions: what the slots of one mapping of an object have in common.
 *
 * A slot that is not resident has the region's address in its word, one that
 * is has it in the array of its node; each of them counts.  Clones of a space
 * have its regions; the container that paid for one pays until the last slot is
 * gone.
 *
 * A range of the kernel's space has a region, too, which its guard page names
 * and which has neither object nor container (vm/krange.c).
 */
#ifndef VM_REGION_H
#define VM_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/status.h>
#include <vm/node.h>
#include <vm/slot.h>

struct container;
struct vm_object;

/* Slots have room for addresses that are multiples of this. */
#define REGION_ALIGN 64

/*
 * Keys: [a] atomic   [c] constant
 */
struct vm_region {
    _Atomic uint64_t nr_users; /* [a] slots that name it, and who works on it */
    struct vm_object *object;  /* [c] referenced; NULL: the kernel's */
    struct container *container; /* [c] charged and referenced; or NULL, too */
    uint64_t first;  /* [c] page of the object at address 0, modulo 2^52 */
    bool is_private; /* [c] pages are copied before they are written */
    void (*destroy)(struct vm_region *region); /* [c] the last user is gone */
};

/*
 * Make a region, with one user.
 *
 * @container  is charged; referenced
 * @object     referenced
 * @va         where the mapping begins
 * @index      page of the object that is there
 *
 * Context: thread, preemptible
 * Returns: NULL: out of memory, or the container's limit is reached
 */
struct vm_region *region_create(struct container *container,
                                struct vm_object *object, uintptr_t va,
                                uint64_t index, bool is_private) __must_check;

/* Count @nr more users.  Context: there is one */
static inline void
region_get_many(struct vm_region *region, uint64_t nr)
{
    atomic_fetch_add_explicit(&region->nr_users, nr, memory_order_relaxed);
}

/*
 * Count @nr users less.
 *
 * Context: thread, preemptible
 * Ordering: what users did is before the destruction
 */
static inline void
region_put_many(struct vm_region *region, uint64_t nr)
{
    if (atomic_fetch_sub_explicit(&region->nr_users, nr,
                                  memory_order_acq_rel) == nr) {
        region->destroy(region);
    }
}

/* Count one less. */
static inline void
region_put(struct vm_region *region)
{
    region_put_many(region, 1);
}

/* The page of the object that is at an address. */
static inline uint64_t
region_index(const struct vm_region *region, uintptr_t va)
{
    return (region->first + (va >> PAGE_SHIFT)) % (UINT64_C(1) << 52);
}

/* The bits of a slot that is not resident that name a region. */
static inline uint64_t
region_word(const struct vm_region *region)
{
    paddr_t phys = pmap_direct_addr(region);

    assert(phys % REGION_ALIGN == 0);
    return SLOT_REGION | (phys & UWORD_FRAME_MASK) |
           (phys % PAGE_SIZE / REGION_ALIGN) << 1;
}

/* The region that a slot names that is not resident. */
static inline struct vm_region *
region_of_word(uint64_t word)
{
    assert((word & SLOT_REGION) && !slot_is_resident(word));
    return pmap_direct_ptr((word & UWORD_FRAME_MASK) +
                           (word >> 1) % (PAGE_SIZE / REGION_ALIGN) *
                               REGION_ALIGN);
}

/* The region of a locked slot; NULL: it maps no object. */
static inline struct vm_region *
region_of_slot(const slot_t *slot, unsigned int index, uint64_t word)
{
    if (!(word & SLOT_REGION)) {
        return NULL;
    }
    if (!slot_is_resident(word)) {
        return region_of_word(word);
    }
    return node_regions(node_of_slot(slot))[index];
}

#endif /* VM_REGION_H */
