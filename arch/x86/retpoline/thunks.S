/* SPDX-License-Identifier: MIT */
/*
 * Indirect calls that the branch predictor cannot be led astray with: the
 * target is returned to, and a return that is mispredicted finds a loop.
 *
 * Source: Turner, "Retpoline: a software construct for preventing
 * branch-target-injection".
 */
    .macro thunk register
    .global __x86_indirect_thunk_\register
    .type __x86_indirect_thunk_\register, @function
__x86_indirect_thunk_\register:
    .ifc \register, r11
    .global __llvm_retpoline_r11
__llvm_retpoline_r11:
    .endif
    call 2f
1:  pause
    lfence
    jmp 1b
2:  movq %\register, (%rsp)
    ret
    .size __x86_indirect_thunk_\register, . - __x86_indirect_thunk_\register
    .endm

    .text
    .irp register, rax, rbx, rcx, rdx, rsi, rdi, rbp
    thunk \register
    .endr
    .irp register, r8, r9, r10, r11, r12, r13, r14, r15
    thunk \register
    .endr

    .section .note.GNU-stack, "", @progbits
