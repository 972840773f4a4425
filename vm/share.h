/* SPDX-License-Identifier: MIT */
/*
 * Pages that slots of several spaces have in common until one writes.
 *
 * A page counts the slots; one atomic count in its own struct page, since
 * only relatives that were cloned share it, and it has to be exact: the last
 * one keeps the page instead of copying it.  The container that paid for
 * the page pays until the last slot is gone.
 */
#ifndef VM_SHARE_H
#define VM_SHARE_H

#include <stdbool.h>

struct container;
struct page;

/* Begin to count the slots of a private page: one. */
void share_init(struct page *page, struct container *container);

/* One more.  Context: the lock of a slot that has it */
void share_get(struct page *page);

/* One less; the last one frees the page.  Context: thread, preemptible */
void share_put(struct page *page);

/*
 * Make the page private again if there is no other slot and @container pays.
 *
 * Context: the lock of a slot that has it
 * Returns: whether it is
 */
bool share_try_take(struct page *page, struct container *container);

#endif /* VM_SHARE_H */
