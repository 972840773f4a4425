/* SPDX-License-Identifier: MIT */
/*
 * Looking at the mappings of a space, as a rule without locks.
 *
 * Slots are read under RCU, a few at a time; neighbours that say the same
 * are one mapping.
 */
#include <kern/rcu.h>
#include <vm/object.h>
#include <vm/region.h>
#include <vm/space_i.h>

/* Slots read in one section of RCU. */
#define QUERY_BATCH 64

/* What a slot says, as one would see it in a list. */
static void
query_describe(const struct vm_place *place, uint64_t word,
               struct space_info *info)
{
    *info = (struct space_info){
        .va = place->va,
        .size = node_slot_size(place->level),
        .prot = slot_prot(word),
        .inherit = slot_inherit(word),
        .is_wired = (word & SLOT_WIRED) != 0,
    };
    if (word & SLOT_REGION) {
        info->region = region_of_slot(place->slot, place_index(place), word);
    }
}

static bool
query_is_same(const struct space_info *a, const struct space_info *b)
{
    return a->va + a->size == b->va && a->prot == b->prot &&
           a->inherit == b->inherit && a->is_wired == b->is_wired &&
           a->region == b->region;
}

/*
 * Look at some slots.
 *
 * @vap   where to begin; receives where to go on
 * @info  its size is 0 until something was found
 *
 * Returns: whether to go on
 */
static bool
query_batch(struct vm_space *space, uintptr_t *vap, struct space_info *info)
{
    for (int i = 0; i < QUERY_BATCH && *vap < space->end; i++) {
        struct space_info next;
        struct vm_place place;
        uint64_t word = tree_find(&space->tree, *vap, &place);

        if (slot_type(word) == SLOT_DEAD) {
            return true;
        }
        if (slot_type(word) == SLOT_EMPTY) {
            if (info->size != 0) {
                return false;
            }
        } else {
            query_describe(&place, word, &next);
            if (info->size == 0) {
                *info = next;
            } else if (query_is_same(info, &next)) {
                info->size += next.size;
            } else {
                return false;
            }
        }
        *vap = place_end(&place);
    }
    return *vap < space->end;
}

bool
space_query(struct vm_space *space, uintptr_t va, struct space_info *info)
{
    bool goes_on = true;

    *info = (struct space_info){ .size = 0 };
    va = ALIGN_DOWN(va, PAGE_SIZE);
    while (goes_on) {
        rcu_read_lock();
        goes_on = query_batch(space, &va, info);
        rcu_read_unlock();
    }
    return info->size != 0;
}

bool
space_is_private(struct vm_space *space, uintptr_t va)
{
    struct vm_place place;
    uint64_t word = tree_lock(&space->tree, va, &place);
    const struct vm_region *region =
        region_of_slot(place.slot, place_index(&place), word);
    bool is_private = region != NULL && region->is_private;

    slot_release(place.slot);
    return is_private;
}

/* Whether an address may be an object's: it is, or nobody can tell now. */
static bool
query_may_be_object(struct vm_space *space, uintptr_t va)
{
    struct vm_place place;
    uint64_t word;

    rcu_read_lock();
    word = tree_find(&space->tree, va, &place);
    rcu_read_unlock();
    return (word & SLOT_REGION) || slot_type(word) == SLOT_DEAD;
}

struct vm_object *
space_find_shared(struct vm_space *space, uintptr_t va, uint64_t *offsetp)
{
    struct vm_object *object = NULL;
    const struct vm_region *region;
    struct vm_place place;
    uint64_t word;

    if (va < space->start || va >= space->end ||
        !query_may_be_object(space, va)) {
        return NULL;
    }
    word = tree_lock(&space->tree, va, &place);
    region = region_of_slot(place.slot, place_index(&place), word);
    if (region != NULL && !region->is_private) {
        object = region->object;
        object_get(object);
        *offsetp = region_index(region, va) * PAGE_SIZE + va % PAGE_SIZE;
    }
    slot_release(place.slot);
    return object;
}
