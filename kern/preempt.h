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
#include <stdint.h>

#include <arch/cpu.h>
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

/*
 * Restore the interrupt state and enable preemption, as one step: what pended
 * meanwhile does not lengthen the time without preemption.
 *
 * @flags  of cpu_irq_save()
 *
 * Context: interrupts disabled
 */
static inline void
preempt_enable_irqrestore(uint64_t flags)
{
    bool is_wanted;

    latency_preempt_on();
    is_wanted = preempt_count_dec();
    cpu_irq_restore(flags);
    if (unlikely(is_wanted)) {
        preempt_now();
    }
}

/* Whether the caller may be preempted now. */
static inline bool
preempt_is_enabled(void)
{
    return (percpu_read(preempt_count) & ~PREEMPT_NOT_WANTED) == 0;
}

/* Whether a reschedule of this CPU is wanted. */
static inline bool
preempt_is_wanted(void)
{
    return (percpu_read(preempt_count) & PREEMPT_NOT_WANTED) == 0;
}

#endif /* KERN_PREEMPT_H */
