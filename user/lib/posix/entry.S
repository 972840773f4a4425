/* SPDX-License-Identifier: MIT */
/*
 * What musl calls for a system call, and what C cannot say.
 */

#include "entry.inc"

    .text

/* long __portolan_syscall(long n, long a, ..., long f) */
function __portolan_syscall
    call_posix %rdi, %rsi, %rdx, %rcx, %r8, %r9, 16(%rbp)

/* Where a thread begins: %rdi is the function, %rsi its argument. */
function __posix_thread_entry
    xor %ebp, %ebp
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    mov %rax, %rdi
    call __posix_thread_end
    ud2

    .section .note.GNU-stack, "", @progbits
