/* SPDX-License-Identifier: MIT */
/*
 * Running one function on all CPUs at the same time, in threads.
 */
#ifndef KERN_IDLE_H
#define KERN_IDLE_H

typedef void (*idle_fn_t)(void *arg);

/*
 * Run a function on every online CPU at the same time, in a thread each that
 * stays there, and wait until all have returned.
 *
 * Context: thread
 */
void idle_run_all(idle_fn_t fn, void *arg);

#endif /* KERN_IDLE_H */
