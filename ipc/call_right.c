/* SPDX-License-Identifier: MIT */
/*
 * System calls: rights.
 */
#include <lib/string.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/connection.h>
#include <ipc/right.h>
#include <ipc/right_now_i.h>
#include <ipc/right_table.h>
#include <ipc/uthread.h>
#include <lib/macros.h>

static_assert((int)RIGHT_LOWEST == (int)PORTOLAN_POLICY_LOWEST &&
                  (int)RIGHT_ANY == (int)PORTOLAN_POLICY_ANY &&
                  (int)RIGHT_UNIQUE == (int)PORTOLAN_POLICY_UNIQUE,
              "programs know them");

static struct right_table *
call_table(uint32_t name)
{
    return task_table(task_self(), name);
}

static __noinline long
call_right_dup_slow(uint32_t source, uint32_t index, uint32_t flags)
{
    struct right *right;
    status_t status;
    uint32_t name;
    long result;

    if (unlikely(flags & ~RIGHT_FLAGS) || unlikely(call_is_no_index(index))) {
        return CALL_EINVAL;
    }
    index = call_index(index);
    if (likely(call_table(source) == call_table(index))) {
        status =
            right_table_dup(call_table(source), source, index, flags, &name);
        return status == OK ? (long)name : call_right_error(status);
    }
    if (right_table_get(call_table(source), source, &right) != OK) {
        return CALL_EBADF;
    }
    result = call_enter_right(right, index, flags);
    right_put(right);
    return result;
}

long
call_right_dup(uint32_t source, uint32_t index, uint32_t flags)
{
    uint32_t name;

    if (unlikely((index | flags) != 0) || unlikely(source >= RIGHT_BASE_SIDE)) {
        return call_right_dup_slow(source, index, flags);
    }
    name = right_table_dup_now(&task_self()->rights, source);
    return likely(name != RIGHT_NAME_NONE) ? (long)name
                                           : call_right_dup_slow(source, 0, 0);
}

/* What a number is that cannot be a name, or is reserved. */
static long
call_target_error(status_t status)
{
    return status == ERR_RANGE ? CALL_EBADF : call_right_error(status);
}

/* Enter a right under a name, in place of what is there. */
static long
call_set_right(struct task *task, uint32_t target, struct right *right,
               uint32_t flags)
{
    struct right *old;
    status_t status;

    status =
        right_table_set(task_table(task, target), target, right, flags, &old);
    if (status != OK) {
        return call_target_error(status);
    }
    if (old != NULL) {
        right_close(old);
    }
    return (long)target;
}

long
call_right_dup_to(uint32_t source, uint32_t target, uint32_t flags)
{
    struct right *right;
    status_t status;
    long result;

    if (flags & ~RIGHT_FLAGS) {
        return CALL_EINVAL;
    }
    if (likely(call_table(source) == call_table(target))) {
        status = right_table_dup_to(call_table(source), source, target, flags);
        return status == OK ? (long)target : call_target_error(status);
    }
    if (right_table_get(call_table(source), source, &right) != OK) {
        return CALL_EBADF;
    }
    result = call_set_right(task_self(), target, right, flags);
    right_put(right);
    return result;
}

static __noinline long
call_right_close_slow(uint32_t name)
{
    return right_table_close(call_table(name), name) == OK ? 0 : CALL_EBADF;
}

long
call_right_close(uint32_t name)
{
    if (likely(name < RIGHT_BASE_SIDE) &&
        likely(right_table_close_now(&task_self()->rights, name))) {
        return 0;
    }
    return call_right_close_slow(name);
}

long
call_right_query(uint32_t name, uintptr_t info)
{
    struct portolan_right_info told = { 0 };
    struct right_info found;

    /* All of it under one lock: not the flags of one and the name of another */
    if (right_table_next(call_table(name), name, &found) != OK ||
        found.name != name) {
        return CALL_EBADF;
    }
    told.kind = found.kind;
    told.flags = found.flags;
    told.label = found.label;
    told.object = found.serial;
    memcpy(told.name, found.object, sizeof(told.name));
    return call_copy_out(info, &told, sizeof(told));
}

