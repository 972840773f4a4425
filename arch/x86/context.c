/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>

#include <arch/thread.h>
#include <arch/trap.h>

/* What context_asm.S pops, in this order, then returns. */
struct context_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t rip;
    uint64_t caller; /* return address of the entry: none */
};

uintptr_t
thread_context_init(uintptr_t stack_top, void (*entry)(void))
{
    struct context_frame *frame;

    /* At the entry the stack is as after a call: 8 below 16 bytes aligned. */
    frame = (struct context_frame *)stack_top - 1;
    *frame = (struct context_frame){ .rip = (uint64_t)entry };
    return (uintptr_t)frame;
}

uintptr_t
thread_context_frame(uintptr_t sp)
{
    uint64_t frame;

    return trap_safe_read(sp + offsetof(struct context_frame, rbp), &frame)
               ? (uintptr_t)frame
               : 0;
}
