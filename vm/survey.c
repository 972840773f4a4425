/* SPDX-License-Identifier: MIT */
#include <kern/cpu.h>
#include <kern/rcu.h>
#include <vm/space_i.h>
#include <vm/survey.h>

/* Slots, or nodes, looked at in one section of RCU. */
#define SURVEY_BATCH 64

static void
survey_count(struct survey_counts *counts, uint64_t word, unsigned int level)
{
    if (!slot_is_terminal(word)) {
        counts->nr_children += slot_type(word) == SLOT_CHILD;
        return;
    }
    counts->nr_locked += (word & SLOT_LOCKED) != 0;
    if (slot_type(word) != SLOT_MAPPED) {
        return;
    }
    counts->nr_wired += (word & SLOT_WIRED) != 0;
    if (!slot_is_resident(word)) {
        counts->nr_folded++;
        return;
    }
    counts->nr_resident += node_slot_size(level) >> PAGE_SHIFT;
    counts->nr_large += level > 0;
    counts->nr_counted += slot_frame(word) == SLOT_FRAME_COUNTED;
}

/* Count some slots.  Returns: where to go on */
static uintptr_t
survey_batch(const struct vm_tree *tree, uintptr_t va, uintptr_t end,
             struct survey_counts *counts)
{
    for (int i = 0; i < SURVEY_BATCH && va < end; i++) {
        struct vm_place place;
        uint64_t word = tree_find(tree, va, &place);

        survey_count(counts, word, place.level);
        va = place_end(&place);
    }
    return va;
}

void
survey_range(struct vm_space *space, uintptr_t start, uintptr_t end,
             struct survey_counts *counts)
{
    *counts = (struct survey_counts){ .nr_resident = 0 };
    while (start < end) {
        rcu_read_lock();
        start = survey_batch(&space->tree, start, end, counts);
        rcu_read_unlock();
    }
}

void
survey_begin(const struct vm_space *space, struct survey_cursor *cursor)
{
    cursor->va = ALIGN_DOWN(space->start, node_slot_size(NODE_LEVEL_TOP + 1));
    cursor->level = NODE_LEVEL_TOP + 1;
}

/* The node of a level for an address; NULL: none. */
static struct vm_node *
survey_find_node(const struct vm_tree *tree, uintptr_t va, unsigned int level)
{
    struct vm_node *node = tree->root;

    for (unsigned int i = NODE_LEVEL_TOP; i > level; i--) {
        uint64_t word = slot_read(&node->slots[node_index(va, i)]);

        if (slot_type(word) != SLOT_CHILD) {
            return NULL;
        }
        node = node_child(word);
    }
    return node;
}

/* The highest node below a level that begins at an address; NULL: none. */
static struct vm_node *
survey_find_below(const struct vm_tree *tree, uintptr_t va, unsigned int level)
{
    while (level > 0) {
        level--;
        if (va % node_slot_size(level + 1) == 0) {
            return survey_find_node(tree, va, level);
        }
    }
    return NULL;
}

/* The address behind the slots below which there is no node. */
static uintptr_t
survey_skip(const struct vm_tree *tree, uintptr_t va)
{
    struct vm_place place;

    tree_find(tree, va, &place);
    if (place.level == 0) {
        return ALIGN_DOWN(va, node_slot_size(1)) + node_slot_size(1);
    }
    return place_end(&place);
}

/* Look for the next node among some places.  Returns: NULL, not found yet */
static struct vm_node *
survey_step(const struct vm_space *space, struct survey_cursor *cursor)
{
    const struct vm_tree *tree = &space->tree;

    for (int i = 0; i < SURVEY_BATCH && cursor->va < space->end; i++) {
        struct vm_node *node =
            survey_find_below(tree, cursor->va, cursor->level);

        if (node != NULL) {
            cursor->level = node_info(node)->level;
            return node;
        }
        cursor->va = survey_skip(tree, cursor->va);
        cursor->level = NODE_LEVEL_TOP;
    }
    return NULL;
}

static void
survey_describe(struct vm_node *node, struct survey_node *info)
{
    *info = (struct survey_node){
        .va = node_info(node)->va,
        .level = node_info(node)->level,
        .home = node_home(node),
        .has_sharers = node_sharers(node) != NULL,
        .has_regions = node_regions(node) != NULL,
    };
    for (size_t i = 0; i < NODE_NR_SLOTS; i++) {
        survey_count(&info->counts, slot_read(&node->slots[i]), info->level);
    }
}

bool
survey_next_node(struct vm_space *space, struct survey_cursor *cursor,
                 struct survey_node *info)
{
    bool is_found = false;

    while (!is_found && cursor->va < space->end) {
        struct vm_node *node;

        rcu_read_lock();
        node = survey_step(space, cursor);
        is_found = node != NULL;
        if (is_found) {
            survey_describe(node, info);
        }
        rcu_read_unlock();
    }
    return is_found;
}

unsigned int
survey_path(const struct vm_space *space, uintptr_t va,
            struct survey_slot path[SURVEY_PATH_MAX])
{
    struct vm_node *node = space->tree.root;
    unsigned int nr = 0;

    rcu_read_lock();
    for (unsigned int level = NODE_LEVEL_TOP;; level--) {
        unsigned int index = node_index(va, level);
        const uint64_t *sharers = node_sharers(node);
        uint64_t word = slot_read(&node->slots[index]);

        path[nr++] = (struct survey_slot){
            .va = ALIGN_DOWN(va, node_slot_size(level)),
            .level = level,
            .word = word,
            .home = node_home(node),
            .sharers = sharers != NULL ? READ_ONCE(sharers[index]) : 0,
        };
        if (slot_type(word) != SLOT_CHILD) {
            break;
        }
        node = node_child(word);
    }
    rcu_read_unlock();
    return nr;
}

void
survey_sum(struct vm_space *space, struct survey_sums *sums)
{
    struct survey_cursor cursor;
    struct survey_node node;

    *sums = (struct survey_sums){ .nr_nodes = 0 };
    survey_begin(space, &cursor);
    while (survey_next_node(space, &cursor, &node)) {
        sums->nr_nodes++;
        sums->nr_arrays += node.has_sharers + node.has_regions;
        sums->nr_resident += node.counts.nr_resident;
    }
    for (uint32_t i = 0; i < cpu_nr_possible; i++) {
        const struct vm_space_cpu *cpu = space->cpus[i];

        if (cpu != NULL) {
            sums->nr_cpus += space_has_tables(space, i);
            sums->nr_tables += atomic_load_explicit(&cpu->tables.nr_tables,
                                                    memory_order_relaxed);
        }
    }
}
