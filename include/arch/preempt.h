/* SPDX-License-Identifier: MIT */
/*
 * The counter that keeps a thread on its CPU, in single instructions.
 *
 * One per-CPU word holds how often preemption is disabled, and in its top bit
 * whether no reschedule is wanted; so it is zero exactly when a thread should
 * be preempted and may be, and enabling preemption is a decrement and a jump.
 * Only the CPU itself writes it.
 */
#ifndef ARCH_PREEMPT_H
#define ARCH_PREEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/percpu.h>

/* Set while no reschedule is wanted. */
#define PREEMPT_NOT_WANTED UINT32_C(0x80000000)

extern uint32_t preempt_count;

/* Disable preemption once more. */
static inline void
preempt_count_inc(void)
{
    __asm__ volatile("incl %%gs:%0" : "+m"(preempt_count) : : "memory", "cc");
}

/*
 * Undo one preempt_count_inc().
 *
 * Returns: whether the CPU is now preemptible and should be preempted
 */
static inline bool
preempt_count_dec(void)
{
    bool zero;

    __asm__ volatile("decl %%gs:%1"
                     : "=@ccz"(zero), "+m"(preempt_count)
                     :
                     : "memory");
    return zero;
}

/* Want a reschedule of this CPU. */
static inline void
preempt_count_want(void)
{
    __asm__ volatile("andl $0x7fffffff, %%gs:%0"
                     : "+m"(preempt_count)
                     :
                     : "memory", "cc");
}

/* Want none any more. */
static inline void
preempt_count_unwant(void)
{
    __asm__ volatile("orl $0x80000000, %%gs:%0"
                     : "+m"(preempt_count)
                     :
                     : "memory", "cc");
}

#endif /* ARCH_PREEMPT_H */
