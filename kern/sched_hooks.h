/* SPDX-License-Identifier: MIT */
/*
 * What others want to know of the scheduler's doings.
 */
#ifndef KERN_SCHED_HOOKS_H
#define KERN_SCHED_HOOKS_H

struct thread;

/* A thread is about to be switched away from.  Context: its queue locked */
static inline void
sched_hook_switch(struct thread *thread)
{
    (void)thread;
}

/* This CPU is about to wait for an interrupt.  Context: interrupts disabled */
static inline void
sched_hook_idle_enter(void)
{
}

/* The wait is over.  Context: interrupts enabled */
static inline void
sched_hook_idle_exit(void)
{
}

#endif /* KERN_SCHED_HOOKS_H */
