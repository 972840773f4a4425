/* SPDX-License-Identifier: MIT */
/*
 * What others want to know of the scheduler's doings.
 */
#ifndef KERN_SCHED_HOOKS_H
#define KERN_SCHED_HOOKS_H

#include <stdbool.h>

#include <kern/rcu_hooks.h>
#include <lib/macros.h>

/*
 * What an idle CPU does before it waits for interrupts.
 */
struct sched_idle_work {
    /*
     * Do a step, of 2,000 instructions or less.
     *
     * Context: the idle thread, which must not block, preemptible
     * Returns: whether there is another one
     */
    bool (*fn)(void);
};

/* Announce static bool fn(void). */
#define IDLE_WORK(fn_)                                                         \
    static const struct sched_idle_work sched_idle_work_##fn_ = {              \
        .fn = (fn_),                                                           \
    };                                                                         \
    SECTION_ENTRY(idle, sched_idle_work_##fn_)

/* A thread is about to be switched away from.  Context: its queue locked */
static inline void
sched_hook_switch(struct thread *thread)
{
    rcu_hook_switch(thread);
}

/* Another CPU, or this one, has sent a wake-up.  Context: interrupt */
static inline void
sched_hook_interrupt(void)
{
    rcu_hook_interrupt();
}

/* Any interrupt but an NMI has come.  Context: interrupts disabled */
static inline void
sched_hook_interrupt_enter(void)
{
    rcu_hook_interrupt_enter();
}

/* This CPU is about to wait for an interrupt.  Context: interrupts disabled */
static inline void
sched_hook_idle_enter(void)
{
    rcu_hook_idle_enter();
}

/* The wait is over.  Context: interrupts enabled */
static inline void
sched_hook_idle_exit(void)
{
    rcu_hook_idle_exit();
}

#endif /* KERN_SCHED_HOOKS_H */
