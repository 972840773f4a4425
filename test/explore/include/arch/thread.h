/* SPDX-License-Identifier: MIT */
/*
 * Stacks of threads, as include/arch/thread.h; switched by the engine.
 */
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H

#include <stdint.h>

uintptr_t thread_context_init(uintptr_t stack_top, void (*entry)(void));
uintptr_t thread_context_switch(uintptr_t *old_sp, uintptr_t new_sp,
                                uintptr_t word);
uintptr_t thread_context_frame(uintptr_t sp);

#endif /* ARCH_THREAD_H */
