/* SPDX-License-Identifier: MIT */
/*
 * System calls of resource containers.
 */
#include <kern/container.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/container_object.h>
#include <ipc/uthread.h>
#include <portolan/container.h>

static_assert((int)CONTAINER_PAGES == (int)PORTOLAN_RESOURCE_PAGES &&
                  (int)CONTAINER_TABLES == (int)PORTOLAN_RESOURCE_TABLES &&
                  (int)CONTAINER_OBJECTS == (int)PORTOLAN_RESOURCE_OBJECTS &&
                  (int)CONTAINER_RIGHTS == (int)PORTOLAN_RESOURCE_RIGHTS &&
                  (int)CONTAINER_THREADS == (int)PORTOLAN_RESOURCE_THREADS &&
                  (int)CONTAINER_NR_KINDS == (int)PORTOLAN_NR_RESOURCES,
              "programs know them");
static_assert(CONTAINER_UNLIMITED == PORTOLAN_UNLIMITED, "programs know it");
static_assert(CONTAINER_NR_KINDS <= PORTOLAN_RESOURCES_MAX, "room for all");

long
call_container_create(uint32_t parent, uintptr_t name, size_t bytes)
{
    char text[PORTOLAN_NAME_SIZE];
    struct container *container;
    struct kobject *object;
    status_t status;
    long result;

    result = call_get_container(parent, &container);
    if (result != 0) {
        return result;
    }
    result = call_copy_name(text, name, bytes);
    if (result == 0) {
        status = container_object_create(&object, container, text);
        result = call_error(status);
    }
    container_put(container);
    if (result != 0) {
        return result;
    }
    result = call_enter_object(object, 0, 0, 0);
    kobject_put(object);
    return result;
}

long
call_container_limit(uint32_t container, uint32_t kind, uint64_t limit)
{
    struct container *found;
    long error;

    error = call_get_container(container, &found);
    if (error != 0) {
        return error;
    }
    if (kind >= CONTAINER_NR_KINDS) {
        error = CALL_EINVAL;
    } else if (container_is_within(task_self()->container, found)) {
        error = CALL_EPERM;
    } else {
        container_set_limit(found, (enum container_kind)kind, limit);
    }
    container_put(found);
    return error;
}

long
call_container_query(uint32_t container, uintptr_t info)
{
    struct portolan_container_info told = { 0 };
    struct container *found;
    long error;

    error = call_get_container(container, &found);
    if (error != 0) {
        return error;
    }
    strlcpy(told.name, container_name(found), sizeof(told.name));
    for (uint32_t i = 0; i < CONTAINER_NR_KINDS; i++) {
        told.used[i] = container_used(found, (enum container_kind)i);
        told.limits[i] = container_limit(found, (enum container_kind)i);
    }
    container_put(found);
    return call_copy_out(info, &told, sizeof(told));
}
