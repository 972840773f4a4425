/* SPDX-License-Identifier: MIT */
#include <kern/container.h>
#include <kern/init.h>
#include <kern/slab.h>
#include <ipc/charged.h>
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

    charged_free(&container_object_cache, container, sizeof(*container),
                 container->parent);
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
    struct container_object *object =
        charged_alloc(&container_object_cache, sizeof(*object), parent);
    status_t status;

    if (object == NULL) {
        return ERR_NO_MEMORY;
    }
    status = container_create(&object->container, parent, name);
    if (status != OK) {
        charged_free(&container_object_cache, object, sizeof(*object), parent);
        return status;
    }
    kobject_init(&object->object, &container_object_ops, name);
    container_set_tag(object->container, object->object.serial);
    object->parent = parent;
    *objectp = &object->object;
    return OK;
}

static status_t
container_object_setup(void)
{
    slab_cache_init(&container_object_cache, "container object",
                    sizeof(struct container_object), 0, 0);
    return OK;
}

INIT_OP(container_object_setup, INIT_BOOT_CPU, AFTER(slab_setup));