long
call_right_set_flags(uint32_t name, uint32_t mask, uint32_t bits)
{
    uint32_t before;

    if (mask & ~RIGHT_FLAGS) {
        return CALL_EINVAL;
    }
    return right_table_set_flags(call_table(name), name, mask, bits, &before) ==
                   OK
               ? (long)before
               : CALL_EBADF;
}

long
call_right_policy(int32_t policy)
{
    struct right_table *table = &task_self()->rights;
    long before = (long)READ_ONCE(table->policy);

    if (policy < -1 || policy >= (int32_t)RIGHT_NR_POLICIES) {
        return CALL_EINVAL;
    }
    if (policy >= 0) {
        right_table_set_policy(table, (enum right_policy)policy);
        right_table_set_policy(&task_self()->side, (enum right_policy)policy);
    }
    return before;
}

long
call_give_right(struct task *task, struct right *right, uint32_t target,
                uint32_t flags)
{
    struct right *copy;
    status_t status;
    uint32_t name;
    long result;

    status = connection_right_for(right, task, &copy);
    if (status != OK) {
        return call_error(status);
    }
    if (target == CALL_SELF) {
        status = right_table_insert(&task->rights, copy, 0, flags, &name);
        result = status == OK ? (long)name : call_right_error(status);
    } else {
        result = call_set_right(task, target, copy, flags);
    }
    right_put(copy);
    return result;
}

long
call_right_copy(uint32_t task, uint32_t source, uint32_t target, uint32_t flags)
{
    struct right *right;
    struct task *to;
    long result;

    if (flags & ~RIGHT_FLAGS) {
        return CALL_EINVAL;
    }
    result = call_get_task(task, &to);
    if (result != 0) {
        return result;
    }
    result = CALL_EBADF;
    if (right_table_get(call_table(source), source, &right) == OK) {
        result = call_give_right(to, right, target, flags);
        right_put(right);
    }
    task_put(to);
    return result;
}

/* Close an entry, or mark it. */
static void
call_close_one(struct right_table *table, uint32_t name, uint32_t flags)
{
    status_t status;
    uint32_t before;

    status = flags & RIGHT_CLOEXEC
                 ? right_table_set_flags(table, name, RIGHT_CLOEXEC,
                                         RIGHT_CLOEXEC, &before)
                 : right_table_close(table, name);
    /* It may be gone by now. */
    (void)status;
}

/*
 * Do so with the entries of a table that have a name in a range.  They are
 * found by slot, whose order is that of names only if none has a generation.
 */
static void
call_close_in(struct right_table *table, uint32_t first, uint32_t last,
              uint32_t flags)
{
    uint32_t slot = 0, end = RIGHT_SLOTS_MAX;
    struct right_info info;

    if (last - table->base < RIGHT_SLOTS_MAX) {
        slot = first - table->base;
        end = last - table->base + 1;
    }
    while (slot < end && !thread_is_ending() &&
           right_table_next(table, table->base + slot, &info) == OK) {
        if (info.name >= first && info.name <= last) {
            call_close_one(table, info.name, flags);
        }
        slot = info.name % RIGHT_SLOTS_MAX + 1;
    }
}

long
call_right_close_range(uint32_t first, uint32_t last, uint32_t flags)
{
    struct task *self = task_self();

    if (first > last || (flags & ~RIGHT_FLAGS)) {
        return CALL_EINVAL;
    }
    if (first < RIGHT_BASE_SIDE) {
        call_close_in(&self->rights, first, MIN(last, RIGHT_BASE_SIDE - 1),
                      flags);
    }
    if (last >= RIGHT_BASE_SIDE) {
        call_close_in(&self->side, MAX(first, RIGHT_BASE_SIDE), last, flags);
    }
    return 0;
}
