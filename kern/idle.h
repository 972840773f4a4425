/* SPDX-License-Identifier: MIT */
/*
 * CPUs with nothing to do, and giving them something: functions that run
 * outside of interrupt context.
 */
#ifndef KERN_IDLE_H
#define KERN_IDLE_H

#include <stdint.h>

#include <lib/macros.h>

typedef void (*idle_fn_t)(void *arg);

/*
 * Wait for work for ever.
 *
 * Context: a CPU at the end of its initialisation
 */
__noreturn void idle_loop(void);

/*
 * Run a function on every online CPU at the same time, on this one too, and
 * wait until all have returned.
 *
 * Context: thread on the boot CPU, interrupts enabled, one caller at a time
 */
void idle_run_all(idle_fn_t fn, void *arg);

#endif /* KERN_IDLE_H */
