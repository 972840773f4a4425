/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/thread.h>
#include <lib/assert.h>

void
all_cpus_run(thread_fn_t fn, void *arg)
{
    struct thread_attr attr = { .pinned = true };
    struct thread **threads;
    uint32_t cpu;

    threads = kzalloc(cpu_nr_possible * sizeof(*threads));
    verify(threads != NULL);
    cpu_for_each (cpu) {
        attr.cpu = cpu;
        threads[cpu] = thread_create("everywhere", fn, arg, &attr);
        verify(threads[cpu] != NULL);
    }
    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        if (threads[cpu] != NULL) {
            thread_join(threads[cpu]);
        }
    }
    kfree(threads);
}
