/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/percpu.h>
#include <kern/thread.h>
#include <kern/thread_space.h>
#include <lib/assert.h>

PERCPU(struct vm_space *, thread_space_loaded);

/* Constant once installed. */
static thread_space_fn_t thread_space_fn;

thread_space_fn_t
thread_space_register(thread_space_fn_t fn)
{
    thread_space_fn_t old = thread_space_fn;

    thread_space_fn = fn;
    return old;
}

void
thread_space_load(struct vm_space *space)
{
    assert(!cpu_irq_is_enabled());

    percpu_write(thread_space_loaded, space);
    thread_space_fn(space);
}

void
thread_space_use(struct vm_space *space)
{
    struct thread *self = thread_self();
    uint64_t flags;

    flags = cpu_irq_save();
    self->space = space;
    thread_space_switch(self);
    cpu_irq_restore(flags);
}

void
thread_space_leave(const struct vm_space *space)
{
    assert(!cpu_irq_is_enabled());

    if (percpu_read(thread_space_loaded) == space) {
        thread_space_load(NULL);
    }
}
