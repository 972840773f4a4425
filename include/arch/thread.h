/* SPDX-License-Identifier: MIT */
/*
 * Stacks of threads and switching between them.
 */
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H

#include <stdint.h>

/*
 * Prepare a stack so that the first switch to it calls @entry.
 *
 * @stack_top  end of the stack
 * @entry      never returns
 *
 * Returns: the stack pointer to switch to
 */
uintptr_t thread_context_init(uintptr_t stack_top, void (*entry)(void));

/*
 * Save this context and continue another.  In line, so that the compiler saves
 * those registers only that it needs afterwards.
 *
 * @old_sp  receives the stack pointer of this context
 * @new_sp  of a context that was saved or prepared
 * @word    for the context that is continued
 *
 * Context: interrupts disabled
 * Returns: when somebody switches back to this context; the word that he gave
 */
static inline uintptr_t
thread_context_switch(uintptr_t *old_sp, uintptr_t new_sp, uintptr_t word)
{
    __asm__ volatile("pushq %%rbp\n\t"
                     "leaq 1f(%%rip), %%rcx\n\t"
                     "pushq %%rcx\n\t"
                     "movq %%rsp, (%%rdi)\n\t"
                     "movq %%rsi, %%rsp\n\t"
                     "ret\n"
                     "1:\n\t"
                     "popq %%rbp"
                     : "+D"(old_sp), "+S"(new_sp), "+a"(word)
                     :
                     : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12",
                       "r13", "r14", "r15", "memory", "cc");
    return word;
}

/*
 * The frame pointer in a saved context, to start a trace with.
 *
 * @sp  as thread_context_switch() saved it; may be out of date
 *
 * Returns: 0 when there is no such context
 */
uintptr_t thread_context_frame(uintptr_t sp);

#endif /* ARCH_THREAD_H */
