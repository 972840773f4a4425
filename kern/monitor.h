/* SPDX-License-Identifier: MIT */
/*
 * The monitor: a shell inside the kernel, on all consoles at once.
 *
 * A module adds a command with one line, wherever it is; the monitor knows
 * none but help, history and those of the log.
 */
#ifndef KERN_MONITOR_H
#define KERN_MONITOR_H

#include <kern/command.h>
#include <lib/macros.h>
#include <lib/status.h>

/*
 * Print the prompt, read a line, do what it says, for ever.
 *
 * Context: thread, interrupts enabled, on the CPU that takes the consoles'
 *          interrupts
 */
__noreturn void monitor_run(void);

/*
 * Do one command line.
 *
 * @line  words separated by blanks; 'quotes' and "quotes" keep blanks; changed
 *
 * Context: thread, interrupts enabled
 * Returns: OK, the line was blank or the command was called;
 *          ERR_FORMAT, a quote is open; ERR_OVERFLOW, too many words;
 *          ERR_NOT_FOUND, no such command; the user was told
 */
status_t monitor_execute(char *line) __must_check;

/*
 * Split a line into words, as for monitor_execute().
 *
 * @argv  MONITOR_ARGS_MAX + 1 pointers into @line, the last one used is NULL
 *
 * Returns: OK; ERR_FORMAT or ERR_OVERFLOW
 */
status_t monitor_split(char *line, int *argcp, char **argv) __must_check;

/*
 * The command whose name is most like a word.
 *
 * Returns: NULL when none is like it
 */
const struct monitor_command *monitor_closest(const char *word);

#endif /* KERN_MONITOR_H */
