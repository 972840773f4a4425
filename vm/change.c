/* SPDX-License-Identifier: MIT */
/*
 * Changing what is mapped: protection, inheritance, wiring, contents.
 *
 * All slots of the range are locked and looked at before the first is changed,
 * so an operation that is refused has changed nothing.
 */
#include <stddef.h>

#include <kern/container.h>
#include <kern/rcu.h>
#include <kern/thread.h>
#include <vm/object.h>
#include <vm/region.h>
#include <vm/space_i.h>

/* Whether a mapped slot may be changed as wanted. */
typedef status_t (*change_check_fn_t)(const struct vm_place *place,
                                      uint64_t word, uint64_t value);

/* Change a mapped slot. */
typedef void (*change_fn_t)(struct vm_shoot *shoot,
                            const struct vm_place *place, uint64_t word,
                            uint64_t value);

/* A kind of change. */
struct change {
    change_check_fn_t check; /* NULL: always */
    change_fn_t commit;
};

static status_t
change_check(const struct tree_range *range, change_check_fn_t check,
             uint64_t value)
{
    struct vm_place place;

    tree_for_each_place(range, &place)
    {
        uint64_t word = slot_read(place.slot);
        status_t status;

        if (slot_type(word) != SLOT_MAPPED) {
            return ERR_NOT_FOUND;
        }
        status = check != NULL ? check(&place, word, value) : OK;
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

static void
change_commit(struct vm_space *space, const struct tree_range *range,
              change_fn_t commit, uint64_t value)
{
    struct vm_shoot shoot;
    struct vm_place place;

    shoot_init(&shoot, space);
    tree_for_each_place(range, &place)
    {
        commit(&shoot, &place, slot_read(place.slot), value);
    }
    shoot_perform(&shoot);
}

static status_t
change_range(struct vm_space *space, uintptr_t va, size_t size,
             const struct change *change, uint64_t value)
{
    struct tree_range range;
    status_t status;

    status = space_lock_range(space, va, size, &range);
    if (status != OK) {
        return status;
    }
    status = change_check(&range, change->check, value);
    if (status == OK) {
        change_commit(space, &range, change->commit, value);
    }
    tree_unlock_range(&range);
    return status;
}

static status_t
change_check_prot(const struct vm_place *place, uint64_t word, uint64_t prot)
{
    const struct vm_region *region =
        region_of_slot(place->slot, place_index(place), word);

    if (region == NULL) {
        return OK;
    }
    if (region->object == NULL) {
        /* A guard page of the kernel's: there is nothing to be accessed. */
        return ERR_ACCESS;
    }
    return object_check_prot(region->object, (unsigned int)prot,
                             region->is_private);
}

/* Bits of a resident word that follow from its protection. */
static uint64_t
change_prot_entry(uint64_t word, unsigned int prot)
{
    bool is_writable = (prot & PMAP_WRITE) != 0 &&
                       slot_frame(word) == SLOT_FRAME_PRIVATE;

    return uword_make(0,
                      PMAP_READ | (prot & PMAP_EXEC) |
                          (is_writable ? PMAP_WRITE : 0U),
                      PMAP_WB, 0) &
           (UWORD_WRITE | UWORD_NX);
}

static void
change_prot(struct vm_shoot *shoot, const struct vm_place *place, uint64_t word,
            uint64_t value)
{
    const uint64_t entry_bits = UWORD_WRITE | UWORD_NX;
    unsigned int prot = (unsigned int)value;
    unsigned int lost = slot_prot(word) & ~prot;
    uint64_t set = (uint64_t)prot << SLOT_PROT_SHIFT;

    if (!slot_is_resident(word)) {
        slot_change(place->slot, SLOT_PROT_MASK, set);
        return;
    }
    set |= change_prot_entry(word, prot);
    if (prot != 0 && shoot->space->is_kernel) {
        /* No fault brings it back if it had none. */
        set |= UWORD_PRESENT;
    }
    slot_change(place->slot, SLOT_PROT_MASK | entry_bits, set);
    if (prot == 0) {
        shoot_take(shoot, place);
    } else if (lost != 0) {
        shoot_refresh(shoot, place);
    }
}

status_t
space_protect(struct vm_space *space, uintptr_t va, size_t size,
              unsigned int prot)
{
    static const struct change change = { change_check_prot, change_prot };

    if ((prot & ~(PMAP_READ | PMAP_WRITE | PMAP_EXEC)) != 0) {
        return ERR_INVALID;
    }
    return change_range(space, va, size, &change, prot);
}

static status_t
change_check_inherit(const struct vm_place *place __unused, uint64_t word,
                     uint64_t inherit)
{
    return inherit == VM_INHERIT_SHARE && !(word & SLOT_REGION) ? ERR_INVALID
                                                                : OK;
}

static void
change_inherit(struct vm_shoot *shoot __unused, const struct vm_place *place,
               uint64_t word __unused, uint64_t inherit)
{
    slot_change(place->slot, SLOT_INHERIT_MASK, inherit << SLOT_INHERIT_SHIFT);
}

status_t
space_set_inherit(struct vm_space *space, uintptr_t va, size_t size,
                  enum vm_inherit inherit)
{
    static const struct change change = { change_check_inherit,
                                          change_inherit };

    if (inherit > VM_INHERIT_NONE) {
        return ERR_INVALID;
    }
    return change_range(space, va, size, &change, inherit);
}

static void
change_wired(struct vm_shoot *shoot __unused, const struct vm_place *place,
             uint64_t word __unused, uint64_t wired)
{
    slot_change(place->slot, SLOT_WIRED, wired & SLOT_WIRED);
}

/* What @word becomes when the page is not resident any more. */
static void
change_discard_page(struct vm_space *space, const struct vm_place *place)
{
    uint64_t word = slot_read(place->slot) & ~SLOT_LOCK_BITS;
    struct vm_region *region =
        region_of_slot(place->slot, place_index(place), word);
    uint64_t fresh = word & SLOT_MAPPING_MASK & ~SLOT_REGION;

    if (region != NULL) {
        region_get_many(region, 1);
        fresh |= region_word(region);
    }
    space_drop(space, place, word);
    slot_unlock(place->slot, fresh);
}

/* Forget the pages of a locked range, and unlock it. */
static void
change_discard(struct vm_space *space, const struct tree_range *range)
{
    struct vm_place place;

    tree_for_each_place(range, &place)
    {
        uint64_t word = slot_read(place.slot);

        if (slot_is_resident(word) && !(word & SLOT_WIRED)) {
            change_discard_page(space, &place);
        } else {
            slot_release(place.slot);
        }
    }
}

static void
change_take(struct vm_shoot *shoot, const struct vm_place *place, uint64_t word,
            uint64_t value __unused)
{
    if (slot_is_resident(word) && !(word & SLOT_WIRED)) {
        shoot_take(shoot, place);
    }
}

status_t
space_discard(struct vm_space *space, uintptr_t va, size_t size)
{
    struct tree_range range;
    status_t status;

    status = space_lock_range(space, va, size, &range);
    if (status != OK) {
        return status;
    }
    status = change_check(&range, NULL, 0);
    if (status != OK) {
        tree_unlock_range(&range);
        return status;
    }
    change_commit(space, &range, change_take, 0);
    change_discard(space, &range);
    return OK;
}

/* The kind of access that makes a page as resident as its mapping allows. */
static unsigned int
change_best_access(unsigned int prot)
{
    if (prot & PMAP_WRITE) {
        return FAULT_WRITE;
    }
    return (prot & PMAP_READ) ? FAULT_READ : FAULT_EXEC;
}

/* Where a page, which is resident unless others change that, ends. */
static uintptr_t
change_page_end(struct vm_space *space, uintptr_t va)
{
    struct vm_place place;
    uint64_t word;

    rcu_read_lock();
    word = tree_find(&space->tree, va, &place);
    rcu_read_unlock();
    return slot_is_terminal(word) && slot_is_resident(word) ? place_end(&place)
                                                            : va + PAGE_SIZE;
}

/* Have the pages of a mapping resident. */
static status_t
change_need(struct vm_space *space, uintptr_t va, uintptr_t end,
            unsigned int access)
{
    status_t status = OK;

    while (status == OK && va < end) {
        status = thread_is_ending() ? ERR_INTERRUPTED
                                    : space_fault(space, va, access);
        va = change_page_end(space, va);
    }
    return status;
}

status_t
space_need(struct vm_space *space, uintptr_t va, size_t size)
{
    uintptr_t next, end = va + size;
    struct space_info info;
    status_t status;

    status = space_check_range(space, va, size);
    while (status == OK && va < end) {
        if (!space_query(space, va, &info) || info.va > va) {
            return ERR_NOT_FOUND;
        }
        next = MIN(info.va + info.size, end);
        if (info.prot != 0) {
            status =
                change_need(space, va, next, change_best_access(info.prot));
        }
        va = next;
    }
    return status;
}

static status_t
change_wiring(struct vm_space *space, uintptr_t va, size_t size, uint64_t wired)
{
    static const struct change change = { NULL, change_wired };

    return change_range(space, va, size, &change, wired);
}

/* Whether all is resident that allows any access. */
static bool
change_is_resident(struct vm_space *space, uintptr_t va, size_t size)
{
    uintptr_t end = va + size;

    while (va < end) {
        struct vm_place place;
        uint64_t word;

        rcu_read_lock();
        word = tree_find(&space->tree, va, &place);
        rcu_read_unlock();
        if (slot_type(word) == SLOT_MAPPED && slot_prot(word) != 0 &&
            !slot_is_resident(word)) {
            return false;
        }
        va = place_end(&place);
    }
    return true;
}

status_t
space_wire(struct vm_space *space, uintptr_t va, size_t size)
{
    status_t status;

    /* What can fail comes first: parts may be wired already, and stay so. */
    status = space_need(space, va, size);
    if (status != OK) {
        return status;
    }
    status = change_wiring(space, va, size, SLOT_WIRED);
    if (status != OK || change_is_resident(space, va, size)) {
        return status;
    }

    /* Somebody has discarded a part in between. */
    status = space_need(space, va, size);
    if (status != OK) {
        (void)change_wiring(space, va, size, 0);
    }
    return status;
}

status_t
space_unwire(struct vm_space *space, uintptr_t va, size_t size)
{
    return change_wiring(space, va, size, 0);
}
