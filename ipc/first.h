/* SPDX-License-Identifier: MIT */
/*
 * The first program: a boot module that the kernel itself loads and starts,
 * when init=NAME asks for it, and waits for.
 *
 * Design: doc/first-program.md.
 */
#ifndef IPC_FIRST_H
#define IPC_FIRST_H

#include <stdbool.h>

/* Number of its task. */
#define FIRST_PID 1

/* Whether there is to be one.  Constant once stages run */
bool first_is_wanted(void);

/*
 * Have a function called when the first program is loaded and about to run.
 *
 * @fn  NULL: nothing is called
 *
 * Context: main stages
 */
void first_watch(void (*fn)(void));

#endif /* IPC_FIRST_H */
