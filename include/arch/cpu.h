/* SPDX-License-Identifier: MIT */
/*
 * What common code needs of the processor that executes it.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/latency.h>
#include <lib/macros.h>

/* RFLAGS.IF.  Source: Intel SDM vol. 1, "EFLAGS Register". */
#define CPU_FLAGS_IF UINT64_C(0x200)

/*
 * Disable interrupts on this CPU, unseen by the recorder of long stretches,
 * for its own use.
 *
 * Returns: the former state, for cpu_irq_restore_unseen()
 */
static inline uint64_t
cpu_irq_save_unseen(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

/* Return to the interrupt state of cpu_irq_save_unseen(). */
static inline void
cpu_irq_restore_unseen(uint64_t flags)
{
    if (flags & CPU_FLAGS_IF) {
        __asm__ volatile("sti" : : : "memory");
    }
}

/*
 * Disable interrupts on this CPU.
 *
 * Returns: the former state, for cpu_irq_restore()
 */
static inline uint64_t
cpu_irq_save(void)
{
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    latency_irqs_saved(flags);
    return flags;
}

/*
 * Return to the interrupt state of cpu_irq_save().
 */
static inline void
cpu_irq_restore(uint64_t flags)
{
    if (flags & CPU_FLAGS_IF) {
        latency_irqs_on();
        __asm__ volatile("sti" : : : "memory");
    }
}

/* Enable interrupts on this CPU. */
static inline void
cpu_irq_enable(void)
{
    latency_irqs_on();
    __asm__ volatile("sti" : : : "memory");
}

/* Disable interrupts on this CPU. */
static inline void
cpu_irq_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
    latency_irqs_off();
}

/*
 * Take the interrupts that pend.
 *
 * Context: interrupts disabled; disabled again on return
 */
static inline void
cpu_irq_window(void)
{
    latency_irqs_on();
    /* None comes before the instruction after sti has been executed. */
    __asm__ volatile("sti; nop; cli" : : : "memory");
    latency_irqs_off();
}

/* Whether this CPU takes interrupts. */
static inline bool
cpu_irq_is_enabled(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
    return (flags & CPU_FLAGS_IF) != 0;
}

/* Tell the processor (and an emulator) that this is a spin-wait loop. */
static inline void
cpu_pause(void)
{
    latency_turn();
    __asm__ volatile("pause" : : : "memory");
    latency_turn_again();
}

/*
 * Enable interrupts and sleep until one came; none is lost in between.
 *
 * Context: interrupts disabled; enabled on return
 */
static inline void
cpu_idle_wait(void)
{
    latency_idle();
    __asm__ volatile("sti; hlt" : : : "memory");
}

/* Stop this CPU for good. */
__noreturn static inline void
cpu_stop(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt" : : : "memory");
    }
}

/* Where the stack of this CPU ends now; the caller's frame is above. */
static inline uintptr_t
cpu_stack_pointer(void)
{
    uintptr_t sp;

    __asm__ volatile("movq %%rsp, %0" : "=r"(sp));
    return sp;
}

/* The frame pointer of the caller, for trace_collect(). */
#define cpu_frame() ((uintptr_t)__builtin_frame_address(0))

#endif /* ARCH_CPU_H */
