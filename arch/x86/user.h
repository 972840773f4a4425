/* SPDX-License-Identifier: MIT */
/*
 * User mode: what traps need of it.
 */
#ifndef X86_USER_H
#define X86_USER_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/user.h>
#include <lib/macros.h>

#include "trap_frame.h"

/*
 * What user_entry.S leaves at the top of the kernel's stack.
 */
struct user_call_frame {
    uint64_t frame; /* %rbp */
    uint64_t pc;
    uint64_t flags;
    uint64_t sp;
};

/* Whether a trap came from user mode. */
static inline bool
trap_is_of_user(const struct trap_frame *frame)
{
    return (frame->cs & 3) != 0;
}

/* The first instructions of a call, which a trap of the program may hit. */
bool user_entry_is_at(uintptr_t pc);

/* Forget why the last debug exception came.  Context: its handler */
void user_clear_debug_status(void);

/*
 * An exception of the program.
 *
 * Context: interrupts disabled, on the thread's kernel stack
 */
void user_handle_exception(struct trap_frame *frame);

/*
 * An interrupt of user mode is over.
 *
 * Context: interrupts disabled, on the thread's kernel stack
 */
void user_end_interrupt(struct trap_frame *frame);

/*
 * Do what is to be done before a return to user mode.
 *
 * Context: the thread, preemptible but for interrupts, which are disabled at
 *          entry and return and enabled in between
 */
void user_finish_work(void);

/* In user_entry.S. */
__noreturn void user_enter_asm(const struct user_start *start);

/* As for fault.c: resolve a fault by the hook.  Returns: OK, or why not */
status_t user_fault_resolve(uintptr_t addr, unsigned int access);

/* The access that an error code of a page fault tells. */
unsigned int user_fault_access(uint64_t error);

#endif /* X86_USER_H */
