/* SPDX-License-Identifier: MIT */
/*
 * Red-black trees.
 *
 * Invariants: a red node has no red child, and every path from a node down to
 * a missing child passes the same number of black nodes.  So no path is more
 * than twice as long as another.  A missing child is black.
 *
 * The two mirror images of each case are one: children are an array, and a
 * side is an index.  The colour is the low bit of the parent pointer.
 *
 * Source: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms,
 * "Red-Black Trees".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/rbtree.h>

#define RBTREE_LEFT  0
#define RBTREE_RIGHT 1

#define RBTREE_RED 1u

static struct rbtree_node *
rbtree_parent(const struct rbtree_node *node)
{
    return (struct rbtree_node *)(node->parent_color & ~(uintptr_t)RBTREE_RED);
}

static bool
rbtree_is_red(const struct rbtree_node *node)
{
    return node != NULL && (node->parent_color & RBTREE_RED) != 0;
}

static void
rbtree_set_parent(struct rbtree_node *node, const struct rbtree_node *parent)
{
    node->parent_color = (uintptr_t)parent | (node->parent_color & RBTREE_RED);
}

static void
rbtree_set_red(struct rbtree_node *node)
{
    node->parent_color |= RBTREE_RED;
}

static void
rbtree_set_black(struct rbtree_node *node)
{
    node->parent_color &= ~(uintptr_t)RBTREE_RED;
}

/* The element farthest to one side below @node. */
static struct rbtree_node *
rbtree_extreme(struct rbtree_node *node, int side)
{
    while (node->child[side] != NULL) {
        node = node->child[side];
    }
    return node;
}

/* The neighbour of @node on one side, in order. */
static struct rbtree_node *
rbtree_neighbour(const struct rbtree_node *node, int side)
{
    const struct rbtree_node *child;

    if (node->child[side] != NULL) {
        return rbtree_extreme(node->child[side], !side);
    }

    do {
        child = node;
        node = rbtree_parent(node);
    } while (node != NULL && node->child[side] == child);
    return (struct rbtree_node *)(uintptr_t)node;
}

struct rbtree_node *
rbtree_last(const struct rbtree *tree)
{
    if (tree->root == NULL) {
        return NULL;
    }
    return rbtree_extreme(tree->root, RBTREE_RIGHT);
}

struct rbtree_node *
rbtree_next(const struct rbtree_node *node)
{
    return rbtree_neighbour(node, RBTREE_RIGHT);
}

struct rbtree_node *
rbtree_prev(const struct rbtree_node *node)
{
    return rbtree_neighbour(node, RBTREE_LEFT);
}

/* Put @new, or nothing, where @old hangs; @old itself is not changed. */
static void
rbtree_replace(struct rbtree *tree, struct rbtree_node *old,
               struct rbtree_node *new)
{
    struct rbtree_node *parent = rbtree_parent(old);

    /* Not so if it was removed already, or from another tree. */
    assert(parent == NULL ? tree->root == old
                          : parent->child[RBTREE_LEFT] == old ||
                                parent->child[RBTREE_RIGHT] == old);
    if (parent == NULL) {
        tree->root = new;
    } else {
        parent->child[parent->child[RBTREE_RIGHT] == old] = new;
    }
    if (new != NULL) {
        rbtree_set_parent(new, parent);
    }
}

/* Make @child, or nothing, the child of @parent on one side. */
static void
rbtree_link(struct rbtree_node *parent, int side, struct rbtree_node *child)
{
    parent->child[side] = child;
    if (child != NULL) {
        rbtree_set_parent(child, parent);
    }
}

/* Move @node down to one side; its child on the other takes its place. */
static void
rbtree_rotate(struct rbtree *tree, struct rbtree_node *node, int side)
{
    struct rbtree_node *up = node->child[!side];

    rbtree_replace(tree, node, up);
    rbtree_link(node, !side, up->child[side]);
    rbtree_link(up, side, node);
}

/* Repair a red @node under a red parent. */
static void
rbtree_fix_insert(struct rbtree *tree, struct rbtree_node *node)
{
    struct rbtree_node *parent, *grand, *uncle;
    int side;

    for (;;) {
        parent = rbtree_parent(node);
        if (!rbtree_is_red(parent)) {
            break;
        }

        grand = rbtree_parent(parent);
        side = grand->child[RBTREE_RIGHT] == parent;
        uncle = grand->child[!side];
        if (rbtree_is_red(uncle)) {
            rbtree_set_black(parent);
            rbtree_set_black(uncle);
            rbtree_set_red(grand);
            node = grand;
            continue;
        }

        if (parent->child[!side] == node) {
            rbtree_rotate(tree, parent, side);
            parent = node;
        }
        rbtree_set_black(parent);
        rbtree_set_red(grand);
        rbtree_rotate(tree, grand, !side);
        break;
    }
    rbtree_set_black(tree->root);
}

