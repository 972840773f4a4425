/* SPDX-License-Identifier: MIT */
#include <kern/spinlock.h>
#include <vm/space_list.h>
#include <vm/space_types.h>

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

void
space_list_visit(void (*fn)(struct vm_space *space, void *arg), void *arg)
{
    struct vm_space *space;

    spinlock_lock(&space_list_lock);
    list_for_each_entry(&space_list, space, all_node) {
        fn(space, arg);
    }
    spinlock_unlock(&space_list_lock);
}
