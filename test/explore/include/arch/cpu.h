/* SPDX-License-Identifier: MIT */
/*
 * What <arch/cpu.h> promises, kept by a simulated CPU of the schedule
 * explorer.  It is found before the machine's.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include <lib/macros.h>

#define CPU_FLAGS_IF UINT64_C(0x200)

/* As for the machine; an interrupt may come just before or after. */
uint64_t cpu_irq_save(void);
void cpu_irq_restore(uint64_t flags);
void cpu_irq_enable(void);
void cpu_irq_disable(void);
bool cpu_irq_is_enabled(void);

/* Nothing records what is off for how long. */
static inline uint64_t
cpu_irq_save_unseen(void)
{
    return cpu_irq_save();
}

static inline void
cpu_irq_restore_unseen(uint64_t flags)
{
    cpu_irq_restore(flags);
}

static inline void
cpu_irq_window(void)
{
    cpu_irq_enable();
    cpu_irq_disable();
}

/* Let other CPUs run: none that could is left out for ever. */
void cpu_pause(void);

/* Enable interrupts and let others run until one came. */
void cpu_idle_wait(void);

/* The end of the schedule, as a failure. */
__noreturn void cpu_stop(void);

static inline uintptr_t
cpu_stack_pointer(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

#define cpu_frame() ((uintptr_t)__builtin_frame_address(0))

#endif /* ARCH_CPU_H */
