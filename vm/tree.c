/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/alloc_check.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/lock_sleep.h>
#include <kern/rcu.h>
#include <vm/region.h>
#include <vm/tree.h>

status_t
tree_init(struct vm_tree *tree, struct container *container,
          tree_forget_fn_t forget)
{
    tree->container = container;
    tree->forget = forget;
    tree->root = node_create(container, 0, NODE_LEVEL_TOP, 0);
    return tree->root != NULL ? OK : ERR_NO_MEMORY;
}

/* Free a node without children and all below that have none either. */
static void
tree_destroy_node(struct vm_node *node)
{
    for (size_t i = 0; i < NODE_NR_SLOTS; i++) {
        uint64_t word = slot_read(&node->slots[i]);

        if (slot_type(word) == SLOT_CHILD) {
            tree_destroy_node(node_child(word));
        } else {
            verify(word == 0);
        }
    }
    node_destroy(node);
}

void
tree_destroy(struct vm_tree *tree)
{
    tree_destroy_node(tree->root);
}

uint64_t
tree_find(const struct vm_tree *tree, uintptr_t va, struct vm_place *place)
{
    struct vm_node *node = tree->root;

    for (unsigned int level = NODE_LEVEL_TOP;; level--) {
        slot_t *slot = &node->slots[node_index(va, level)];
        uint64_t word = slot_read(slot);

        if (slot_type(word) != SLOT_CHILD) {
            place->slot = slot;
            place->va = ALIGN_DOWN(va, node_slot_size(level));
            place->level = level;
            return word;
        }
        node = node_child(word);
    }
}

void
tree_next(const struct vm_tree *tree, struct vm_place *place)
{
    place->va += node_slot_size(place->level);
    if (node_index(place->va, place->level) != 0) {
        place->slot++;
        if (slot_type(slot_read(place->slot)) != SLOT_CHILD) {
            return;
        }
    }
    tree_find(tree, place->va, place);
}

/* Whether this CPU has threads, which may find slots locked and then sleep. */
static bool
tree_may_wait(void)
{
    return init_is_done() && cpu_is_online(cpu_id());
}

uint64_t
tree_lock(const struct vm_tree *tree, uintptr_t va, struct vm_place *place)
{
    static const struct lock_class class =
        LOCK_CLASS_INITIALIZER(LOCK_SLOTS, "slots");

    assert(!alloc_check_is_inside());
    if (ALLOC_IS_CHECKED && tree_may_wait()) {
        lock_sleep_acquire(&class, place);
    }
    for (;;) {
        uint64_t word;

        rcu_read_lock();
        tree_find(tree, va, place);
        if (slot_try_lock(place->slot, &word)) {
            rcu_read_unlock();
            return word;
        }
        if (slot_is_terminal(word)) {
            slot_wait(place->slot);
        } else {
            /* It became a child, or its node was taken out. */
            rcu_read_unlock();
        }
    }
}

/* Lock the slots of a node, not reachable yet, that a range touches. */
static void
tree_lock_new(struct vm_node *node, const struct vm_place *place,
              uintptr_t start, uintptr_t end)
{
    size_t size = node_slot_size(place->level - 1);
    uintptr_t from = MAX(start, place->va);
    uintptr_t to = MIN(end, place_end(place));
    slot_t *slot = &node->slots[(from - place->va) / size];
    slot_t *last = &node->slots[(to - 1 - place->va) / size];

    for (; slot <= last; slot++) {
        uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);

        atomic_store_explicit(slot, word | SLOT_LOCKED, memory_order_relaxed);
    }
}

/* Have the slots of a node, not reachable yet, be the parts of a large page. */
static status_t
tree_fill_parts(struct vm_node *node, unsigned int level, uint64_t word,
                struct vm_region *region)
{
    void **regions;

    if (node_regions_ensure(node) != OK) {
        return ERR_NO_MEMORY;
    }
    regions = node_regions(node);
    /* Which of the parts was used is not known; dirty is in the slot. */
    word |= UWORD_ACCESSED;
    if (level == 0) {
        word &= ~UWORD_LARGE;
    }
    for (size_t i = 0; i < NODE_NR_SLOTS; i++) {
        atomic_store_explicit(&node->slots[i], word, memory_order_relaxed);
        regions[i] = region;
        word += node_slot_size(level);
    }
    return OK;
}

/* Make the node that a slot is to be expanded to.  Returns: NULL: no memory */
static struct vm_node *
tree_expand_node(const struct vm_tree *tree, const struct vm_place *place,
                 uint64_t word, struct vm_region *region)
{
    unsigned int level = place->level - 1;
    struct vm_node *node;

    node = node_create(tree->container, place->va, level, word);
    if (node != NULL && slot_is_resident(word) &&
        tree_fill_parts(node, level, word, region) != OK) {
        node_destroy(node);
        return NULL;
    }
    return node;
}

status_t
tree_expand(struct vm_tree *tree, const struct vm_place *place, uintptr_t start,
            uintptr_t end)
{
    uint64_t word = slot_read(place->slot) & ~SLOT_LOCK_BITS;
    struct vm_region *region =
        region_of_slot(place->slot, place_index(place), word);
    struct vm_node *node;

    assert(place->level > 0 && slot_is_terminal(word));

    node = tree_expand_node(tree, place, word, region);
    if (node == NULL) {
        return ERR_NO_MEMORY;
    }
    if (region != NULL) {
        region_get_many(region, NODE_NR_SLOTS - 1);
    }
    if (slot_is_resident(word)) {
        tree->forget(tree, place);
    }
    tree_lock_new(node, place, start, end);
    slot_unlock(place->slot, node_word(node));
    return OK;
}

