/* SPDX-License-Identifier: MIT */
/*
 * Calls that a thread can be cancelled in; linked to programs that cancel
 * threads only.
 */
#include "entry.inc"

    .text

/*
 * long __syscall_cp_asm(volatile int *cancel, long n, long a, ..., long f)
 *
 * A call that a thread can be cancelled in.  Signals that come between
 * __cp_begin and __cp_end go on at __cp_cancel; later ones find that the call
 * was interrupted.
 */
function __syscall_cp_asm
    .globl __cp_begin, __cp_end, __cp_cancel
    .hidden __cp_begin, __cp_end, __cp_cancel
__cp_begin:
    cmpl $0, (%rdi)
    jne __cp_cancel
__cp_end:
    call_posix %rsi, %rdx, %rcx, %r8, %r9, 16(%rbp), 24(%rbp)
__cp_cancel:
    jmp __cancel

    .section .note.GNU-stack, "", @progbits
