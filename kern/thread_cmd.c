/* SPDX-License-Identifier: MIT */
/*
 * Monitor commands: threads, who waits for whom, where they are.
 */
#include <stddef.h>

#include <kern/backtrace.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/thread.h>
#include <kern/turnstile.h>
#include <lib/string.h>

static const char *const thread_cmd_states[] = {
    [THREAD_RUNNING] = "running", [THREAD_READY] = "ready",
    [THREAD_PARKED] = "parked",   [THREAD_SUSPENDED] = "suspended",
    [THREAD_DEAD] = "dead",
};

static const char *const thread_cmd_policies[] = {
    [THREAD_FAIR] = "fair",
    [THREAD_FIFO] = "fifo",
    [THREAD_RR] = "rr",
    [THREAD_IDLE] = "idle",
};

static void
thread_cmd_print(const struct thread_info *info)
{
    struct thread *owner;

    console_printf("%-24s %-9s %-4s %4d %4d %7u %3u%s %10lu %9lu", info->name,
                   thread_cmd_states[info->state],
                   thread_cmd_policies[info->policy], info->priority,
                   info->base_priority, info->weight, info->cpu,
                   info->pinned ? "!" : " ", info->run_time / 1000,
                   info->nr_switches);
    owner = turnstile_owner_of(info->thread);
    if (owner != NULL) {
        console_printf("  waits for %s", owner->name);
    }
    console_printf("\n");
}

static void
thread_cmd_threads(int argc __unused, char **argv __unused)
{
    struct thread_info info;
    size_t i;

    console_printf("%-24s %-9s %-4s %4s %4s %7s %4s %10s %9s\n", "name",
                   "state", "", "prio", "base", "weight", "cpu", "us",
                   "switches");
    for (i = 0; thread_info_get(i, &info); i++) {
        thread_cmd_print(&info);
    }
}

MONITOR_COMMAND(threads, "", "all threads; ! is pinned", thread_cmd_threads);

/* A chain of waits, to its end or, in a cycle, not far beyond. */
#define THREAD_CMD_CHAIN_MAX 32

static void
thread_cmd_print_chain(struct thread *thread)
{
    unsigned n;

    console_printf("%s (%d)", thread->name, thread_priority(thread));
    for (n = 0; n < THREAD_CMD_CHAIN_MAX; n++) {
        thread = turnstile_owner_of(thread);
        if (thread == NULL) {
            console_printf("\n");
            return;
        }
        console_printf(" -> %s (%d)", thread->name, thread_priority(thread));
    }
    console_printf(" -> ...\n");
}

static void
thread_cmd_blocked(int argc __unused, char **argv __unused)
{
    struct thread_info info;
    size_t i;

    for (i = 0; thread_info_get(i, &info); i++) {
        if (turnstile_owner_of(info.thread) != NULL) {
            thread_cmd_print_chain(info.thread);
        }
    }
}

MONITOR_COMMAND(blocked, "", "who waits for whom, with priorities",
                thread_cmd_blocked);

static void
thread_cmd_print_place(const struct thread_info *info)
{
    struct backtrace trace;
    uintptr_t frame;

    frame = thread_frame(info->thread);
    if (frame == 0) {
        console_printf("%s runs on cpu %u: bt %u\n", info->name, info->cpu,
                       info->cpu);
        return;
    }
    console_printf("%s:\n", info->name);
    backtrace_take(&trace, 0, frame);
    backtrace_print(&trace, info->cpu);
}

static void
thread_cmd_where(int argc, char **argv)
{
    struct thread_info info;
    size_t i;

    if (argc < 2) {
        console_printf("where THREAD\n");
        return;
    }
    for (i = 0; thread_info_get(i, &info); i++) {
        if (strcmp(info.name, argv[1]) == 0) {
            thread_cmd_print_place(&info);
        }
    }
}

MONITOR_COMMAND(where, "THREAD", "backtrace of threads that do not run",
                thread_cmd_where);
