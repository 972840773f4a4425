/* SPDX-License-Identifier: MIT */
/*
 * Commands of the monitor, as any module announces them.
 */
#ifndef KERN_COMMAND_H
#define KERN_COMMAND_H

#include <lib/macros.h>

/* Most words of a command line, the command included. */
#define MONITOR_ARGS_MAX 32

/*
 * Does a command.
 *
 * @argc, @argv  its words, the name first; argv[argc] is NULL; may be changed
 *
 * Context: thread, interrupts enabled; prints with console_printf()
 */
typedef void (*monitor_fn_t)(int argc, char **argv);

struct monitor_command {
    const char *name;
    const char *arguments; /* "" or as in "CPU [COUNT]" */
    const char *help;      /* one line, without a point */
    monitor_fn_t fn;
};

/*
 * Announce static void fn(int argc, char **argv) as command @name_.
 */
#define MONITOR_COMMAND(name_, arguments_, help_, fn_)                         \
    static const struct monitor_command monitor_command_##name_ = {            \
        .name = #name_,                                                        \
        .arguments = (arguments_),                                             \
        .help = (help_),                                                       \
        .fn = (fn_),                                                           \
    };                                                                         \
    SECTION_ENTRY(monitor, monitor_command_##name_)

#endif /* KERN_COMMAND_H */
