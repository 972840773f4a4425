/* SPDX-License-Identifier: MIT */
/*
 * What RCU wants to know of the scheduler and of traps, as cheaply as can be.
 */
#ifndef KERN_RCU_HOOKS_H
#define KERN_RCU_HOOKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/percpu.h>
#include <kern/thread_types.h>
#include <lib/macros.h>

/*
 * What a CPU tells of itself, on a line of its own.
 *
 * Keys: [I] the CPU itself, interrupts disabled   [a] atomic, written by the
 *       CPU itself only
 */
struct rcu_own {
    uint64_t reported;       /* [I] grace period in which it last reported */
    _Atomic uint64_t active; /* [a] odd: it may read; even: idle or user mode */
    uint8_t wakes;           /* [I] whom it is to wake */
} __aligned(CACHE_LINE);

extern struct rcu_own rcu_own;

/* The grace period that began last; written by the thread of RCU only. */
extern _Atomic uint64_t rcu_begun;

/* The rest of rcu_hook_switch(). */
void rcu_switch_slow(struct thread *thread);

/* The rest of rcu_hook_interrupt(). */
void rcu_interrupt_slow(void);

/* The rest of rcu_hook_idle_enter() and of rcu_user_enter(). */
void rcu_quiet_enter(void);

/* Undo rcu_quiet_enter(), if it was not undone already. */
void rcu_quiet_exit(void);

/* Whether this CPU has yet to report in this grace period. */
static inline bool
rcu_owes_report(void)
{
    return percpu_read(rcu_own.reported) !=
           atomic_load_explicit(&rcu_begun, memory_order_relaxed);
}

/*
 * A thread is about to be switched away from.
 *
 * Context: interrupts disabled, its run queue locked
 */
static inline void
rcu_hook_switch(struct thread *thread)
{
    if (unlikely(thread->rcu_depth != 0) || unlikely(rcu_owes_report())) {
        rcu_switch_slow(thread);
    }
}

/* The CPU was sent a wake-up.  Context: interrupt */
static inline void
rcu_hook_interrupt(void)
{
    if (percpu_read(rcu_own.wakes) != 0 || rcu_owes_report()) {
        rcu_interrupt_slow();
    }
}

/* Any interrupt came, but an NMI.  Context: interrupts disabled */
static inline void
rcu_hook_interrupt_enter(void)
{
    if (unlikely((percpu_read(rcu_own.active) & 1) == 0)) {
        rcu_quiet_exit();
    }
}

/* The CPU is about to wait for an interrupt.  Context: interrupts disabled */
static inline void
rcu_hook_idle_enter(void)
{
    rcu_quiet_enter();
}

/* The wait is over. */
static inline void
rcu_hook_idle_exit(void)
{
    rcu_quiet_exit();
}

#endif /* KERN_RCU_HOOKS_H */
