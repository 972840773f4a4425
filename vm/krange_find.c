/* SPDX-License-Identifier: MIT */
/*
 * What an address of the kernel's belongs to.
 *
 * This takes no lock and no section of RCU, since it is done in a panic, too:
 * what it follows it checks first, and at worst it is wrong.
 */
#include <kern/page.h>
#include <vm/kernel.h>
#include <vm/krange.h>
#include <vm/space_types.h>

/* Slots looked at below an address for the guard page. */
#define KRANGE_STEPS_MAX (UINT64_C(1) << 22)

/* The node at a physical address, if it is one. */
__no_access_checks static struct vm_node *
krange_check_node(paddr_t phys)
{
    if (!page_exists(phys) || page_from_phys(phys)->use != PAGE_USE_NODE) {
        return NULL;
    }
    return pmap_direct_ptr(phys);
}

/*
 * The word of the terminal slot that stands for an address.
 *
 * @place  receives where it is
 */
__no_access_checks static uint64_t
krange_peek(uintptr_t va, struct vm_place *place)
{
    struct vm_node *node = kernel_space->tree.root;
    unsigned int level = NODE_LEVEL_TOP;
    uint64_t word;

    for (;;) {
        place->slot = &node->slots[node_index(va, level)];
        place->va = ALIGN_DOWN(va, node_slot_size(level));
        place->level = level;
        word = __atomic_load_n((uint64_t *)place->slot, __ATOMIC_RELAXED);
        if (slot_type(word) != SLOT_CHILD || level == 0) {
            return word;
        }
        node = krange_check_node(word & UWORD_FRAME_MASK);
        if (node == NULL) {
            return 0;
        }
        level--;
    }
}

/* Describe the range whose guard page a slot says that it is. */
__no_access_checks static bool
krange_describe(uint64_t word, uintptr_t va, struct kva_info *info)
{
    const struct krange *krange;

    if (slot_type(word) != SLOT_MAPPED || slot_is_resident(word) ||
        !(word & SLOT_REGION) || !page_exists(word & UWORD_FRAME_MASK)) {
        return false;
    }
    krange = container_of(region_of_word(word), struct krange, region);
    if (krange->region.destroy != krange_destroy || krange->base != va) {
        return false;
    }
    info->base = va + KRANGE_GUARD_SIZE;
    info->size = krange->size - KRANGE_GUARD_SIZE;
    info->place = krange->is_freed ? KVA_PLACE_FREED : KVA_PLACE_INSIDE;
    for (size_t i = 0; i < sizeof(info->name); i++) {
        info->name[i] = krange->name[i];
    }
    info->name[sizeof(info->name) - 1] = '\0';
    return true;
}

/* Describe the range with the guard page next to an address, at or below. */
static bool
krange_find_below(uintptr_t addr, struct kva_info *info)
{
    uintptr_t va = addr;

    for (uint64_t i = 0; i < KRANGE_STEPS_MAX; i++) {
        struct vm_place place;
        uint64_t word;

        if (va < kernel_space->start || va >= kernel_space->end) {
            return false;
        }
        word = krange_peek(va, &place);
        if (krange_describe(word, place.va, info)) {
            return true;
        }
        if (slot_type(word) != SLOT_MAPPED) {
            return false;
        }
        va = place.va - 1;
    }
    return false;
}

bool
krange_find(uintptr_t addr, struct kva_info *info)
{
    if (!krange_find_below(addr, info) || addr >= info->base + info->size) {
        return false;
    }
    if (addr < info->base && info->place == KVA_PLACE_INSIDE) {
        info->place = KVA_PLACE_GUARD;
    }
    return true;
}

bool
krange_find_next(uintptr_t addr, struct kva_info *info)
{
    uintptr_t va = MAX(addr, kernel_space->start);

    if (krange_find(va, info)) {
        info->place = info->place == KVA_PLACE_GUARD ? KVA_PLACE_INSIDE
                                                     : info->place;
        return true;
    }
    while (va < kernel_space->end) {
        struct vm_place place;
        uint64_t word = krange_peek(va, &place);

        if (krange_describe(word, place.va, info)) {
            return true;
        }
        va = place_end(&place);
    }
    return false;
}
