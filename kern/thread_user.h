/* SPDX-License-Identifier: MIT */
/*
 * Switching between threads that have user mode.
 */
#ifndef KERN_THREAD_USER_H
#define KERN_THREAD_USER_H

#include <stddef.h>
#include <stdint.h>

#include <arch/user_switch.h>
#include <kern/thread_types.h>
#include <lib/macros.h>

/*
 * A thread stops running on this CPU, another one is about to.
 *
 * @cpu  this CPU
 *
 * Context: interrupts disabled
 */
static inline void
thread_user_switch(struct thread *previous, struct thread *next, uint32_t cpu)
{
    struct user_state *from = previous->user;
    struct user_state *to = next->user;

    if (likely(((uintptr_t)from | (uintptr_t)to) == 0)) {
        return;
    }
    if (from != NULL && to != NULL) {
        user_state_switch(from, to, cpu);
    } else if (from != NULL) {
        user_state_save(from);
    } else {
        user_state_load(to);
    }
}

#endif /* KERN_THREAD_USER_H */
