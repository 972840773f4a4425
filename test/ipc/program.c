/* SPDX-License-Identifier: MIT */
#include <arch/pmap.h>
#include <arch/user_copy.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/uthread.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <test/ipc/program.h>
#include <vm/space.h>

/* Map memory there. */
static void
program_map(struct vm_space *space, uintptr_t va, size_t size)
{
    struct space_mapping mapping = { .va = va,
                                     .size = size,
                                     .prot = PMAP_READ | PMAP_WRITE,
                                     .flags = SPACE_MAP_FIXED };

    verify(space_map(space, &mapping, &va) == OK);
}

void
program_load(struct task *task)
{
    size_t size = (size_t)(program_code_end - program_code_start);
    struct vm_space *own = thread_self()->space, *space;

    if (task_take_space(task, &space) != OK) {
        return;
    }
    program_map(space, PROGRAM_VA, size);
    program_map(space, PROGRAM_DATA, PROGRAM_DATA_SIZE);
    space_use(space);
    verify(user_copy_out(PROGRAM_VA, program_code_start, size) == 0);
    space_use(own);
    verify(space_protect(space, PROGRAM_VA, size, PMAP_READ | PMAP_EXEC) == OK);
    space_put(space);
}

uint64_t
program_data(struct task *task, uintptr_t va)
{
    struct vm_space *own = thread_self()->space, *space;
    uint64_t value;

    if (task_take_space(task, &space) != OK) {
        return UINT64_MAX;
    }
    space_use(space);
    value = call_fixture_read(va);
    space_use(own);
    space_put(space);
    return value;
}

struct portolan_thread_params
program_params(const char *code, uintptr_t a, uintptr_t b, uintptr_t c)
{
    return (struct portolan_thread_params){
        .pc = PROGRAM_VA + (uintptr_t)(code - program_code_start),
        .sp = PROGRAM_DATA + PROGRAM_DATA_SIZE,
        .args = { a, b, c },
        .policy = PORTOLAN_SCHED_SAME,
    };
}

long
program_create(uintptr_t at, const struct portolan_thread_params *params)
{
    verify(user_copy_out(at, params, sizeof(*params)) == 0);
    return call_thread_create(at);
}

uint32_t
program_task(uintptr_t at)
{
    struct portolan_task_params params = { .name = "program",
                                           .container = PORTOLAN_SELF };
    struct task *task;
    long right;

    verify(user_copy_out(at, &params, sizeof(params)) == 0);
    right = call_task_create(at);
    verify(right >= 0);
    verify(call_get_task((uint32_t)right, &task) == 0);
    program_load(task);
    task_put(task);
    return (uint32_t)right;
}

long
program_start(uint32_t task, uintptr_t at,
              const struct portolan_thread_params *params)
{
    verify(user_copy_out(at, params, sizeof(*params)) == 0);
    return call_task_start(task, at);
}
