/* SPDX-License-Identifier: MIT */
/*
 * Readers on all CPUs of what all of them read.
 */
#include <kern/rcu.h>
#include <lib/assert.h>
#include <test/sharing/share.h>

struct rcu_share_object {
    uint64_t value;
};

static struct rcu_share_object rcu_share_object = { .value = 1 };
static struct rcu_share_object *rcu_share_pointer = &rcu_share_object;

SHARE(rcu, read)
{
    const struct rcu_share_object *object;

    SHARE_LOOP(s)
    {
        rcu_read_lock();
        object = rcu_dereference(rcu_share_pointer);
        verify(READ_ONCE(object->value) == 1);
        rcu_read_unlock();
    }
}
