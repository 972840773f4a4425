/* SPDX-License-Identifier: MIT */
/*
 * Circular doubly linked lists, linked through a member of their elements.
 *
 * The head and the nodes are the same struct: an empty head points to itself,
 * a node on no list holds null pointers, so that a stale walk faults instead
 * of running on in another list.  The caller serialises all access.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include <lib/assert.h>
#include <lib/macros.h>

struct list {
    struct list *prev;
    struct list *next;
};

#define LIST_INITIALIZER(name) { .prev = &(name), .next = &(name) }

/* The element that holds @node as its @member. */
#define list_entry(node, type, member) container_of(node, type, member)

/* The first or last element; the list must not be empty. */
#define list_first_entry(list, type, member)                                   \
    list_entry(list_first(list), type, member)
#define list_last_entry(list, type, member)                                    \
    list_entry(list_last(list), type, member)

/* The node of an element; defined also for the element that is no element. */
#define list_entry_node_(entry, member)                                        \
    ((struct list *)((uintptr_t)(entry) +                                      \
                     offsetof(__typeof__(*(entry)), member)))

/*
 * Visit each element, first to last.  The body may not remove @entry: that is
 * what the _safe variant is for, which holds the next element in @tmp, and
 * that one must then stay on the list.
 */
#define list_for_each_entry(list, entry, member)                               \
    for ((entry) = list_entry((list)->next, __typeof__(*(entry)), member);     \
         list_entry_node_(entry, member) != (list);                            \
         (entry) = list_entry(list_entry_node_(entry, member)->next,           \
                              __typeof__(*(entry)), member))

#define list_for_each_entry_safe(list, entry, tmp, member)                     \
    for ((entry) = list_entry((list)->next, __typeof__(*(entry)), member),     \
        (tmp) = list_entry(list_entry_node_(entry, member)->next,              \
                           __typeof__(*(entry)), member);                      \
         list_entry_node_(entry, member) != (list); (entry) = (tmp),           \
        (tmp) = list_entry(list_entry_node_(entry, member)->next,              \
                           __typeof__(*(entry)), member))

/*
 * Make @list empty, whatever it held.
 */
static inline void
list_init(struct list *list)
{
    list->prev = list;
    list->next = list;
}

/*
 * Mark @node as on no list.
 */
static inline void
list_node_init(struct list *node)
{
    node->prev = NULL;
    node->next = NULL;
}

/*
 * Whether @node is on a list.
 *
 * @node  initialised by list_node_init(), or once on a list
 */
static inline bool
list_node_is_linked(const struct list *node)
{
    return node->next != NULL;
}

/*
 * Whether @list has no element.
 */
static inline bool
list_is_empty(const struct list *list)
{
    return list->next == list;
}

/*
 * The node at the head.
 *
 * Returns: the first node, or @list itself when it is empty
 */
static inline struct list *
list_first(const struct list *list)
{
    return list->next;
}

/*
 * The node at the tail.
 *
 * Returns: the last node, or @list itself when it is empty
 */
static inline struct list *
list_last(const struct list *list)
{
    return list->prev;
}

/*
 * Put @node between two neighbours.
 */
static inline void
list_insert_between(struct list *prev, struct list *next, struct list *node)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

/*
 * Make @node the first of @list.
 *
 * @node  on no list
 */
static inline void
list_insert_head(struct list *list, struct list *node)
{
    list_insert_between(list, list->next, node);
}

/*
 * Make @node the last of @list.
 *
 * @node  on no list
 */
static inline void
list_insert_tail(struct list *list, struct list *node)
{
    list_insert_between(list->prev, list, node);
}

/*
 * Insert @node just before @at.
 *
 * @at    on a list, or its head: then @node becomes the last
 * @node  on no list
 */
static inline void
list_insert_before(struct list *at, struct list *node)
{
    list_insert_between(at->prev, at, node);
}

/*
 * Insert @node just after @at.
 *
 * @at    on a list, or its head: then @node becomes the first
 * @node  on no list
 */
static inline void
list_insert_after(struct list *at, struct list *node)
{
    list_insert_between(at, at->next, node);
}

/*
 * Take @node off its list and mark it as on none.
 *
 * @node  on a list
 */
static inline void
list_remove(struct list *node)
{
    assert(list_node_is_linked(node));
    assert(node->prev->next == node && node->next->prev == node);

    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_node_init(node);
}

/*
 * Move all of @src behind the last of @dst, in order; @src becomes empty.
 */
static inline void
list_concat(struct list *dst, struct list *src)
{
    if (list_is_empty(src)) {
        return;
    }

    src->next->prev = dst->prev;
    dst->prev->next = src->next;
    src->prev->next = dst;
    dst->prev = src->prev;
    list_init(src);
}

#endif /* LIB_LIST_H */
