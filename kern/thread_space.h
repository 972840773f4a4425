/* SPDX-License-Identifier: MIT */
/*
 * The address spaces that threads use.
 *
 * What a space is, the layer above knows; here it is a name.  A CPU has the
 * tables of at most one space loaded, and a thread without a space, as those
 * of the kernel are, runs with whatever is loaded: so going from a thread to
 * a kernel's one and back costs nothing.
 *
 * Invariant: a thread with a space runs only while the hook was called for
 * that space on its CPU after it was called for any other.
 */
#ifndef KERN_THREAD_SPACE_H
#define KERN_THREAD_SPACE_H

#include <arch/percpu.h>
#include <kern/thread_types.h>
#include <lib/macros.h>

struct vm_space;

/*
 * Loads the tables of a space on this CPU; of NULL the kernel's alone.
 *
 * Context: interrupts disabled; the run queue of this CPU may be locked
 */
typedef void (*thread_space_fn_t)(struct vm_space *space);

/* Per CPU: for which space the hook was called last.  Own to each */
extern struct vm_space *thread_space_loaded;

/*
 * Install the hook.
 *
 * Context: init; a test, while no thread has a space
 * Returns: what was installed before
 */
thread_space_fn_t thread_space_register(thread_space_fn_t fn);

/*
 * Have the calling thread use a space from now on.
 *
 * @space  NULL: none; else the caller keeps it alive as long
 *
 * Context: thread
 */
void thread_space_use(struct vm_space *space);

/*
 * Have nothing of a space loaded on this CPU.  Called on each CPU before a
 * space is destroyed, which no thread uses any more.
 *
 * Context: interrupts disabled
 */
void thread_space_leave(const struct vm_space *space);

/* Call the hook.  Context: interrupts disabled */
void thread_space_load(struct vm_space *space);

/*
 * A thread is about to run on this CPU.
 *
 * Context: interrupts disabled, its run queue locked
 */
static inline void
thread_space_switch(const struct thread *next)
{
    struct vm_space *space = next->space;

    if (unlikely(space != NULL) && space != percpu_read(thread_space_loaded)) {
        thread_space_load(space);
    }
}

#endif /* KERN_THREAD_SPACE_H */
