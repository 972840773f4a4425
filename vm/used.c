/* SPDX-License-Identifier: MIT */
/*
 * How pages were used: the accessed and dirty bits that processors set, in
 * the slot for the home of its node and in tables of their own for others.
 * Those go with the tables, at any time; what is dirty there is so in the slot,
 * too, and what was accessed may be forgotten.
 *
 * A processor that has a translation in its TLB does not set a bit again, so
 * it has to forget the translation with the bits.
 *
 * Invariant: a page that is writable in tables of a CPU's own is dirty in its
 * slot; so the first write after this faults, which says it there, and no write
 * is forgotten when tables are dropped.  That a page was accessed may be.
 *
 * Words of the kernel's space always have the bits, so that no processor sets
 * them, and are in tables of all CPUs: there is nothing to be taken.
 */
#include <kern/cpu.h>
#include <vm/space_i.h>

#define USED_BITS (UWORD_ACCESSED | UWORD_DIRTY)

struct used_request {
    struct vm_space *space;
    uintptr_t va;
    unsigned int level;
    _Atomic uint64_t bits; /* as in words, of all CPUs so far */
};

/* Take the bits from this CPU's own tables.  Context: interrupt */
static void
used_take_here(void *arg)
{
    struct used_request *request = arg;
    struct utable *ut = space_tables_this(request->space);
    struct page *none = NULL;
    uint64_t word;

    if (ut == NULL) {
        return;
    }
    word = utable_lookup(ut, request->va);
    if (word & USED_BITS) {
        atomic_fetch_or_explicit(&request->bits, word & USED_BITS,
                                 memory_order_relaxed);
        /* As fault_entry(): written again, it has a fault. */
        word &= ~(USED_BITS | UWORD_WRITE);
        verify(utable_enter(ut, request->va, word, request->level, &none) ==
               OK);
    }
    utable_flush(ut, request->va, 1);
}

status_t
space_take_used(struct vm_space *space, uintptr_t va, unsigned int *usedp)
{
    struct used_request request = { .space = space, .va = va };
    struct vm_shoot shoot;
    struct vm_place place;
    uint64_t bits;

    if (space->is_kernel) {
        return ERR_UNSUPPORTED;
    }
    bits = tree_lock(&space->tree, va, &place);
    if (!slot_is_resident(bits)) {
        slot_release(place.slot);
        return ERR_NOT_FOUND;
    }
    request.level = place.level;
    bits = slot_change(place.slot, USED_BITS, 0);
    shoot_init(&shoot, space);
    shoot_gather(&shoot, &place);
    shoot_visit(&shoot, used_take_here, &request);
    slot_release(place.slot);

    bits |= request.bits;
    *usedp = ((bits & UWORD_ACCESSED) ? SPACE_USED_ACCESSED : 0) |
             ((bits & UWORD_DIRTY) ? SPACE_USED_DIRTY : 0);
    return OK;
}
