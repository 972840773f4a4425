/* SPDX-License-Identifier: MIT */
/*
 * What a switch between threads does for those that have user mode.
 */
#ifndef ARCH_USER_SWITCH_H
#define ARCH_USER_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/percpu.h>
#include <arch/tss.h>
#include <lib/macros.h>

/* What XSAVE and FXSAVE want. */
#define USER_VECTOR_ALIGN 64

/*
 * The registers that only user mode uses: vector and floating-point units, and
 * the bases of %fs and %gs.
 *
 * Invariant: the registers of a CPU hold the vector state of user_loaded, if
 * that is not NULL and its @cpu is this one; else of nobody.  A state that is
 * not used by the running thread is in memory.
 *
 * Selectors in %ds, %es, %fs and %gs mean nothing in 64-bit mode but the bases,
 * and are not kept.
 *
 * Keys: [O] the thread that has it, and the switch away from it
 */
struct user_state {
    uint64_t fs_base;   /* [O] while it is not loaded */
    uint64_t gs_base;   /* [O] the same */
    uint64_t stack_top; /* [O] of the thread's kernel stack */
    uint32_t cpu;       /* [O] that may still have the vector state */
    uint8_t vector[] __aligned(USER_VECTOR_ALIGN); /* [O] */
};

/* Whose vector state is in the registers of this CPU; own to each. */
extern struct user_state *user_loaded;

/* The processors have XSAVEOPT and FSGSBASE.  Constant once set up */
extern bool user_switch_is_short;

/*
 * A thread with user mode stops running here: save its registers.
 *
 * Context: interrupts disabled
 */
void user_state_save(struct user_state *state);

/*
 * A thread with user mode is about to run here: load its registers, and have
 * entries from user mode use its kernel stack.
 *
 * Context: interrupts disabled
 */
void user_state_load(struct user_state *state);

/*
 * The same for both at once, in line where the processor has all that is
 * wanted.
 *
 * @from, @to  of two threads
 * @cpu        this CPU
 */
static inline void
user_state_switch(struct user_state *from, struct user_state *to, uint32_t cpu)
{
    uint64_t word;

    if (unlikely(!user_switch_is_short)) {
        user_state_save(from);
        user_state_load(to);
        return;
    }
    /* As user_gs_read() and user_gs_write(): an NMI in between is no harm. */
    __asm__ volatile("rdfsbase %0\n\t"
                     "movq %0, %c[fs](%[from])\n\t"
                     "movq %c[fs](%[to]), %0\n\t"
                     "wrfsbase %0\n\t"
                     "swapgs\n\t"
                     "rdgsbase %0\n\t"
                     "movq %0, %c[gs](%[from])\n\t"
                     "movq %c[gs](%[to]), %0\n\t"
                     "wrgsbase %0\n\t"
                     "swapgs"
                     : "=&r"(word)
                     : [from] "r"(from), [to] "r"(to),
                       [fs] "i"(offsetof(struct user_state, fs_base)),
                       [gs] "i"(offsetof(struct user_state, gs_base))
                     : "memory");
    __asm__ volatile("xsaveopt64 %c[vector](%[from])\n\t"
                     "xrstor64 %c[vector](%[to])"
                     :
                     : [from] "r"(from), [to] "r"(to),
                       [vector] "i"(offsetof(struct user_state, vector)),
                       "a"(-1), "d"(-1)
                     : "memory");
    percpu_write(gdt_tss.rsp[0], to->stack_top);
    percpu_write(user_loaded, to);
    to->cpu = cpu;
}

#endif /* ARCH_USER_SWITCH_H */
