/* SPDX-License-Identifier: MIT */
/*
 * Starting programs, by native calls.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <portolan/calls.h>
#include <portolan/spawn.h>

#include "load.h"

/* What shells show for a process that did not exit by itself. */
#define SPAWN_KILLED 128

static uint64_t
spawn_round(uint64_t size)
{
    return (size + PORTOLAN_PAGE_SIZE - 1) &
           ~((uint64_t)PORTOLAN_PAGE_SIZE - 1);
}

/* Have the file where this program can read it, and load it. */
static long
spawn_load(struct load *load, const struct portolan_spawn *how)
{
    uint64_t size = spawn_round(how->size);
    long file, result;

    file = portolan_space_map(PORTOLAN_SELF, 0, size, PORTOLAN_SPACE_READ,
                              how->memory, 0);
    if (file < 0) {
        return file;
    }
    result = load_image(load, how, (const void *)file);
    portolan_space_unmap(PORTOLAN_SELF, (uintptr_t)file, size);
    return result < 0 ? result : load_stack(load, how);
}

static long
spawn_start(int task, const struct portolan_spawn *how)
{
    struct load load;
    struct portolan_thread_params start = { .policy = PORTOLAN_SCHED_SAME };
    long result;

    load.space = (int)portolan_task_space(task, 0, 0);
    if (load.space < 0) {
        return load.space;
    }
    result = spawn_load(&load, how);
    portolan_right_close(load.space);
    if (result < 0) {
        return result;
    }
    start.pc = load.entry;
    start.sp = load.sp;
    return portolan_task_start(task, &start);
}

int
portolan_spawn(const struct portolan_spawn *how)
{
    struct portolan_task_params params = {
        .container = how->container,
        .flags = PORTOLAN_RIGHT_CLOEXEC,
        .nr_rights = (uint32_t)how->nr_rights,
        .rights = (uintptr_t)how->rights,
    };
    long task, result;

    strncpy(params.name, how->name, sizeof(params.name) - 1);
    task = portolan_task_create(&params);
    if (task < 0) {
        return (int)task;
    }
    result = spawn_start((int)task, how);
    if (result < 0) {
        portolan_task_kill((int)task, SPAWN_KILLED);
        portolan_right_close((int)task);
        return (int)result;
    }
    return (int)task;
}

int
portolan_spawn_wait(int task)
{
    struct portolan_task_end end;
    long result = portolan_task_wait(task, &end, PORTOLAN_NEVER);

    portolan_right_close(task);
    if (result < 0) {
        return (int)result;
    }
    return end.cause == PORTOLAN_TASK_EXITED
               ? end.status & 0xff
               : SPAWN_KILLED | (end.status & 127);
}

int
portolan_module_find(int bootstrap, const char *name,
                     struct portolan_module_info *info)
{
    for (uint32_t i = 0;; i++) {
        long memory = portolan_memory_module(bootstrap, i, info);

        if (memory < 0) {
            return (int)memory;
        }
        if (strcmp(info->name, name) == 0) {
            return (int)memory;
        }
        portolan_right_close((int)memory);
    }
}
