/* SPDX-License-Identifier: MIT */
/*
 * System calls of memory objects.
 */
#include <lib/fmt.h>
#include <lib/macros.h>
#include <ipc/bootstrap.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/memory_object.h>
#include <ipc/module.h>
#include <ipc/uthread.h>
#include <portolan/space.h>
#include <vm/object.h>

static_assert(PORTOLAN_NAME_SIZE == OBJECT_NAME_SIZE, "names are not cut");

/*
 * Make a right to an object, charged to the caller.
 *
 * @memory  the reference of the caller of this is given up
 */
static long
memory_enter(struct vm_object *memory, uint32_t flags)
{
    struct kobject *object;
    status_t status;
    long name;

    status =
        memory_object_create(&object, memory, flags, task_self()->container);
    if (status != OK) {
        object_put(memory);
        return call_error(status);
    }
    name = call_enter_object(object, 0, 0, 0);
    kobject_put(object);
    return name;
}

long
call_memory_create(size_t bytes, uint32_t flags, uintptr_t name, size_t nbytes)
{
    char text[PORTOLAN_NAME_SIZE] = "memory";
    struct vm_object *memory;
    status_t status;
    long error;

    if (bytes == 0 || !IS_ALIGNED(bytes, PAGE_SIZE) || flags != 0) {
        return CALL_EINVAL;
    }
    error = name != 0 ? call_copy_name(text, name, nbytes) : 0;
    if (error != 0) {
        return error;
    }
    status = object_create_anon(&memory, task_self()->container, text,
                                bytes / PAGE_SIZE);
    return status == OK ? memory_enter(memory, 0) : call_error(status);
}

/* Whether the caller has the right to the machine. */
static long
memory_check_bootstrap(uint32_t name)
{
    struct kobject *object;
    long error;

    error = call_get_object(name, KOBJECT_BOOTSTRAP, &object);
    if (error == 0) {
        kobject_put(object);
    }
    return error;
}

/* What the processor may do with physical memory of these flags. */
static enum pmap_cache
memory_cache(uint32_t flags)
{
    if (flags & PORTOLAN_MEMORY_UNCACHED) {
        return PMAP_UC;
    }
    return (flags & PORTOLAN_MEMORY_WRITE_COMBINE) ? PMAP_WC : PMAP_WB;
}

long
call_memory_physical(uint32_t bootstrap, uint64_t address, size_t bytes,
                     uint32_t flags)
{
    const uint32_t cache = PORTOLAN_MEMORY_UNCACHED |
                           PORTOLAN_MEMORY_WRITE_COMBINE;
    struct object_range range = { .phys = address,
                                  .size = bytes,
                                  .cache = memory_cache(flags) };
    char text[PORTOLAN_NAME_SIZE];
    struct vm_object *memory;
    status_t status;
    long error;

    error = memory_check_bootstrap(bootstrap);
    if (error != 0) {
        return error;
    }
    if ((flags & ~(cache | PORTOLAN_MEMORY_READ_ONLY)) != 0 ||
        (flags & cache) == cache) {
        return CALL_EINVAL;
    }
    fmt_snprintf(text, sizeof(text), "physical %#lx", address);
    status = object_create_phys(&memory, task_self()->container, text, &range);
    if (status != OK) {
        return call_error(status);
    }
    if (flags & PORTOLAN_MEMORY_READ_ONLY) {
        object_restrict(memory, PMAP_READ);
    }
    return memory_enter(memory, flags);
}

long
call_memory_module(uint32_t bootstrap, uint32_t number, uintptr_t info)
{
    const struct boot_module *module;
    struct portolan_module_info told;
    struct kobject *object;
    long error;

    error = memory_check_bootstrap(bootstrap);
    if (error != 0) {
        return error;
    }
    module = module_get(number);
    if (module == NULL) {
        return CALL_ENOENT;
    }
    object = bootstrap_module(number);
    if (object == NULL) {
        return CALL_EIO;
    }
    bootstrap_describe(module, &told);
    error = call_copy_out(info, &told, sizeof(told));
    return error == 0 ? call_enter_object(object, 0, 0, 0) : error;
}

long
call_memory_info(uint32_t memory, uintptr_t info)
{
    struct portolan_memory_info told;
    struct kobject *object;
    long error;

    error = call_get_object(memory, KOBJECT_MEMORY, &object);
    if (error != 0) {
        return error;
    }
    memory_object_describe(object, &told);
    kobject_put(object);
    return call_copy_out(info, &told, sizeof(told));
}
