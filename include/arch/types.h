/* SPDX-License-Identifier: MIT */
/*
 * Scalars with units that the machine defines.
 */
#ifndef ARCH_TYPES_H
#define ARCH_TYPES_H

#include <stdint.h>

/* A physical address, bytes. */
typedef uint64_t paddr_t;

#define PADDR_NONE (~(paddr_t)0)

#define PAGE_SHIFT 12
#define PAGE_SIZE  (UINT64_C(1) << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1)

#endif /* ARCH_TYPES_H */
