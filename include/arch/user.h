/* SPDX-License-Identifier: MIT */
/*
 * User mode: how a thread gets there, and how it comes back.
 *
 * A thread that has user mode has a user_state: the registers that the kernel
 * itself does not use.  They are in the processor while the thread runs, in
 * user mode and in the kernel, and in memory otherwise.
 *
 * It comes back by a call, an exception or an interrupt.  Those above install
 * what happens then; nothing here knows what calls there are.
 *
 * Calls: the number is in %rax, arguments in %rdi, %rsi, %rdx, %r10, %r8, %r9,
 * the result comes in %rax.  %rbx, %rbp, %rsp and %r12 to %r15 are kept, and
 * so is the state of the floating-point and vector units; of %rcx and %r11
 * nothing is said, the others are 0.
 *
 * Design: doc/user-mode.md.
 */
#ifndef ARCH_USER_H
#define ARCH_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>

struct trap_frame;
struct user_state;

/* Calls with smaller numbers begin with interrupts disabled. */
#define USER_NR_FAST_CALLS 16

/* What a call is answered that does not exist: -ENOSYS. */
#define USER_NO_CALL (-38)

/*
 * A call.
 *
 * Context: thread, preemptible, interrupts enabled; if the number is below
 *          USER_NR_FAST_CALLS, interrupts are disabled at entry, and are so or
 *          not on return
 * Returns: what the program finds in %rax
 */
typedef long (*user_call_fn_t)(unsigned long a, unsigned long b,
                               unsigned long c, unsigned long d,
                               unsigned long e, unsigned long f);

/* Programs' mistakes, and what they do on purpose to be noticed. */
enum user_exception_kind {
    USER_EXCEPTION_MEMORY, /* a page fault that was not resolved */
    USER_EXCEPTION_INSTRUCTION,
    USER_EXCEPTION_PROTECTION,
    USER_EXCEPTION_ARITHMETIC,
    USER_EXCEPTION_FLOATING,
    USER_EXCEPTION_BREAKPOINT,
    USER_EXCEPTION_STEP,
    USER_EXCEPTION_ALIGNMENT,
};

struct user_exception {
    enum user_exception_kind kind;
    const char *name;    /* the processor's, for people */
    unsigned int access; /* FAULT_... of USER_EXCEPTION_MEMORY */
    status_t status;     /* why it was not resolved */
    uintptr_t addr;      /* that was accessed */
    uintptr_t pc;        /* of the instruction, or the one behind */
    uintptr_t sp;
    uintptr_t frame; /* frame pointer, for user_backtrace() */
};

/*
 * Called for an exception; when it returns the program goes on.
 *
 * Context: the thread, preemptible, interrupts enabled; may end it
 */
typedef void (*user_exception_fn_t)(const struct user_exception *exception);

/*
 * Called before a return to user mode if thread->user_work is not 0, until it
 * is.
 *
 * Context: as user_exception_fn_t
 */
typedef void (*user_work_fn_t)(void);

struct user_hooks {
    const user_call_fn_t *calls; /* by number; none is NULL */
    size_t nr_calls;
    user_exception_fn_t exception;
    user_work_fn_t work;
};

/*
 * Install hooks.
 *
 * @hooks  constant, in static memory; NULL: there are none
 *
 * Context: init; a test, while no thread is in user mode
 * Returns: what was installed before
 */
const struct user_hooks *user_hooks_register(const struct user_hooks *hooks);

/* Bytes of a user_state, for accounting. */
size_t user_state_size(void);

/*
 * Make the state that a program begins with.
 *
 * Context: thread
 * Returns: NULL when memory is short
 */
struct user_state *user_state_create(void) __must_check;

/*
 * Free a state.
 *
 * Context: any; no thread has it
 */
void user_state_destroy(struct user_state *state);

/*
 * Have the calling thread have user mode.  It keeps the state until it ends.
 *
 * Context: thread, that has none
 */
void user_begin(struct user_state *state);

/* Undo user_begin().  Context: the thread */
void user_end(void);

/* Registers that a program begins with; all others are 0. */
struct user_start {
    uintptr_t pc;
    uintptr_t sp;
    uintptr_t args[3]; /* %rdi, %rsi, %rdx */
};

/*
 * Go to user mode.  What is on the kernel's stack is lost.
 *
 * @start  addresses from programs: any value is allowed; a pc behind USER_END
 *         is an exception in user mode
 *
 * Context: thread after user_begin(), preemptible, interrupts enabled
 */
__noreturn void user_enter(const struct user_start *start);

/*
 * Set the base of thread-local storage, which %fs shows.
 *
 * Context: thread after user_begin()
 * Returns: OK; ERR_RANGE: not below USER_END
 */
status_t user_set_tls(uintptr_t base);

/*
 * Follow a chain of frame pointers in user memory.
 *
 * @pcs    filled with return addresses, innermost first
 * @max    room in @pcs
 * @frame  from a program: any value is allowed
 *
 * Context: the thread, preemptible, interrupts enabled
 * Returns: how many were found
 */
size_t user_backtrace(uintptr_t *pcs, size_t max, uintptr_t frame);

/*
 * Where the calling thread was in user mode when it called.
 *
 * Context: inside of a call
 */
void user_call_place(uintptr_t *pc, uintptr_t *sp, uintptr_t *frame);

#endif /* ARCH_USER_H */
