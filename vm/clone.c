/* SPDX-License-Identifier: MIT */
/*
 * Clones of spaces, for fork.
 *
 * Slot by slot, from left to right: a folded slot is copied as it is, whatever
 * its size; a private page becomes a counted one, of both, and is copied by
 * who writes to it first.  At most one node of the original is locked at a
 * time; each page is as it was at some moment during the call.
 */
#include <kern/rcu.h>
#include <vm/region.h>
#include <vm/share.h>
#include <vm/space_i.h>

struct clone {
    struct vm_space *from;
    struct vm_space *to;
    struct vm_shoot shoot; /* of the part that is locked */
};

/* Make a private page of the original one of both. */
static void
clone_share_page(struct clone *clone, const struct vm_place *place,
                 uint64_t word)
{
    struct page *page = page_from_phys(slot_phys(word));

    if (slot_frame(word) == SLOT_FRAME_PRIVATE) {
        share_init(page, clone->from->container);
        slot_change(place->slot, SLOT_FRAME_MASK | UWORD_WRITE,
                    (uint64_t)SLOT_FRAME_COUNTED << SLOT_FRAME_SHIFT);
        shoot_refresh(&clone->shoot, place);
    }
    share_get(page);
}

/* The word of the clone's slot that has a page of the original's. */
static uint64_t
clone_page_word(uint64_t word)
{
    const uint64_t gone = UWORD_PRESENT | UWORD_WRITE | SLOT_FRAME_MASK |
                          SLOT_WIRED | SLOT_LOCK_BITS;

    return (word & ~gone) | (uint64_t)SLOT_FRAME_COUNTED << SLOT_FRAME_SHIFT;
}

/* Fill a locked, empty slot of the clone, and unlock it. */
static status_t
clone_fill(struct clone *clone, const struct vm_place *from, uint64_t word,
           const struct vm_place *to)
{
    struct vm_region *region =
        region_of_slot(from->slot, place_index(from), word);
    uint64_t copy = word & SLOT_MAPPING_MASK & ~(SLOT_WIRED | SLOT_REGION);

    if (slot_is_resident(word) && slot_frame(word) != SLOT_FRAME_OBJECT) {
        if (region != NULL && node_regions_ensure(place_node(to)) != OK) {
            slot_release(to->slot);
            return ERR_NO_MEMORY;
        }
        clone_share_page(clone, from, word);
        copy = clone_page_word(word);
        if (region != NULL) {
            node_regions(place_node(to))[place_index(to)] = region;
        }
    } else if (region != NULL) {
        copy |= region_word(region);
    }
    if (region != NULL) {
        region_get_many(region, 1);
    }
    slot_unlock(to->slot, copy);
    return OK;
}

/* Copy one locked slot. */
static status_t
clone_slot(struct clone *clone, const struct vm_place *from)
{
    uint64_t word = slot_read(from->slot);
    struct tree_range to;
    status_t status;

    if (slot_type(word) != SLOT_MAPPED ||
        slot_inherit(word) == VM_INHERIT_NONE) {
        return OK;
    }
    status = tree_lock_range(&clone->to->tree, from->va, place_end(from),
                             TREE_EXPAND_EMPTY, &to);
    return status == OK ? clone_fill(clone, from, word, &to.first) : status;
}

/* Copy the slots of a range that is within one node. */
static status_t
clone_range(struct clone *clone, uintptr_t start, uintptr_t end)
{
    struct tree_range range;
    struct vm_place place;
    status_t status;

    status = tree_lock_range(&clone->from->tree, start, end, TREE_KEEP_EMPTY,
                             &range);
    if (status != OK) {
        return status;
    }
    shoot_init(&clone->shoot, clone->from);
    tree_for_each_place(&range, &place)
    {
        if (status == OK) {
            status = clone_slot(clone, &place);
        }
    }
    shoot_perform(&clone->shoot);
    tree_unlock_range(&range);
    return status;
}

/* The end of what is copied at once: a folded slot, or a node of level 0. */
static uintptr_t
clone_step(const struct vm_space *space, uintptr_t va, bool *is_emptyp)
{
    struct vm_place place;
    uint64_t word;

    rcu_read_lock();
    word = tree_find(&space->tree, va, &place);
    rcu_read_unlock();
    if (place.level > 0) {
        *is_emptyp = slot_type(word) == SLOT_EMPTY;
        return MIN(place_end(&place), space->end);
    }
    *is_emptyp = false;
    return MIN(ALIGN_DOWN(va, node_slot_size(1)) + node_slot_size(1),
               space->end);
}

static status_t
clone_all(struct clone *clone)
{
    uintptr_t va = clone->from->start;

    while (va < clone->from->end) {
        bool is_empty;
        uintptr_t end = clone_step(clone->from, va, &is_empty);
        status_t status = is_empty ? OK : clone_range(clone, va, end);

        if (status != OK) {
            return status;
        }
        va = end;
    }
    return OK;
}

status_t
space_clone(struct vm_space **clonep, struct vm_space *space,
            struct container *container, const char *name)
{
    struct clone clone = { .from = space };
    status_t status;

    status = space_create(&clone.to, container, name);
    if (status != OK) {
        return status;
    }
    /* What is mapped has arenas already. */
    atomic_store_explicit(&clone.to->next_arena,
                          atomic_load_explicit(&space->next_arena,
                                               memory_order_relaxed),
                          memory_order_relaxed);

    status = clone_all(&clone);
    if (status != OK) {
        space_put(clone.to);
        return status;
    }
    *clonep = clone.to;
    return OK;
}
