/* SPDX-License-Identifier: MIT */
#include <kern/spinlock.h>
#include <vm/space_i.h>
#include <vm/space_list.h>

static struct spinlock space_list_lock =
    SPINLOCK_INITIALIZER(LOCK_SPACE_LIST, "list of all spaces");
static struct list space_list = LIST_INITIALIZER(space_list);

void
space_list_add(struct vm_space *space)
{
    spinlock_lock(&space_list_lock);
    list_insert_tail(&space_list, &space->all_node);
    spinlock_unlock(&space_list_lock);
}

void
space_list_remove(struct vm_space *space)
{
    spinlock_lock(&space_list_lock);
    list_remove(&space->all_node);
    spinlock_unlock(&space_list_lock);
}

/* Take a reference unless the space is being destroyed. */
static bool
space_list_try_get(struct vm_space *space)
{
    uint32_t nr = atomic_load_explicit(&space->nr_refs, memory_order_relaxed);

    while (nr != 0) {
        if (atomic_compare_exchange_weak_explicit(&space->nr_refs, &nr, nr + 1,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

struct vm_space *
space_list_next(struct vm_space *space)
{
    struct vm_space *old = space;
    struct list *node;

    spinlock_lock(&space_list_lock);
    node = space != NULL ? &space->all_node : &space_list;
    do {
        node = node->next;
        space = node != &space_list
                    ? list_entry(node, struct vm_space, all_node)
                    : NULL;
    } while (space != NULL && !space_list_try_get(space));
    spinlock_unlock(&space_list_lock);
    if (old != NULL) {
        space_put_later(old);
    }
    return space;
}
