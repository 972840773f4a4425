/* SPDX-License-Identifier: MIT */
#include <kern/init.h>
#include <kern/slab.h>
#include <ipc/charged.h>
#include <ipc/space_object.h>
#include <vm/space.h>

static struct slab_cache space_object_cache;

/* What was mapped after the task's end may take long to go. */
static void
space_object_release(struct kobject *object)
{
    space_put_later(space_of_object(object));
    kobject_free(object);
}

static void
space_object_free(struct kobject *object)
{
    struct space_object *space =
        container_of(object, struct space_object, object);

    charged_free(&space_object_cache, space, sizeof(*space), space->container);
}

static const struct kobject_ops space_object_ops = {
    .kind = KOBJECT_SPACE,
    .release = space_object_release,
    .free = space_object_free,
};

/* Make an object, which gets the caller's reference to the space. */
static status_t
space_object_create(struct kobject **objectp, struct vm_space *space,
                    struct container *container)
{
    struct space_object *object =
        charged_alloc(&space_object_cache, sizeof(*object), container);

    if (object == NULL) {
        return ERR_NO_MEMORY;
    }
    kobject_init(&object->object, &space_object_ops, space_name(space));
    object->space = space;
    object->container = container;
    *objectp = &object->object;
    return OK;
}

/*
 * Find the object that a task has, with a reference.
 *
 * @objectp  becomes the task's, with a reference, if it has none
 */
static status_t
space_object_enter(struct task *task, struct kobject **objectp)
{
    status_t status = OK;

    rtmutex_lock(&task->mutex);
    if (task->state != TASK_ALIVE) {
        status = ERR_CLOSED;
    } else if (task->space_object == NULL && *objectp != NULL) {
        task->space_object = *objectp;
        kobject_get(task->space_object);
    } else {
        *objectp = task->space_object;
        if (*objectp != NULL) {
            kobject_get(*objectp);
        }
    }
    rtmutex_unlock(&task->mutex);
    return status;
}

status_t
space_object_get(struct task *task, struct kobject **objectp)
{
    struct kobject *made = NULL;
    struct vm_space *space;
    status_t status;

    *objectp = NULL;
    status = space_object_enter(task, objectp);
    if (status != OK || *objectp != NULL) {
        return status;
    }
    status = task_take_space(task, &space);
    if (status != OK) {
        return status;
    }
    status = space_object_create(&made, space, task->container);
    if (status != OK) {
        space_put(space);
        return status;
    }
    *objectp = made;
    status = space_object_enter(task, objectp);
    if (status != OK || *objectp != made) {
        kobject_put(made);
    }
    return status;
}

static status_t
space_object_setup(void)
{
    slab_cache_init(&space_object_cache, "space object",
                    sizeof(struct space_object), 0, 0);
    return OK;
}

INIT_OP(space_object_setup, INIT_BOOT_CPU, AFTER(slab_setup));
