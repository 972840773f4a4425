/* SPDX-License-Identifier: MIT */
/*
 * What <arch/preempt.h> promises: each function is one instruction, before
 * which a switch or an interrupt may come.
 */
#ifndef ARCH_PREEMPT_H
#define ARCH_PREEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/percpu.h>

#define PREEMPT_NOT_WANTED UINT32_C(0x80000000)

extern uint32_t preempt_count;

static inline void
preempt_count_inc(void)
{
    percpu_add(preempt_count, 1);
}

static inline bool
preempt_count_dec(void)
{
    bool zero;

    __asm__ volatile("decl (%1)"
                     : "=@ccz"(zero)
                     : "r"(explore_percpu(&preempt_count, 4, true))
                     : "memory");
    return zero;
}

static inline void
preempt_count_want(void)
{
    __asm__ volatile("andl $0x7fffffff, (%0)"
                     :
                     : "r"(explore_percpu(&preempt_count, 4, true))
                     : "memory", "cc");
}

static inline void
preempt_count_unwant(void)
{
    __asm__ volatile("orl $0x80000000, (%0)"
                     :
                     : "r"(explore_percpu(&preempt_count, 4, true))
                     : "memory", "cc");
}

#endif /* ARCH_PREEMPT_H */
