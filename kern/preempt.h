/* SPDX-License-Identifier: MIT */
/*
 * Keeping a thread on its CPU.
 *
 * With preemption disabled a thread runs until it enables it again or blocks;
 * interrupts still come.  Spin locks disable it while they are held.
 */
#ifndef KERN_PREEMPT_H
#define KERN_PREEMPT_H

#include <stdbool.h>

#include <arch/latency.h>
#include <arch/preempt.h>
#include <lib/macros.h>

/* Reschedule, or have an interrupt do it when interrupts are disabled. */
void preempt_now(void);

/* Disable preemption; nests. */
static inline void
preempt_disable(void)
{
    preempt_count_inc();
    latency_preempt_off();
}

/*
 * Enable preemption; a reschedule that was wanted meanwhile happens now.
 */
static inline void
preempt_enable(void)
{
    latency_preempt_on();
    if (unlikely(preempt_count_dec())) {
        preempt_now();
    }
}

/* Whether the caller may be preempted now. */
static inline bool
preempt_is_enabled(void)
{
    return (percpu_read(preempt_count) & ~PREEMPT_NOT_WANTED) == 0;
}

#endif /* KERN_PREEMPT_H */
