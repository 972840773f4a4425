/* SPDX-License-Identifier: MIT */
/*
 * Switching between threads that have user mode.
 */
#ifndef KERN_THREAD_USER_H
#define KERN_THREAD_USER_H

#include <stddef.h>

#include <arch/user_switch.h>
#include <kern/thread_types.h>
#include <lib/macros.h>

/*
 * A thread stops running on this CPU, another one is about to.
 *
 * Context: interrupts disabled, the run queue locked
 */
static inline void
thread_user_switch(struct thread *previous, struct thread *next)
{
    if (unlikely(previous->user != NULL)) {
        user_state_save(previous->user);
    }
    if (unlikely(next->user != NULL)) {
        user_state_load(next->user);
    }
}

#endif /* KERN_THREAD_USER_H */
