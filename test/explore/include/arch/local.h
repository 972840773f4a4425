/* SPDX-License-Identifier: MIT */
/*
 * What <arch/local.h> promises: one instruction, before which a switch or an
 * interrupt may come, and a plain store to other CPUs.
 */
#ifndef ARCH_LOCAL_H
#define ARCH_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/percpu.h>

static inline void
local_inc(uint32_t *word)
{
    explore_local(word);
    __asm__ volatile("incl (%0)" : : "r"(word) : "memory", "cc");
}

static inline bool
local_dec_is_negative(uint32_t *word)
{
    bool negative;

    explore_local(word);
    __asm__ volatile("decl (%1)" : "=@ccs"(negative) : "r"(word) : "memory");
    return negative;
}

#endif /* ARCH_LOCAL_H */
