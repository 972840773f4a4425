/* SPDX-License-Identifier: MIT */
#include <arch/user_copy.h>
#include <kern/container.h>
#include <kern/rcu.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <ipc/call_use.h>
#include <ipc/container_object.h>
#include <ipc/right_table.h>
#include <ipc/space_object.h>
#include <ipc/uthread.h>

static_assert(PORTOLAN_RIGHT_CLOEXEC == RIGHT_CLOEXEC, "programs know it");

/* Find an object of a kind in a table, and take a reference. */
static bool
call_find_object(const struct right_table *table, uint32_t name,
                 enum kobject_kind kind, struct kobject **objectp)
{
    bool is_found;

    rcu_read_lock();
    *objectp = right_table_find(table, name)->object;
    is_found = (*objectp)->kind == kind && kobject_try_get(*objectp);
    rcu_read_unlock();
    return is_found;
}

long
call_get_object(uint32_t name, enum kobject_kind kind, struct kobject **objectp)
{
    return call_find_object(task_table(task_self(), name), name, kind, objectp)
               ? 0
               : CALL_EBADF;
}

long
call_get_task(uint32_t name, struct task **taskp)
{
    struct kobject *object;
    long error;

    if (name == CALL_SELF) {
        *taskp = task_self();
        task_get(*taskp);
        return 0;
    }
    error = call_get_object(name, KOBJECT_TASK, &object);
    if (error == 0) {
        *taskp = task_of_object(object);
    }
    return error;
}

long
call_get_port(struct task *task, int32_t chid, struct port **portp)
{
    struct kobject *object;

    if (!call_find_object(&task->channels, (uint32_t)chid, KOBJECT_PORT,
                          &object)) {
        return CALL_ESRCH;
    }
    *portp = port_of_object(object);
    return 0;
}

long
call_get_space(uint32_t name, struct vm_space **spacep,
               struct kobject **objectp)
{
    long error;

    if (name == CALL_SELF) {
        *spacep = task_self()->space;
        *objectp = NULL;
        return 0;
    }
    error = call_get_object(name, KOBJECT_SPACE, objectp);
    if (error == 0) {
        *spacep = space_of_object(*objectp);
    }
    return error;
}

long
call_get_container(uint32_t name, struct container **containerp)
{
    struct kobject *object;
    long error;

    if (name == CALL_SELF) {
        *containerp = task_self()->container;
        container_get(*containerp);
        return 0;
    }
    error = call_get_object(name, KOBJECT_CONTAINER, &object);
    if (error == 0) {
        *containerp = container_of_object(object);
        container_get(*containerp);
        kobject_put(object);
    }
    return error;
}

long
call_enter_right(struct right *right, uint32_t index, uint32_t flags)
{
    struct right_table *table = task_table(task_self(), index);
    status_t status;
    uint32_t name;

    if ((flags & ~RIGHT_FLAGS) || call_is_no_index(index)) {
        return CALL_EINVAL;
    }
    index = call_index(index);
    status = right_table_insert(table, right, index, flags, &name);
    return status == OK ? (long)name : call_right_error(status);
}

long
call_enter_object(struct kobject *object, uint64_t label, uint32_t index,
                  uint32_t flags)
{
    struct right *right;
    status_t status;
    long name;

    status = right_create(&right, object, label, task_self()->container);
    if (status != OK) {
        return call_error(status);
    }
    name = call_enter_right(right, index, flags);
    right_put(right);
    return name;
}

long
call_copy_in(void *to, uintptr_t from, size_t size)
{
    return user_copy_in(to, from, size) == 0 ? 0 : CALL_EFAULT;
}

long
call_copy_out(uintptr_t to, const void *from, size_t size)
{
    return user_copy_out(to, from, size) == 0 ? 0 : CALL_EFAULT;
}

void
call_clean_name(char *name)
{
    for (; *name != '\0'; name++) {
        *name = *name < ' ' || *name > '~' ? '?' : *name;
    }
}

long
call_copy_name(char *to, uintptr_t from, size_t size)
{
    size = MIN(size, (size_t)PORTOLAN_NAME_SIZE - 1);
    if (user_copy_in(to, from, size) != 0) {
        return CALL_EFAULT;
    }
    to[size] = '\0';
    call_clean_name(to);
    return 0;
}
