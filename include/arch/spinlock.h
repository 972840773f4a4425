/* SPDX-License-Identifier: MIT */
/*
 * What a ticket lock gains by the processor's own instructions.
 */
#ifndef ARCH_SPINLOCK_H
#define ARCH_SPINLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Serve the next ticket.  Only the holder writes the word, so the increment
 * need not be atomic; it is one instruction.
 *
 * Ordering: release, as all stores of this processor
 */
static inline void
spinlock_serve_next(_Atomic uint16_t *owner)
{
    __asm__ volatile("incw %0" : "+m"(*owner) : : "memory", "cc");
}

#endif /* ARCH_SPINLOCK_H */
