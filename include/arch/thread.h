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
 * Save this context and continue another.
 *
 * @old_sp  receives the stack pointer of this context
 * @new_sp  of a context that was saved or prepared
 *
 * Context: interrupts disabled
 * Returns: when somebody switches back to this context
 */
void thread_context_switch(uintptr_t *old_sp, uintptr_t new_sp);

/*
 * The frame pointer in a saved context, to start a trace with.
 *
 * @sp  as thread_context_switch() saved it; may be out of date
 *
 * Returns: 0 when there is no such context
 */
uintptr_t thread_context_frame(uintptr_t sp);

#endif /* ARCH_THREAD_H */
