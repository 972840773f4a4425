/* SPDX-License-Identifier: MIT */
/*
 * void thread_context_switch(uintptr_t *old_sp, uintptr_t new_sp)
 *
 * Only what a function must preserve is saved; the compiler has saved the
 * rest.  Kernel threads have no floating-point state.
 */
    .text
    .global thread_context_switch
    .type thread_context_switch, @function
thread_context_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size thread_context_switch, . - thread_context_switch

    .section .note.GNU-stack, "", @progbits
