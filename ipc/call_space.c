/* SPDX-License-Identifier: MIT */
/*
 * System calls of spaces.
 *
 * Errors are those of POSIX's mmap() and its like: EINVAL for what makes no
 * sense, ENOMEM for addresses where nothing can be, or nothing is, and for
 * limits, EACCES for more than a memory object allows, ENXIO for what is
 * behind its end.
 */
#include <kern/thread.h>
#include <lib/macros.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/memory_object.h>
#include <ipc/space_object.h>
#include <ipc/uthread.h>
#include <portolan/space.h>
#include <vm/copy.h>
#include <vm/object.h>
#include <vm/space.h>

/* Bytes that are copied before it is asked whether the thread is to end. */
#define SPACE_PART (UINT64_C(64) << 10)

#define SPACE_PROT                                                             \
    (PORTOLAN_SPACE_READ | PORTOLAN_SPACE_WRITE | PORTOLAN_SPACE_EXEC)
#define SPACE_MAP                                                              \
    (PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_NEW | PORTOLAN_SPACE_PRIVATE |      \
     PORTOLAN_SPACE_WIRED)
#define SPACE_INHERIT                                                          \
    (PORTOLAN_SPACE_INHERIT_NONE | PORTOLAN_SPACE_INHERIT_SHARE)

/* Flags of space_map() in <vm/space.h> have the same order. */
#define SPACE_MAP_SHIFT 4

static_assert(PORTOLAN_SPACE_READ == PMAP_READ &&
                  PORTOLAN_SPACE_WRITE == PMAP_WRITE &&
                  PORTOLAN_SPACE_EXEC == PMAP_EXEC,
              "protections are passed on");
static_assert(PORTOLAN_SPACE_FIXED == SPACE_MAP_FIXED << SPACE_MAP_SHIFT &&
                  PORTOLAN_SPACE_NEW == SPACE_MAP_NEW << SPACE_MAP_SHIFT &&
                  PORTOLAN_SPACE_PRIVATE == SPACE_MAP_PRIVATE
                                                << SPACE_MAP_SHIFT &&
                  PORTOLAN_SPACE_WIRED == SPACE_MAP_WIRED << SPACE_MAP_SHIFT,
              "flags are shifted");
static_assert(PORTOLAN_PAGE_SIZE == PAGE_SIZE, "programs know it");

long
call_task_space(uint32_t task, uint32_t index, uint32_t flags)
{
    struct kobject *object;
    struct task *found;
    status_t status;
    long result;

    result = call_get_task(task, &found);
    if (result != 0) {
        return result;
    }
    status = space_object_get(found, &object);
    task_put(found);
    if (status != OK) {
        return call_error(status);
    }
    result = call_enter_object(object, 0, index, flags);
    kobject_put(object);
    return result;
}

/* What is told of what could not be done with a range of addresses. */
static long
space_error(status_t status)
{
    switch (status) {
    case ERR_RANGE:
    case ERR_NOT_FOUND:
    case ERR_FAULT:
        return CALL_ENOMEM;
    default:
        return call_error(status);
    }
}

/*
 * Mapping
 */

static enum vm_inherit
space_inherit(uint32_t flags)
{
    if (flags & PORTOLAN_SPACE_INHERIT_NONE) {
        return VM_INHERIT_NONE;
    }
    return (flags & PORTOLAN_SPACE_INHERIT_SHARE) ? VM_INHERIT_SHARE
                                                  : VM_INHERIT_COPY;
}

/* Whether a memory object can be mapped as it is to be. */
static long
space_check_object(const struct space_mapping *mapping, uint64_t offset)
{
    status_t status;

    if (!IS_ALIGNED(mapping->size, PAGE_SIZE) || mapping->size == 0) {
        return CALL_EINVAL;
    }
    if (mapping->size > UINT64_MAX - offset) {
        return CALL_EOVERFLOW;
    }
    status = object_check_map(mapping->object, mapping->index,
                              mapping->size / PAGE_SIZE, mapping->prot,
                              (mapping->flags & SPACE_MAP_PRIVATE) != 0);
    return status == ERR_RANGE ? (long)CALL_ENXIO : space_error(status);
}

