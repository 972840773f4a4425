/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include <arch/thread.h>

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
