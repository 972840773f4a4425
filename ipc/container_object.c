/* SPDX-License-Identifier: MIT */
#include <kern/container.h>
#include <kern/init.h>
#include <kern/slab.h>
#include <ipc/container_object.h>

static struct slab_cache container_object_cache;

static void
container_object_release(struct kobject *object)
{
    container_put(container_of_object(object));
    kobject_free(object);
}

static void
container_object_free(struct kobject *object)
{
    struct container_object *container =
        container_of(object, struct container_object, object);
    struct container *parent = container->parent;

    slab_free(&container_object_cache, container);
    container_refund(parent, CONTAINER_OBJECTS, sizeof(*container));
    container_put(parent);
}

static const struct kobject_ops container_object_ops = {
    .kind = KOBJECT_CONTAINER,
    .release = container_object_release,
    .free = container_object_free,
};

status_t
container_object_create(struct kobject **objectp, struct container *parent,
                        const char *name)
{
    struct container_object *object;
    status_t status;

    status = container_charge(parent, CONTAINER_OBJECTS, sizeof(*object));
    if (status != OK) {
        return status;
    }
    object = slab_alloc(&container_object_cache);
    if (object == NULL) {
        status = ERR_NO_MEMORY;
        goto fail_alloc;
    }
    status = container_create(&object->container, parent, name);
    if (status != OK) {
        goto fail_create;
    }
    kobject_init(&object->object, &container_object_ops, name);
    container_set_tag(object->container, object->object.serial);
    container_get(parent);
    object->parent = parent;
    *objectp = &object->object;
    return OK;

fail_create:
    slab_free(&container_object_cache, object);
fail_alloc:
    container_refund(parent, CONTAINER_OBJECTS, sizeof(*object));
    return status;
}

static status_t
container_object_setup(void)
{
    slab_cache_init(&container_object_cache, "container object",
                    sizeof(struct container_object), 0, 0);
    return OK;
}

INIT_OP(container_object_setup, INIT_BOOT_CPU, AFTER(slab_setup));
