/* SPDX-License-Identifier: MIT */
/*
 * May run concurrently:   insert  replace  remove  find
 *              insert       -        -       -     yes
 *              replace      -        -       -     yes
 *              remove       -        -       -     yes
 *              find        yes      yes     yes    yes
 *
 * A reader may walk through a node that was just cut off: its slots lead on
 * until the grace period is over, or are empty.
 */
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <kern/rcu_radix.h>
#include <kern/slab.h>
#include <lib/assert.h>
#include <lib/macros.h>
#include <lib/string.h>

static struct slab_cache rcu_radix_cache;

/* ------------------------------------------------------------------ nodes */

static unsigned
rcu_radix_index(const struct rcu_radix_node *node, uint32_t key)
{
    return (key >> node->shift) % RCU_RADIX_SLOTS;
}

/* Whether the tree is high enough for a key. */
static bool
rcu_radix_covers(const struct rcu_radix *tree, uint32_t key)
{
    return key >> tree->root->shift < RCU_RADIX_SLOTS;
}

static void
rcu_radix_set_slot(struct rcu_radix_node *node, unsigned index, void *value)
{
    /* Pairs with rcu_dereference() in the look-ups. */
    rcu_assign(node->slots[index], value);
}

static struct rcu_radix_node *
rcu_radix_node_create(struct rcu_radix *tree, unsigned shift)
{
    struct rcu_radix_node *node;

    node = slab_alloc(&rcu_radix_cache);
    if (node != NULL) {
        memset(node, 0, sizeof(*node));
        node->shift = (uint8_t)shift;
        tree->nr_nodes++;
    }
    return node;
}

static void
rcu_radix_node_free(struct rcu_radix *tree, struct rcu_radix_node *node)
{
    tree->nr_nodes--;
    rcu_free(node, head);
}

/* Put a level above the root. */
static status_t
rcu_radix_grow(struct rcu_radix *tree)
{
    struct rcu_radix_node *node, *root;

    root = tree->root;
    node = rcu_radix_node_create(tree, root->shift + RCU_RADIX_BITS);
    if (node == NULL) {
        return ERR_NO_MEMORY;
    }

    node->is_spine = true;
    node->slots[0] = root;
    node->used = root->used != 0;
    node->full = root->full == UINT64_MAX;
    root->parent = node;
    root->index = 0;
    /* Pairs with rcu_dereference() in rcu_radix_find_large(). */
    rcu_assign(tree->root, node);
    return OK;
}

/* Take levels off that only lead to slot 0. */
static void
rcu_radix_shrink(struct rcu_radix *tree)
{
    struct rcu_radix_node *root;

    for (root = tree->root;
         root->shift != 0 && (root->used & ~UINT64_C(1)) == 0;
         root = tree->root) {
        rcu_assign(tree->root, root->slots[0]);
        tree->root->parent = NULL;
        rcu_radix_node_free(tree, root);
    }
}

/*
 * A node has lost a key, or did not get one: correct what is above it, and
 * free what is empty.
 */
static void
rcu_radix_prune(struct rcu_radix *tree, struct rcu_radix_node *node)
{
    struct rcu_radix_node *parent;
    uint64_t bit;

    for (; node->parent != NULL; node = parent) {
        parent = node->parent;
        bit = UINT64_C(1) << node->index;
        parent->full &= ~bit;
        if (node->used != 0) {
            continue;
        }
        parent->used &= ~bit;
        if (!node->is_spine) {
            rcu_radix_set_slot(parent, node->index, NULL);
            rcu_radix_node_free(tree, node);
        }
    }
    rcu_radix_shrink(tree);
}

/* The leaf of a key that the tree covers; NULL if there is none. */
static struct rcu_radix_node *
rcu_radix_leaf(const struct rcu_radix *tree, uint32_t key)
{
    struct rcu_radix_node *node;

    if (!rcu_radix_covers(tree, key)) {
        return NULL;
    }

    node = tree->root;
    while (node != NULL && node->shift != 0) {
        node = node->slots[rcu_radix_index(node, key)];
    }
    return node;
}

/* The same, but make it. */
static struct rcu_radix_node *
rcu_radix_leaf_create(struct rcu_radix *tree, uint32_t key)
{
    struct rcu_radix_node *node, *child;
    unsigned index;

    while (!rcu_radix_covers(tree, key)) {
        if (rcu_radix_grow(tree) != OK) {
            rcu_radix_shrink(tree);
            return NULL;
        }
    }
    for (node = tree->root; node->shift != 0; node = child) {
        index = rcu_radix_index(node, key);
        child = node->slots[index];
        if (child != NULL) {
            continue;
        }
        child = rcu_radix_node_create(tree, node->shift - RCU_RADIX_BITS);
        if (child == NULL) {
            rcu_radix_prune(tree, node);
            return NULL;
        }
        child->parent = node;
        child->index = (uint8_t)index;
        rcu_radix_set_slot(node, index, child);
    }
    return node;
}

/* --------------------------------------------------------------- look-ups */

void *
rcu_radix_find_large(const struct rcu_radix *tree, uint32_t key)
{
    const struct rcu_radix_node *node;
    unsigned shift;
    void *slot;

    /* Pairs with rcu_assign() in rcu_radix_grow() and rcu_radix_shrink(). */
    node = rcu_dereference(tree->root);
    shift = node->shift;
    if (key >> shift >= RCU_RADIX_SLOTS) {
        return NULL;
    }
    for (;;) {
        /* Pairs with rcu_assign() in rcu_radix_set_slot(). */
        slot = rcu_dereference(node->slots[(key >> shift) % RCU_RADIX_SLOTS]);
        if (slot == NULL || shift == 0) {
            return slot;
        }
        node = slot;
        shift -= RCU_RADIX_BITS;
    }
}

