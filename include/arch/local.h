/* SPDX-License-Identifier: MIT */
/*
 * Read, modify and write in one instruction, without locking the bus: whole
 * for interrupts of this CPU, for no other CPU.
 */
#ifndef ARCH_LOCAL_H
#define ARCH_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

/* Add one to a word that only this CPU writes. */
static inline void
local_inc(uint32_t *word)
{
    __asm__ volatile("incl %0" : "+m"(*word) : : "memory", "cc");
}

/*
 * Subtract one from a word that only this CPU writes.
 *
 * Returns: whether the top bit of the result is set
 */
static inline bool
local_dec_is_negative(uint32_t *word)
{
    bool negative;

    __asm__ volatile("decl %1" : "=@ccs"(negative), "+m"(*word) : : "memory");
    return negative;
}

#endif /* ARCH_LOCAL_H */
