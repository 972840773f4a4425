/* SPDX-License-Identifier: MIT */
/*
 * Rights of one table, used by all CPUs.
 */
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <kern/page.h>
#include <kern/rcu.h>
#include <lib/assert.h>
#include <ipc/kobject.h>
#include <ipc/right.h>
#include <ipc/right_table.h>
#include <test/sharing/share.h>

static struct right_table *share_table;
static struct kobject share_object;
static struct right *share_right;

static void
share_object_release(struct kobject *object)
{
    kobject_free(object);
}

static void
share_object_free(struct kobject *object __unused)
{
}

static const struct kobject_ops share_object_ops = {
    .kind = KOBJECT_TEST,
    .release = share_object_release,
    .free = share_object_free,
};

/* CPU 0 makes a table with a right for each CPU, named by its index. */
static void
share_table_setup(struct share *s, enum right_policy policy)
{
    struct right *old;

    if (s->index == 0) {
        share_table = kmalloc(PAGE_SIZE);
        verify(share_table != NULL);
        right_table_init(share_table, container_root, 0, policy);
        kobject_init(&share_object, &share_object_ops, "share");
        verify(right_create(&share_right, &share_object, 0, container_root) ==
               OK);
        for (uint32_t i = 0; i < s->nr_cpus; i++) {
            verify(right_table_set(share_table, i, share_right, 0, &old) == OK);
        }
    }
    share_meet(s);
}

static void
share_table_destroy(struct share *s)
{
    share_meet(s);
    if (s->index == 0) {
        right_table_close_all(share_table);
        right_table_destroy(share_table);
        rcu_synchronize();
        kfree(share_table);
        right_put(share_right);
        kobject_put(&share_object);
        verify(kobject_sync(CLOCK_NEVER) == OK);
        verify(kobject_sync(CLOCK_NEVER) == OK);
    }
    share_meet(s);
}

static void
share_lookup(struct share *s, uint32_t name)
{
    share_table_setup(s, RIGHT_LOWEST);
    SHARE_LOOP(s)
    {
        rcu_read_lock();
        verify(right_table_find(share_table, name)->object == &share_object);
        rcu_read_unlock();
    }
    share_table_destroy(s);
}

SHARE(rights, lookup)
{
    share_lookup(s, s->index);
}

SHARE(rights, lookup_same)
{
    share_lookup(s, 0);
}

/* All duplicate the same right, which so belongs to a chunk of one of them. */
SHARE(rights, dup_close_any)
{
    uint32_t name;

    share_table_setup(s, RIGHT_ANY);
    SHARE_LOOP(s)
    {
        verify(right_table_dup(share_table, 0, 0, 0, &name) == OK);
        verify(right_table_close(share_table, name) == OK);
    }
    share_table_destroy(s);
}

/* Each has some open all the time, and what it closes was not its last. */
SHARE(rights, dup_close_any_40)
{
    uint32_t names[40] = { 0 }, i = 0;

    share_table_setup(s, RIGHT_ANY);
    for (uint32_t k = 0; k < ARRAY_SIZE(names); k++) {
        verify(right_table_dup(share_table, s->index, 0, 0, &names[k]) == OK);
    }
    SHARE_LOOP(s)
    {
        i = (i + 7) % ARRAY_SIZE(names);
        verify(right_table_close(share_table, names[i]) == OK);
        verify(right_table_dup(share_table, s->index, 0, 0, &names[i]) == OK);
    }
    share_table_destroy(s);
}