/*
 * Go down from the root to the first slot, from *keyp on, whose bit is set;
 * @wants_used says of which bitmap, else it is that of what is not full.
 *
 * @keyp  receives the first key of that slot, or *keyp itself if it is in
 *        there; or the first key behind a node that has no such slot
 *
 * Returns: whether there is one
 */
static bool
rcu_radix_descend(const struct rcu_radix *tree, bool wants_used, uint32_t *keyp)
{
    const struct rcu_radix_node *node, *child;
    unsigned from, index, above;
    uint64_t bits;

    for (node = tree->root;; node = child) {
        from = rcu_radix_index(node, *keyp);
        above = node->shift + RCU_RADIX_BITS;
        bits = (wants_used ? node->used : ~node->full) & UINT64_MAX << from;
        if (bits == 0) {
            *keyp = ((*keyp >> above) + 1) << above;
            return false;
        }
        index = (unsigned)__builtin_ctzll(bits);
        if (index != from) {
            *keyp = *keyp >> above << above | index << node->shift;
        }
        child = node->slots[index];
        if (node->shift == 0 || child == NULL) {
            return true;
        }
    }
}

void *
rcu_radix_find_next(const struct rcu_radix *tree, uint32_t key, uint32_t *keyp)
{
    while (rcu_radix_covers(tree, key)) {
        if (rcu_radix_descend(tree, true, &key)) {
            *keyp = key;
            return rcu_radix_find(tree, key);
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- changes */

status_t
rcu_radix_insert(struct rcu_radix *tree, uint32_t key, void *value)
{
    struct rcu_radix_node *node;
    uint64_t bit;
    unsigned index;
    bool is_full;

    assert(value != NULL);
    if (key >= RCU_RADIX_MAX_KEY) {
        return ERR_RANGE;
    }
    node = rcu_radix_leaf_create(tree, key);
    if (node == NULL) {
        return ERR_NO_MEMORY;
    }
    index = rcu_radix_index(node, key);
    if (node->slots[index] != NULL) {
        return ERR_EXISTS;
    }

    rcu_radix_set_slot(node, index, value);
    is_full = true;
    for (; node != NULL; node = node->parent) {
        bit = UINT64_C(1) << index;
        node->used |= bit;
        node->full |= is_full ? bit : 0;
        is_full = node->full == UINT64_MAX;
        index = node->index;
    }
    return OK;
}

status_t
rcu_radix_insert_lowest(struct rcu_radix *tree, void *value, uint32_t least,
                        uint32_t limit, uint32_t *keyp)
{
    status_t status;
    uint32_t key;

    key = least;
    while (key < limit && rcu_radix_covers(tree, key) &&
           !rcu_radix_descend(tree, false, &key)) {
        /* The first key behind a full part: look there. */
    }
    if (key >= limit) {
        return ERR_RANGE;
    }

    status = rcu_radix_insert(tree, key, value);
    if (status == OK) {
        *keyp = key;
    }
    return status;
}

void *
rcu_radix_replace(struct rcu_radix *tree, uint32_t key, void *value)
{
    struct rcu_radix_node *node;
    unsigned index;
    void *old;

    assert(value != NULL);
    node = rcu_radix_leaf(tree, key);
    if (node == NULL) {
        return NULL;
    }
    index = rcu_radix_index(node, key);
    old = node->slots[index];
    if (old != NULL) {
        rcu_radix_set_slot(node, index, value);
    }
    return old;
}

void *
rcu_radix_remove(struct rcu_radix *tree, uint32_t key)
{
    struct rcu_radix_node *node;
    unsigned index;
    void *old;

    node = rcu_radix_leaf(tree, key);
    if (node == NULL) {
        return NULL;
    }
    index = rcu_radix_index(node, key);
    old = node->slots[index];
    if (old == NULL) {
        return NULL;
    }

    rcu_radix_set_slot(node, index, NULL);
    node->used &= ~(UINT64_C(1) << index);
    node->full &= ~(UINT64_C(1) << index);
    rcu_radix_prune(tree, node);
    return old;
}

void
rcu_radix_init(struct rcu_radix *tree)
{
    memset(tree, 0, sizeof(*tree));
    tree->first.is_spine = true;
    tree->root = &tree->first;
}

/* At most RCU_RADIX_MAX_LEVELS deep. */
static void
rcu_radix_node_destroy(struct rcu_radix *tree, struct rcu_radix_node *node)
{
    unsigned i;

    if (node == &tree->first) {
        return;
    }
    for (i = 0; node->shift != 0 && i < RCU_RADIX_SLOTS; i++) {
        if (node->slots[i] != NULL) {
            rcu_radix_node_destroy(tree, node->slots[i]);
        }
    }
    slab_free(&rcu_radix_cache, node);
}

void
rcu_radix_destroy(struct rcu_radix *tree)
{
    rcu_radix_node_destroy(tree, tree->root);
    rcu_radix_init(tree);
}

static status_t
rcu_radix_setup(void)
{
    slab_cache_init(&rcu_radix_cache, "radix node",
                    sizeof(struct rcu_radix_node), 0, 0);
    return OK;
}

INIT_OP(rcu_radix_setup, INIT_BOOT_CPU, AFTER(slab_setup));