void
rbtree_insert(struct rbtree *tree, struct rbtree_node *node,
              rbtree_cmp_fn_t cmp)
{
    struct rbtree_node **link = &tree->root;
    struct rbtree_node *parent = NULL;
    bool is_first = true;

    assert(((uintptr_t)node & RBTREE_RED) == 0);

    while (*link != NULL) {
        parent = *link;
        if (cmp(node, parent) < 0) {
            link = &parent->child[RBTREE_LEFT];
        } else {
            link = &parent->child[RBTREE_RIGHT];
            is_first = false;
        }
    }

    node->parent_color = (uintptr_t)parent | RBTREE_RED;
    node->child[RBTREE_LEFT] = NULL;
    node->child[RBTREE_RIGHT] = NULL;
    *link = node;
    if (is_first) {
        tree->first = node;
    }
    rbtree_fix_insert(tree, node);
}

/*
 * The sibling of a node that lacks a black one, made black by a rotation if
 * it was red.
 */
static struct rbtree_node *
rbtree_black_sibling(struct rbtree *tree, struct rbtree_node *parent, int side)
{
    struct rbtree_node *sibling = parent->child[!side];

    if (rbtree_is_red(sibling)) {
        rbtree_set_black(sibling);
        rbtree_set_red(parent);
        rbtree_rotate(tree, parent, side);
        sibling = parent->child[!side];
    }
    return sibling;
}

/* Give the paths through one side of @parent the black node they lack. */
static void
rbtree_borrow(struct rbtree *tree, struct rbtree_node *parent,
              struct rbtree_node *sibling, int side)
{
    if (!rbtree_is_red(sibling->child[!side])) {
        rbtree_set_black(sibling->child[side]);
        rbtree_set_red(sibling);
        rbtree_rotate(tree, sibling, !side);
        sibling = parent->child[!side];
    }

    if (rbtree_is_red(parent)) {
        rbtree_set_red(sibling);
    } else {
        rbtree_set_black(sibling);
    }
    rbtree_set_black(parent);
    rbtree_set_black(sibling->child[!side]);
    rbtree_rotate(tree, parent, side);
}

/*
 * Repair paths that lack a black node: those through @node, which may be
 * missing, below @parent.
 */
static void
rbtree_fix_remove(struct rbtree *tree, struct rbtree_node *node,
                  struct rbtree_node *parent)
{
    struct rbtree_node *sibling;
    int side;

    while (parent != NULL && !rbtree_is_red(node)) {
        side = parent->child[RBTREE_LEFT] != node;
        sibling = rbtree_black_sibling(tree, parent, side);
        if (rbtree_is_red(sibling->child[RBTREE_LEFT]) ||
            rbtree_is_red(sibling->child[RBTREE_RIGHT])) {
            rbtree_borrow(tree, parent, sibling, side);
            return;
        }

        rbtree_set_red(sibling);
        node = parent;
        parent = rbtree_parent(node);
    }
    if (node != NULL) {
        rbtree_set_black(node);
    }
}

/* Let @next, the successor of @node and below it, take its place. */
static void
rbtree_remove_inner(struct rbtree *tree, struct rbtree_node *node,
                    struct rbtree_node *next)
{
    struct rbtree_node *child = next->child[RBTREE_RIGHT];
    struct rbtree_node *parent = rbtree_parent(next);
    bool lost_black = !rbtree_is_red(next);

    if (parent == node) {
        parent = next;
    } else {
        rbtree_link(parent, RBTREE_LEFT, child);
        rbtree_link(next, RBTREE_RIGHT, node->child[RBTREE_RIGHT]);
    }
    rbtree_link(next, RBTREE_LEFT, node->child[RBTREE_LEFT]);
    rbtree_replace(tree, node, next);
    next->parent_color = node->parent_color;

    if (lost_black) {
        rbtree_fix_remove(tree, child, parent);
    }
}

void
rbtree_remove(struct rbtree *tree, struct rbtree_node *node)
{
    struct rbtree_node *left = node->child[RBTREE_LEFT];
    struct rbtree_node *right = node->child[RBTREE_RIGHT];

    if (tree->first == node) {
        tree->first = rbtree_next(node);
    }

    if (left != NULL && right != NULL) {
        rbtree_remove_inner(tree, node, rbtree_extreme(right, RBTREE_LEFT));
        return;
    }

    rbtree_replace(tree, node, left != NULL ? left : right);
    if (!rbtree_is_red(node)) {
        rbtree_fix_remove(tree, left != NULL ? left : right,
                          rbtree_parent(node));
    }
}

struct rbtree_node *
rbtree_find_from(const struct rbtree *tree, const void *key,
                 rbtree_key_fn_t cmp)
{
    struct rbtree_node *node = tree->root, *found = NULL;

    while (node != NULL) {
        if (cmp(key, node) <= 0) {
            found = node;
            node = node->child[RBTREE_LEFT];
        } else {
            node = node->child[RBTREE_RIGHT];
        }
    }
    return found;
}

struct rbtree_node *
rbtree_find(const struct rbtree *tree, const void *key, rbtree_key_fn_t cmp)
{
    struct rbtree_node *node = rbtree_find_from(tree, key, cmp);

    return node != NULL && cmp(key, node) == 0 ? node : NULL;
}