/* Returns: where, or an error */
static long
space_map_into(uint32_t name, const struct space_mapping *mapping)
{
    struct vm_space *space;
    struct kobject *object;
    uintptr_t va;
    status_t status;
    long error;

    error = call_get_space(name, &space, &object);
    if (error != 0) {
        return error;
    }
    status = space_map(space, mapping, &va);
    call_put_space(object);
    return status == OK ? (long)va : space_error(status);
}

static long
space_map_object(uint32_t name, struct space_mapping *mapping, uint32_t memory,
                 uint64_t offset)
{
    struct kobject *object;
    long result;

    result = call_get_object(memory, KOBJECT_MEMORY, &object);
    if (result != 0) {
        return result;
    }
    mapping->object = memory_of_object(object);
    mapping->index = offset / PAGE_SIZE;
    result = space_check_object(mapping, offset);
    if (result == 0) {
        result = space_map_into(name, mapping);
    }
    kobject_put(object);
    return result;
}

long
call_space_map(uint32_t space, uintptr_t address, size_t bytes, uint32_t flags,
               uint32_t memory, uint64_t offset)
{
    struct space_mapping mapping = {
        .va = address,
        .size = bytes,
        .prot = flags & SPACE_PROT,
        .flags = (flags & SPACE_MAP) >> SPACE_MAP_SHIFT,
        .inherit = space_inherit(flags),
    };

    if ((flags & ~(SPACE_PROT | SPACE_MAP | SPACE_INHERIT)) != 0 ||
        (flags & SPACE_INHERIT) == SPACE_INHERIT ||
        !IS_ALIGNED(offset, PAGE_SIZE)) {
        return CALL_EINVAL;
    }
    if (memory != CALL_SELF) {
        return space_map_object(space, &mapping, memory, offset);
    }
    return offset == 0 ? space_map_into(space, &mapping) : CALL_EINVAL;
}

/*
 * Changing what is mapped
 */

long
call_space_unmap(uint32_t space, uintptr_t address, size_t bytes)
{
    struct vm_space *found;
    struct kobject *object;
    status_t status;
    long error;

    error = call_get_space(space, &found, &object);
    if (error != 0) {
        return error;
    }
    status = space_unmap(found, address, bytes);
    call_put_space(object);
    return call_error(status);
}

long
call_space_protect(uint32_t space, uintptr_t address, size_t bytes,
                   uint32_t flags)
{
    struct vm_space *found;
    struct kobject *object;
    status_t status;
    long error;

    if ((flags & ~SPACE_PROT) != 0) {
        return CALL_EINVAL;
    }
    error = call_get_space(space, &found, &object);
    if (error != 0) {
        return error;
    }
    status = space_protect(found, address, bytes, flags);
    call_put_space(object);
    return space_error(status);
}

static status_t
space_advise(struct vm_space *space, uintptr_t va, size_t size, int32_t advice)
{
    switch (advice) {
    case PORTOLAN_ADVICE_NEED:
        return space_need(space, va, size);
    case PORTOLAN_ADVICE_DISCARD:
        return space_discard(space, va, size);
    case PORTOLAN_ADVICE_WIRE:
        return space_wire(space, va, size);
    case PORTOLAN_ADVICE_UNWIRE:
        return space_unwire(space, va, size);
    case PORTOLAN_ADVICE_INHERIT_NONE:
        return space_set_inherit(space, va, size, VM_INHERIT_NONE);
    case PORTOLAN_ADVICE_INHERIT_COPY:
        return space_set_inherit(space, va, size, VM_INHERIT_COPY);
    case PORTOLAN_ADVICE_INHERIT_SHARE:
        return space_set_inherit(space, va, size, VM_INHERIT_SHARE);
    default:
        return ERR_INVALID;
    }
}

