/* SPDX-License-Identifier: MIT */
/*
 * Rights.  The memory of one is kept for a grace period after its death, that
 * of its object for one that begins later; so who has found the right under
 * RCU has both.
 */
#include <kern/container.h>
#include <kern/init.h>
#include <kern/rcu.h>
#include <kern/slab.h>
#include <kern/sref.h>
#include <ipc/kobject.h>
#include <ipc/right.h>

static struct slab_cache right_cache;

/* Its weak reference is null from the beginning. */
struct right right_none = {
    .object = &kobject_none,
};

static void
right_noref(struct sref *sref)
{
    struct right *right = container_of(sref, struct right, ref.sref);

    kobject_put(right->object);
    container_refund(right->container, CONTAINER_OBJECTS, sizeof(*right));
    container_put(right->container);
    rcu_free(right, head);
}

static const struct sref_class right_class = {
    .name = "right",
    .noref = right_noref,
    .is_weakable = true,
};

status_t
right_create(struct right **rightp, struct kobject *object, uint64_t label,
             struct container *container)
{
    struct right *right;
    status_t status;

    status = container_charge(container, CONTAINER_OBJECTS, sizeof(*right));
    if (status != OK) {
        return status;
    }
    right = slab_alloc(&right_cache);
    if (right == NULL) {
        container_refund(container, CONTAINER_OBJECTS, sizeof(*right));
        return ERR_NO_MEMORY;
    }

    kobject_get(object);
    container_get(container);
    right->object = object;
    right->label = label;
    right->container = container;
    sref_weak_init(&right->weak);
    sref_weakable_init(&right->ref, &right_class, &right->weak);
    *rightp = right;
    return OK;
}

static status_t
right_setup(void)
{
    slab_cache_init(&right_cache, "right", sizeof(struct right), 0, 0);
    return OK;
}

INIT_OP(right_setup, INIT_BOOT_CPU, AFTER(slab_setup));
