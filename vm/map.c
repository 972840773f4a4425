/* SPDX-License-Identifier: MIT */
/*
 * Mapping, unmapping, changing protection.
 *
 * Each has three parts: all slots of the range are locked, which may expand
 * some and may fail; translations are taken away, from all CPUs at once; the
 * slots get their new words and are unlocked one by one.
 */
#include <stddef.h>

#include <kern/container.h>
#include <kern/page.h>
#include <vm/object.h>
#include <vm/region.h>
#include <vm/share.h>
#include <vm/space_i.h>

void
space_drop(struct vm_space *space, const struct vm_place *place, uint64_t word)
{
    struct vm_region *region =
        region_of_slot(place->slot, place_index(place), word);

    if (slot_is_resident(word)) {
        struct page *page = page_from_phys(slot_phys(word));

        switch (slot_frame(word)) {
        case SLOT_FRAME_PRIVATE:
            page_free(page, 0);
            container_refund(space->container, CONTAINER_PAGES, 1);
            break;
        case SLOT_FRAME_COUNTED:
            share_put(page);
            break;
        case SLOT_FRAME_OBJECT:
            break;
        }
    }
    if (region != NULL) {
        region_put(region);
    }
}

/* Take all translations of a locked range, which begins at @va, away. */
static void
map_take(struct vm_space *space, const struct tree_range *range, uintptr_t va)
{
    struct vm_shoot shoot;
    struct vm_place place;

    shoot_init(&shoot, space);
    tree_for_each_place(range, &place)
    {
        if (slot_is_resident(slot_read(place.slot))) {
            shoot_take(&shoot, &place);
        }
    }
    shoot_widen(&shoot, va, range->end);
    shoot_perform(&shoot);
}

/* Give the slots of a locked range a new word, and unlock them. */
static void
map_replace(struct vm_space *space, const struct tree_range *range,
            uint64_t word)
{
    struct vm_place place;

    tree_for_each_place(range, &place)
    {
        uint64_t old = slot_read(place.slot) & ~SLOT_LOCK_BITS;

        if (slot_type(old) == SLOT_MAPPED) {
            space_drop(space, &place, old);
        }
        if (word & SLOT_REGION) {
            region_get_many(region_of_word(word), 1);
        }
        slot_unlock(place.slot, word);
    }
}

/* Whether nothing is mapped in a locked range. */
static bool
map_is_empty(const struct tree_range *range)
{
    struct vm_place place;

    tree_for_each_place(range, &place)
    {
        if (slot_type(slot_read(place.slot)) != SLOT_EMPTY) {
            return false;
        }
    }
    return true;
}

status_t
space_lock_new(struct vm_space *space, uintptr_t start, uintptr_t end,
               struct tree_range *range)
{
    status_t status;

    status =
        tree_lock_range(&space->tree, start, end, TREE_EXPAND_EMPTY, range);
    if (status != OK) {
        return status;
    }
    if (map_is_empty(range)) {
        return OK;
    }
    tree_unlock_range(range);
    return ERR_EXISTS;
}

status_t
space_lock_room(struct vm_space *space, size_t size, uintptr_t *vap,
                struct tree_range *range)
{
    uintptr_t below = 0;
    status_t status;

    if (space_check_range(space, *vap, size) == OK) {
        status = space_lock_new(space, *vap, *vap + size, range);
        if (status != ERR_EXISTS) {
            return status;
        }
    }
    do {
        status = space_find_room(space, size, below, vap);
        if (status != OK) {
            return status;
        }
        status = space_lock_new(space, *vap, *vap + size, range);
        below = *vap;
    } while (status == ERR_EXISTS);
    return status;
}

/* Lock the range of a mapping; nothing in it has a translation then. */
static status_t
map_lock(struct vm_space *space, const struct space_mapping *mapping,
         uintptr_t *vap, struct tree_range *range)
{
    uintptr_t end = mapping->va + mapping->size;
    status_t status;

    *vap = mapping->va;
    if (!(mapping->flags & SPACE_MAP_FIXED)) {
        return space_lock_room(space, mapping->size, vap, range);
    }
    if (mapping->flags & SPACE_MAP_NEW) {
        return space_lock_new(space, mapping->va, end, range);
    }
    status = tree_lock_range(&space->tree, mapping->va, end, TREE_EXPAND_EMPTY,
                             range);
    if (status == OK) {
        map_take(space, range, mapping->va);
    }
    return status;
}