/* Whether a locked slot has to be expanded for a range. */
static bool
tree_is_partial(const struct vm_place *place, uintptr_t start, uintptr_t end,
                enum tree_mode mode)
{
    if (place->va >= start && place_end(place) <= end) {
        return false;
    }
    return mode == TREE_EXPAND_EMPTY ||
           slot_type(slot_read(place->slot)) != SLOT_EMPTY;
}

/* Unlock what was locked before memory ran out. */
static void
tree_unlock_part(struct tree_range *range, uintptr_t start, uintptr_t locked)
{
    tree_find(range->tree, start, &range->first);
    range->end = locked;
    tree_unlock_range(range);
}

/* Try to lock the slot behind one that is locked, if it is in its node. */
static inline bool
tree_try_lock_next(struct vm_place *place)
{
    uintptr_t va = place_end(place);
    uint64_t word;

    if (node_index(va, place->level) == 0 ||
        !slot_try_lock(place->slot + 1, &word)) {
        return false;
    }
    place->slot++;
    place->va = va;
    return true;
}

status_t
tree_lock_range(struct vm_tree *tree, uintptr_t start, uintptr_t end,
                enum tree_mode mode, struct tree_range *range)
{
    uintptr_t locked = start; /* all slots below are ours */
    struct vm_place place;

    assert(start < end && IS_ALIGNED(start | end, PAGE_SIZE));

    range->tree = tree;
    range->end = end;
    for (uintptr_t va = start; va < end; va = place_end(&place)) {
        if (va >= locked) {
            if (va == start || !tree_try_lock_next(&place)) {
                tree_lock(tree, va, &place);
            }
            locked = MIN(place_end(&place), end);
        } else {
            tree_find(tree, va, &place);
        }
        while (tree_is_partial(&place, start, end, mode)) {
            if (tree_expand(tree, &place, start, end) != OK) {
                tree_unlock_part(range, start, locked);
                return ERR_NO_MEMORY;
            }
            tree_find(tree, va, &place);
        }
        if (va == start) {
            range->first = place;
        }
    }
    return OK;
}

bool
tree_try_lock_pages(struct vm_tree *tree, uintptr_t start, uintptr_t end,
                    struct tree_range *range)
{
    range->tree = tree;
    range->end = end;
    for (uintptr_t va = start; va < end; va += PAGE_SIZE) {
        struct vm_place place;
        bool is_locked;
        uint64_t word;

        rcu_read_lock();
        tree_find(tree, va, &place);
        is_locked = slot_try_lock(place.slot, &word);
        rcu_read_unlock();
        if (!is_locked) {
            if (va > start) {
                tree_unlock_part(range, start, va);
            }
            return false;
        }
        assert(place.level == 0 && slot_type(word) == SLOT_MAPPED);
        if (va == start) {
            range->first = place;
        }
    }
    return true;
}

void
tree_unlock_range(const struct tree_range *range)
{
    struct vm_place place;

    tree_for_each_place(range, &place)
    {
        slot_release(place.slot);
    }
}

/*
 * The slot that leads to the node of a level for an address; NULL: none.
 *
 * @nodep  receives the node
 */
static slot_t *
tree_find_parent(const struct vm_tree *tree, uintptr_t va, unsigned int level,
                 struct vm_node **nodep)
{
    struct vm_node *node = tree->root;

    for (unsigned int i = NODE_LEVEL_TOP;; i--) {
        slot_t *slot = &node->slots[node_index(va, i)];
        uint64_t word = slot_read(slot);

        if (slot_type(word) != SLOT_CHILD) {
            return NULL;
        }
        node = node_child(word);
        if (i == level + 1) {
            *nodep = node;
            return slot;
        }
    }
}

/* Whether all slots of a node are unlocked, not resident, and the same. */
static bool
tree_is_uniform(struct vm_node *node, uint64_t *wordp)
{
    uint64_t word = slot_read(&node->slots[0]);

    if (!slot_is_terminal(word) || slot_is_resident(word) ||
        (word & SLOT_LOCKED)) {
        return false;
    }
    for (size_t i = 1; i < NODE_NR_SLOTS; i++) {
        if (slot_read(&node->slots[i]) != word) {
            return false;
        }
    }
    *wordp = word;
    return true;
}

/* Lock all slots of a node if all still say @word. */
static bool
tree_try_lock_node(struct vm_node *node, uint64_t word)
{
    for (size_t i = 0; i < NODE_NR_SLOTS; i++) {
        uint64_t found;

        if (slot_try_lock(&node->slots[i], &found)) {
            if (found == (word | SLOT_LOCKED)) {
                continue;
            }
            i++;
        }
        while (i > 0) {
            slot_release(&node->slots[--i]);
        }
        return false;
    }
    return true;
}

bool
tree_try_seize(const struct vm_tree *tree, uintptr_t va, unsigned int level,
               struct tree_victim *victim)
{
    bool is_ours = false;

    rcu_read_lock();
    victim->parent = tree_find_parent(tree, va, level, &victim->node);
    if (victim->parent != NULL) {
        /* Once locked, neither the node nor those above can go. */
        is_ours = tree_is_uniform(victim->node, &victim->word) &&
                  tree_try_lock_node(victim->node, victim->word);
    }
    rcu_read_unlock();
    return is_ours;
}

void
tree_collapse(const struct tree_victim *victim)
{
    const uint64_t dead = (uint64_t)SLOT_DEAD << SLOT_TYPE_SHIFT;

    if (victim->word & SLOT_REGION) {
        region_put_many(region_of_word(victim->word), NODE_NR_SLOTS - 1);
    }
    /* Before the slots are dead: who finds them so finds this. */
    slot_publish(victim->parent, victim->word);
    for (size_t i = 0; i < NODE_NR_SLOTS; i++) {
        slot_unlock(&victim->node->slots[i], dead);
    }
    node_retire(victim->node);
}
