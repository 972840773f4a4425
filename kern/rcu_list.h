/* SPDX-License-Identifier: MIT */
/*
 * Lists that are read under RCU: struct list, with other functions.
 *
 * Writers exclude each other by a lock of theirs; readers follow the next
 * pointers only, inside a section, and may meet an element that was just
 * removed: its next pointer still leads on.  So an element is freed, changed
 * in what readers look at, or inserted again only after a grace period.
 *
 * May run concurrently:   insert  remove  replace  read
 *              insert       -       -       -      yes
 *              remove       -       -       -      yes
 *              replace      -       -       -      yes
 *              read        yes     yes     yes     yes
 */
#ifndef KERN_RCU_LIST_H
#define KERN_RCU_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include <kern/rcu.h>
#include <lib/list.h>

/* Publish @node, which is filled, between two neighbours. */
static inline void
rcu_list_insert_between(struct list *prev, struct list *next, struct list *node)
{
    node->prev = prev;
    node->next = next;
    /* Pairs with rcu_dereference() in rcu_list_next(). */
    rcu_assign(prev->next, node);
    next->prev = node;
}

/* Make @node the first of @list. */
static inline void
rcu_list_insert_head(struct list *list, struct list *node)
{
    rcu_list_insert_between(list, list->next, node);
}

/* Make @node the last of @list. */
static inline void
rcu_list_insert_tail(struct list *list, struct list *node)
{
    rcu_list_insert_between(list->prev, list, node);
}

/*
 * Take @node off its list; readers may still be at it and go on from there.
 */
static inline void
rcu_list_remove(struct list *node)
{
    assert(node->prev->next == node && node->next->prev == node);
    node->next->prev = node->prev;
    rcu_assign(node->prev->next, node->next);
    node->prev = NULL;
}

/*
 * Put @node, which is on no list, in the place of @old: a reader sees one of
 * the two.
 */
static inline void
rcu_list_replace(struct list *old, struct list *node)
{
    assert(old->prev->next == old && old->next->prev == old);
    node->prev = old->prev;
    node->next = old->next;
    node->next->prev = node;
    /* Pairs with rcu_dereference() in rcu_list_next(). */
    rcu_assign(node->prev->next, node);
    old->prev = NULL;
}

/* The node behind @node, which may be the list itself. */
static inline struct list *
rcu_list_next(const struct list *node)
{
    return rcu_dereference(node->next);
}

/* Whether the list was empty a moment ago. */
static inline bool
rcu_list_is_empty(const struct list *list)
{
    return rcu_list_next(list) == list;
}

/* Visit each element, inside a section; the body may remove @entry. */
#define rcu_list_for_each_entry(list, entry, member)                           \
    for ((entry) =                                                             \
             list_entry(rcu_list_next(list), __typeof__(*(entry)), member);    \
         list_entry_node_(entry, member) != (list);                            \
         (entry) = list_entry(rcu_list_next(list_entry_node_(entry, member)),  \
                              __typeof__(*(entry)), member))

#endif /* KERN_RCU_LIST_H */