long
call_space_advise(uint32_t space, uintptr_t address, size_t bytes,
                  int32_t advice)
{
    struct vm_space *found;
    struct kobject *object;
    status_t status;
    long error;

    error = call_get_space(space, &found, &object);
    if (error != 0) {
        return error;
    }
    status = space_advise(found, address, bytes, advice);
    call_put_space(object);
    return space_error(status);
}

long
call_space_clone(uint32_t space, uint32_t target)
{
    struct kobject *from_object, *to_object;
    struct vm_space *from, *to;
    status_t status;
    long error;

    error = call_get_space(space, &from, &from_object);
    if (error != 0) {
        return error;
    }
    error = call_get_space(target, &to, &to_object);
    if (error == 0) {
        status = space_clone_into(to, from);
        call_put_space(to_object);
        error = call_error(status);
    }
    call_put_space(from_object);
    return error;
}

/*
 * Looking
 */

static uint32_t
space_flags(struct vm_space *space, const struct space_info *info)
{
    uint32_t flags = info->prot;

    if (info->is_wired) {
        flags |= PORTOLAN_SPACE_WIRED;
    }
    if (info->inherit == VM_INHERIT_NONE) {
        flags |= PORTOLAN_SPACE_INHERIT_NONE;
    } else if (info->inherit == VM_INHERIT_SHARE) {
        flags |= PORTOLAN_SPACE_INHERIT_SHARE;
    }
    if (info->region != NULL && space_is_private(space, info->va)) {
        flags |= PORTOLAN_SPACE_PRIVATE;
    }
    return flags;
}

long
call_space_query(uint32_t space, uintptr_t address, uintptr_t info)
{
    struct portolan_space_info told = { 0 };
    struct space_info mapping;
    struct vm_space *found;
    struct kobject *object;
    bool is_found;
    long error;

    error = call_get_space(space, &found, &object);
    if (error != 0) {
        return error;
    }
    is_found = space_query(found, address, &mapping);
    if (is_found) {
        told.address = mapping.va;
        told.size = mapping.size;
        told.flags = space_flags(found, &mapping);
        told.is_object = mapping.region != NULL;
    }
    call_put_space(object);
    return is_found ? call_copy_out(info, &told, sizeof(told)) : CALL_ENOENT;
}

/* Copy in parts.  Returns: how much, or an error if that is nothing */
static long
space_copy_parts(struct space_copy *copy, size_t size)
{
    enum space_copy_end end = SPACE_COPY_DONE;
    size_t done = 0;

    while (done < size && end == SPACE_COPY_DONE && !thread_is_ending()) {
        size_t part = MIN(size - done, SPACE_PART);

        copy->size = part;
        end = space_copy(copy);
        done += part - copy->size;
    }
    if (done != 0 || size == 0) {
        return (long)done;
    }
    return end != SPACE_COPY_DONE ? CALL_EFAULT : CALL_EINTR;
}

long
call_space_read(uint32_t space, uintptr_t address, uintptr_t data, size_t bytes)
{
    struct space_copy copy = {
        .dst = { .space = task_self()->space, .va = data },
        .src = { .va = address },
    };
    struct kobject *object;
    long result;

    result = call_get_space(space, &copy.src.space, &object);
    if (result == 0) {
        result = space_copy_parts(&copy, bytes);
        call_put_space(object);
    }
    return result;
}

long
call_space_write(uint32_t space, uintptr_t address, uintptr_t data,
                 size_t bytes)
{
    struct space_copy copy = {
        .dst = { .va = address },
        .src = { .space = task_self()->space, .va = data },
    };
    struct kobject *object;
    long result;

    result = call_get_space(space, &copy.dst.space, &object);
    if (result == 0) {
        result = space_copy_parts(&copy, bytes);
        call_put_space(object);
    }
    return result;
}
