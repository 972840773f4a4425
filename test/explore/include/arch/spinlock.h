/* SPDX-License-Identifier: MIT */
/*
 * The ticket of a spin lock, in accesses that the explorer sees.
 */
#ifndef ARCH_SPINLOCK_H
#define ARCH_SPINLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* Serve the next ticket.  Ordering: release */
static inline void
spinlock_serve_next(_Atomic uint16_t *owner)
{
    uint16_t ticket;

    ticket = atomic_load_explicit(owner, memory_order_relaxed);
    atomic_store_explicit(owner, (uint16_t)(ticket + 1), memory_order_release);
}

#endif /* ARCH_SPINLOCK_H */
