/* SPDX-License-Identifier: MIT */
/*
 * What <arch/pmap.h> promises, as far as explored code needs it: a physical
 * address is one of the host's program.
 */
#ifndef ARCH_PMAP_H
#define ARCH_PMAP_H

#include <stdint.h>

#include <arch/types.h>

static inline void *
pmap_direct_ptr(paddr_t phys)
{
    return (void *)(uintptr_t)phys;
}

static inline paddr_t
pmap_direct_addr(const void *ptr)
{
    return (paddr_t)(uintptr_t)ptr;
}

#endif /* ARCH_PMAP_H */
