/* SPDX-License-Identifier: MIT */
/*
 * Running one function on all CPUs at the same time, in threads.
 */
#ifndef KERN_ALL_CPUS_H
#define KERN_ALL_CPUS_H

#include <kern/thread.h>

/*
 * Run a function on every online CPU at the same time, in a thread each that
 * stays there, and wait until all have returned.
 *
 * Context: thread
 */
void all_cpus_run(thread_fn_t fn, void *arg);

#endif /* KERN_ALL_CPUS_H */
