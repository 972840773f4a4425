/* SPDX-License-Identifier: MIT */
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
 */
#ifndef X86_USER_STATE_H
#define X86_USER_STATE_H

#include <stdint.h>

#include <arch/user.h>
#include <lib/macros.h>

/* What XSAVE and FXSAVE want. */
#define USER_VECTOR_ALIGN 64

/*
 * Keys: [O] the thread that has it, and the switch away from it
 */
struct user_state {
    uint64_t fs_base;   /* [O] while it is not loaded */
    uint64_t gs_base;   /* [O] the same */
    uint64_t stack_top; /* [O] of the thread's kernel stack */
    uint32_t cpu;       /* [O] that may still have the vector state */
    uint8_t vector[] __aligned(USER_VECTOR_ALIGN); /* [O] */
};

#endif /* X86_USER_STATE_H */
