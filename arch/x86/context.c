/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>

#include <arch/thread.h>
#include <arch/trap.h>

/*
 * What thread_context_switch() leaves on a stack that it switches away from.
 */
struct context_frame {
    uint64_t rip;
    uint64_t rbp;
};

/* A context that was not switched away from: it begins as if it had been. */
struct context_first {
    struct context_frame frame;
    uint64_t entry;
    uint64_t caller; /* return address of the entry: none */
};

/* Ends a switch as the one in line does, and goes to the entry. */
extern const char thread_context_begin[];

__asm__(".pushsection .text, \"ax\"\n\t"
        ".type thread_context_begin, @function\n"
        "thread_context_begin:\n\t"
        "popq %rbp\n\t"
        "ret\n\t"
        ".size thread_context_begin, . - thread_context_begin\n\t"
        ".popsection");

uintptr_t
thread_context_init(uintptr_t stack_top, void (*entry)(void))
{
    struct context_first *first;

    /* At the entry the stack is as after a call: 8 below 16 bytes aligned. */
    first = (struct context_first *)stack_top - 1;
    *first = (struct context_first){
        .frame = { .rip = (uint64_t)thread_context_begin },
        .entry = (uint64_t)entry,
    };
    return (uintptr_t)first;
}

uintptr_t
thread_context_frame(uintptr_t sp)
{
    uint64_t frame;

    return trap_safe_read(sp + offsetof(struct context_frame, rbp), &frame)
               ? (uintptr_t)frame
               : 0;
}
