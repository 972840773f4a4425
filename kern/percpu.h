/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU variables: a template in the image, a copy for each CPU that the
 * machine has, sized when it is known how many there are.
 *
 * An area begins and ends at a page, so no two CPUs' variables share a cache
 * line.
 */
#ifndef KERN_PERCPU_H
#define KERN_PERCPU_H

#include <stdint.h>

#include <arch/percpu.h>
#include <lib/macros.h>

/*
 * Define a per-CPU variable; an initialiser may follow and is what each
 * CPU's copy begins with.
 */
#define PERCPU(type, name) __section(".percpu") __typeof__(type) name

/* Distance from the template to the copy of CPU @cpu, by CPU number. */
extern uintptr_t *percpu_offsets;

/* The distance for this CPU. */
extern uintptr_t percpu_offset;

/* Address of the copy that CPU @cpu has of @var. */
#define percpu_ptr(var, cpu)                                                   \
    ({                                                                         \
        uintptr_t percpu_addr_ = (uintptr_t)&(var);                            \
        __asm__("" : "+r"(percpu_addr_));                                      \
        (__typeof__(&(var)))(percpu_addr_ + percpu_offsets[cpu]);              \
    })

/* Address of this CPU's copy of @var; the caller stays on its CPU. */
#define percpu_this(var)                                                       \
    ({                                                                         \
        uintptr_t percpu_addr_ = (uintptr_t)&(var);                            \
        __asm__("" : "+r"(percpu_addr_));                                      \
        (__typeof__(&(var)))(percpu_addr_ + percpu_read(percpu_offset));       \
    })

#endif /* KERN_PERCPU_H */