static status_t
map_check(const struct vm_space *space, const struct space_mapping *mapping)
{
    const unsigned int flags = SPACE_MAP_FIXED | SPACE_MAP_NEW |
                               SPACE_MAP_PRIVATE | SPACE_MAP_WIRED;
    bool is_fixed = (mapping->flags & SPACE_MAP_FIXED) != 0;

    if ((mapping->flags & ~flags) != 0 || mapping->inherit > VM_INHERIT_NONE ||
        (mapping->prot & ~(PMAP_READ | PMAP_WRITE | PMAP_EXEC)) != 0 ||
        ((mapping->flags & SPACE_MAP_NEW) && !is_fixed)) {
        return ERR_INVALID;
    }
    if (mapping->object == NULL && mapping->inherit == VM_INHERIT_SHARE) {
        return ERR_INVALID;
    }
    return space_check_range(space, is_fixed ? mapping->va : space->start,
                             mapping->size);
}

/* What the slots of a mapping say. */
static uint64_t
map_word(const struct space_mapping *mapping)
{
    return (uint64_t)SLOT_MAPPED << SLOT_TYPE_SHIFT |
           (uint64_t)mapping->prot << SLOT_PROT_SHIFT |
           (uint64_t)mapping->inherit << SLOT_INHERIT_SHIFT |
           ((mapping->flags & SPACE_MAP_WIRED) ? SLOT_WIRED : 0);
}

/*
 * Large pages need slots that are folded: take nodes out that were left here.
 * Elsewhere that can wait until they have been empty for a while.
 */
static void
map_fold(struct vm_space *space, const struct space_mapping *mapping,
         uintptr_t va)
{
    if (mapping->size >= node_slot_size(1) &&
        object_phys(mapping->object) != PADDR_NONE) {
        space_fold(space, va, va + mapping->size);
    }
}

static status_t
map_object(struct vm_space *space, const struct space_mapping *mapping,
           uintptr_t *vap)
{
    struct vm_region *region;
    struct tree_range range;
    status_t status;

    status = object_check_map(mapping->object, mapping->index,
                              mapping->size / PAGE_SIZE, mapping->prot,
                              (mapping->flags & SPACE_MAP_PRIVATE) != 0);
    if (status != OK) {
        return status;
    }
    status = map_lock(space, mapping, vap, &range);
    if (status != OK) {
        return status;
    }
    region = region_create(space->container, mapping->object, *vap,
                           mapping->index,
                           (mapping->flags & SPACE_MAP_PRIVATE) != 0);
    if (region == NULL) {
        tree_unlock_range(&range);
        return ERR_NO_MEMORY;
    }
    map_replace(space, &range, map_word(mapping) | region_word(region));
    region_put(region);
    map_fold(space, mapping, *vap);
    return OK;
}

static status_t
map_anonymous(struct vm_space *space, const struct space_mapping *mapping,
              uintptr_t *vap)
{
    struct tree_range range;
    status_t status;

    status = map_lock(space, mapping, vap, &range);
    if (status == OK) {
        map_replace(space, &range, map_word(mapping));
    }
    return status;
}

status_t
space_map(struct vm_space *space, const struct space_mapping *mapping,
          uintptr_t *vap)
{
    status_t status;

    status = map_check(space, mapping);
    if (status != OK) {
        return status;
    }
    status = mapping->object != NULL ? map_object(space, mapping, vap)
                                     : map_anonymous(space, mapping, vap);
    if (status != OK) {
        return status;
    }
    space_room_used(space, *vap);
    if (mapping->flags & SPACE_MAP_WIRED) {
        status = space_need(space, *vap, mapping->size);
        if (status != OK) {
            (void)space_unmap(space, *vap, mapping->size);
        }
    }
    return status;
}

void
space_unmap_locked(struct vm_space *space, const struct tree_range *range,
                   uintptr_t va)
{
    map_take(space, range, va);
    map_replace(space, range, 0);
    space_room_freed(space, va, range->end);
    space_trim_later(space, va, range->end);
}

status_t
space_unmap(struct vm_space *space, uintptr_t va, size_t size)
{
    struct tree_range range;
    status_t status;

    status = space_lock_range(space, va, size, &range);
    if (status != OK) {
        return status;
    }
    space_unmap_locked(space, &range, va);
    return OK;
}
