/* SPDX-License-Identifier: MIT */
#include <kern/init.h>
#include <kern/slab.h>
#include <lib/string.h>
#include <ipc/charged.h>
#include <ipc/memory_object.h>
#include <vm/object.h>

static struct slab_cache memory_object_cache;

static void
memory_object_release(struct kobject *object)
{
    object_put(memory_of_object(object));
    kobject_free(object);
}

static void
memory_object_free(struct kobject *object)
{
    struct memory_object *memory =
        container_of(object, struct memory_object, object);

    charged_free(&memory_object_cache, memory, sizeof(*memory),
                 memory->container);
}

static const struct kobject_ops memory_object_ops = {
    .kind = KOBJECT_MEMORY,
    .release = memory_object_release,
    .free = memory_object_free,
};

status_t
memory_object_create(struct kobject **objectp, struct vm_object *memory,
                     uint32_t flags, struct container *container)
{
    struct memory_object *object =
        charged_alloc(&memory_object_cache, sizeof(*object), container);

    if (object == NULL) {
        return ERR_NO_MEMORY;
    }
    kobject_init(&object->object, &memory_object_ops, object_name(memory));
    object->memory = memory;
    object->flags = flags;
    object->container = container;
    *objectp = &object->object;
    return OK;
}

void
memory_object_describe(struct kobject *object,
                       struct portolan_memory_info *info)
{
    const struct memory_object *memory =
        container_of(object, struct memory_object, object);

    *info = (struct portolan_memory_info){
        .size = object_nr_pages(memory->memory) << PAGE_SHIFT,
        .resident = object_nr_resident(memory->memory) << PAGE_SHIFT,
        .flags = memory->flags,
    };
    strlcpy(info->name, object->name, sizeof(info->name));
}

static status_t
memory_object_setup(void)
{
    slab_cache_init(&memory_object_cache, "memory object",
                    sizeof(struct memory_object), 0, 0);
    return OK;
}

INIT_OP(memory_object_setup, INIT_BOOT_CPU, AFTER(slab_setup));
