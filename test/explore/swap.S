/* SPDX-License-Identifier: MIT */
/*
 * void engine_swap_stacks(void **from, void *to)
 */
        .text
        .globl  engine_swap_stacks
        .type   engine_swap_stacks, @function
engine_swap_stacks:
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, (%rdi)
        mov     %rsi, %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret
        .size   engine_swap_stacks, . - engine_swap_stacks
        .section .note.GNU-stack, "", @progbits
