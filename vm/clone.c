/* SPDX-License-Identifier: MIT */
/*
 * Clones of spaces, for fork.
 *
 * Slot by slot, from left to right: a folded slot is copied as it is, whatever
 * its size; a private page becomes a counted one, of both, and is copied by
 * who writes to it first.  At most one node of the original is locked at a
 * time; each page is as it was at some moment during the call.
 *
 * INVARIANT.  Who has slots of a space locked waits for slots of another only
 * if he makes a clone of the former; and a space that becomes a clone is not
 * cloned meanwhile.  So waiting ends.
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

/* Give a locked, empty slot of the clone a page of the original's. */
static status_t
clone_fill_page(struct clone *clone, const struct vm_place *from, uint64_t word,
                const struct vm_place *to)
{
    struct vm_region *region =
        region_of_slot(from->slot, place_index(from), word);

    if (region != NULL) {
        if (node_regions_ensure(place_node(to)) != OK) {
            return ERR_NO_MEMORY;
        }
        node_regions(place_node(to))[place_index(to)] = region;
        region_get_many(region, 1);
    }
    clone_share_page(clone, from, word);
    slot_unlock(to->slot, clone_page_word(word));
    return OK;
}

/* Have locked, empty slots of the clone say what is mapped there. */
static void
clone_fill_mapping(const struct vm_place *from, uint64_t word,
                   const struct tree_range *to)
{
    struct vm_region *region =
        region_of_slot(from->slot, place_index(from), word);
    uint64_t copy = word & SLOT_MAPPING_MASK & ~(SLOT_WIRED | SLOT_REGION);
    struct vm_place place;

    if (region != NULL) {
        copy |= region_word(region);
    }
    tree_for_each_place(to, &place)
    {
        if (region != NULL) {
            region_get_many(region, 1);
        }
        slot_unlock(place.slot, copy);
    }
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
    status = space_lock_new(clone->to, from->va, place_end(from), &to);
    if (status != OK) {
        return status;
    }
    if (!slot_is_resident(word) || slot_frame(word) == SLOT_FRAME_OBJECT) {
        clone_fill_mapping(from, word, &to);
        return OK;
    }
    status = clone_fill_page(clone, from, word, &to.first);
    if (status != OK) {
        tree_unlock_range(&to);
    }
    return status;
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

/* Room is looked for where neither has mapped anything. */
static void
clone_arenas(struct vm_space *to, const struct vm_space *from)
{
    uintptr_t most =
        atomic_load_explicit(&from->next_arena, memory_order_relaxed);
    uintptr_t next =
        atomic_load_explicit(&to->next_arena, memory_order_relaxed);

    while (next > most &&
           !atomic_compare_exchange_weak_explicit(&to->next_arena, &next, most,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) {
        continue;
    }
}

/* Say that a space is cloned.  Returns: whether it may be */
static bool
clone_begin_from(struct vm_space *from)
{
    int32_t nr = atomic_load_explicit(&from->nr_clones, memory_order_relaxed);

    while (nr >= 0) {
        /* Pairs with the release in clone_end(): of a clone all is seen. */
        if (atomic_compare_exchange_weak_explicit(&from->nr_clones, &nr, nr + 1,
                                                  memory_order_acquire,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* Say that a space becomes a clone.  Returns: whether it may */
static bool
clone_begin_to(struct vm_space *to)
{
    int32_t none = 0;

    /* Pairs with the release in clone_end(). */
    return atomic_compare_exchange_strong_explicit(&to->nr_clones, &none, -1,
                                                   memory_order_acquire,
                                                   memory_order_relaxed);
}

static void
clone_end(struct vm_space *space, int32_t change)
{
    /* Pairs with the acquires in clone_begin_from() and clone_begin_to(). */
    atomic_fetch_add_explicit(&space->nr_clones, change, memory_order_release);
}

/* Fill a space that is empty, or leave it so. */
static status_t
clone_fill(struct vm_space *to, struct vm_space *from)
{
    struct clone clone = { .from = from, .to = to };
    struct space_info info;
    status_t status;

    if (space_query(to, to->start, &info)) {
        return ERR_EXISTS;
    }
    clone_arenas(to, from);
    status = clone_all(&clone);
    if (status != OK) {
        verify(space_unmap(to, to->start, to->end - to->start) == OK);
    }
    return status;
}

status_t
space_clone_into(struct vm_space *clone, struct vm_space *space)
{
    status_t status = ERR_BUSY;

    if (clone == space) {
        return ERR_INVALID;
    }
    if (!clone_begin_from(space)) {
        return ERR_BUSY;
    }
    if (clone_begin_to(clone)) {
        status = clone_fill(clone, space);
        clone_end(clone, 1);
    }
    clone_end(space, -1);
    return status;
}

status_t
space_clone(struct vm_space **clonep, struct vm_space *space,
            struct container *container, const char *name)
{
    struct vm_space *clone;
    status_t status;

    status = space_create(&clone, container, name);
    if (status != OK) {
        return status;
    }
    status = space_clone_into(clone, space);
    if (status != OK) {
        space_put(clone);
        return status;
    }
    *clonep = clone;
    return OK;
}
