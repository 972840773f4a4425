/* SPDX-License-Identifier: MIT */
/*
 * Red-black trees, linked through a member of their elements.
 *
 * Sorted by a comparison that the caller passes; equal elements keep the order
 * of their insertion.  The first element is at hand without a search.  The
 * caller serialises all access.
 */
#ifndef LIB_RBTREE_H
#define LIB_RBTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

struct rbtree_node {
    uintptr_t parent_color;
    struct rbtree_node *child[2];
};

struct rbtree {
    struct rbtree_node *root;
    struct rbtree_node *first;
};

/* Negative, 0 or positive, as @a sorts before, with or behind @b. */
typedef int (*rbtree_cmp_fn_t)(const struct rbtree_node *a,
                               const struct rbtree_node *b);

/* The same for a key, which need not be an element. */
typedef int (*rbtree_key_fn_t)(const void *key, const struct rbtree_node *node);

#define RBTREE_INITIALIZER { .root = NULL, .first = NULL }

/* The element that holds @node as its @member. */
#define rbtree_entry(node, type, member) container_of(node, type, member)

#define rbtree_entry_or_null_(node, type, member)                              \
    ({                                                                         \
        struct rbtree_node *node_ = (node);                                    \
        node_ != NULL ? rbtree_entry(node_, type, member) : NULL;              \
    })

/* Visit each element in order; the body may not change the tree. */
#define rbtree_for_each_entry(tree, entry, member)                             \
    for ((entry) = rbtree_entry_or_null_(rbtree_first(tree),                   \
                                         __typeof__(*(entry)), member);        \
         (entry) != NULL;                                                      \
         (entry) = rbtree_entry_or_null_(rbtree_next(&(entry)->member),        \
                                         __typeof__(*(entry)), member))

/*
 * Make @tree empty, whatever it held.
 */
static inline void
rbtree_init(struct rbtree *tree)
{
    tree->root = NULL;
    tree->first = NULL;
}

/*
 * Whether @tree has no element.
 */
static inline bool
rbtree_is_empty(const struct rbtree *tree)
{
    return tree->root == NULL;
}

/*
 * The least element, in constant time.
 *
 * Returns: NULL when @tree is empty
 */
static inline struct rbtree_node *
rbtree_first(const struct rbtree *tree)
{
    return tree->first;
}

/*
 * The greatest element.
 *
 * Returns: NULL when @tree is empty
 */
struct rbtree_node *rbtree_last(const struct rbtree *tree);

/*
 * The element behind @node.
 *
 * Returns: NULL when @node is the last
 */
struct rbtree_node *rbtree_next(const struct rbtree_node *node);

/*
 * The element before @node.
 *
 * Returns: NULL when @node is the first
 */
struct rbtree_node *rbtree_prev(const struct rbtree_node *node);

/*
 * Insert @node, behind those equal to it.
 *
 * @node  in no tree
 * @cmp   the order of the tree, the same in every call
 */
void rbtree_insert(struct rbtree *tree, struct rbtree_node *node,
                   rbtree_cmp_fn_t cmp);

/*
 * Remove @node, which must be in @tree.
 */
void rbtree_remove(struct rbtree *tree, struct rbtree_node *node);

/*
 * Find the first element equal to @key.
 *
 * @cmp  must agree with the order of the tree
 *
 * Returns: NULL when there is none
 */
struct rbtree_node *rbtree_find(const struct rbtree *tree, const void *key,
                                rbtree_key_fn_t cmp);

/*
 * Find the first element that is not less than @key.
 *
 * @cmp  must agree with the order of the tree
 *
 * Returns: NULL when all are less
 */
struct rbtree_node *rbtree_find_from(const struct rbtree *tree, const void *key,
                                     rbtree_key_fn_t cmp);

#endif /* LIB_RBTREE_H */
