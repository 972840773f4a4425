/* SPDX-License-Identifier: MIT */
/*
 * Programs for the tests of tasks and threads: copied into a task's space and
 * executed there by its threads.  They use no stack.
 */
#include <portolan/call_nr.h>

    .macro do_call number
    movl $\number, %eax
    syscall
    .endm

    .macro program name
    .balign 16
    .global program_\name
program_\name:
    .endm

    .section .rodata.program_code, "a"
    .balign 4096
    .global program_code_start, program_code_end
program_code_start:

    /* End the thread with status @rdi, and clear @rsi. */
    program exit
    xorl %edx, %edx
    xorl %r10d, %r10d
    do_call PORTOLAN_CALL_THREAD_EXIT
    ud2

    /* The same, and unmap the page at @rdx, which may be the stack. */
    program exit_unmap
    movl $4096, %r10d
    do_call PORTOLAN_CALL_THREAD_EXIT
    ud2

    /* End the task with status @rdi. */
    program task_exit
    do_call PORTOLAN_CALL_TASK_EXIT
    ud2

    /* Write 1 to @rdi, then spin. */
    program spin
    movl $1, (%rdi)
1:  pause
    jmp 1b

    /* Count @rdi up for ever. */
    program count
1:  incl (%rdi)
    pause
    jmp 1b

    /* Write 1 to @rdi, then sleep for ever. */
    program sleep
    movl $1, (%rdi)
1:  movq $-1, %rdi
    do_call PORTOLAN_CALL_SLEEP_UNTIL
    jmp 1b

    /* Write to 0. */
    program fault
    xorl %eax, %eax
    movl %eax, (%rax)
    ud2

    /* Add @rsi to @rdi, and end with that. */
    program add
    lock addq %rsi, (%rdi)
    movq %rsi, %rdi
    xorl %esi, %esi
    xorl %edx, %edx
    xorl %r10d, %r10d
    do_call PORTOLAN_CALL_THREAD_EXIT
    ud2

    /* End with the word at @rdi, which is the tid that the kernel wrote. */
    program tid
    movl (%rdi), %ebx
    do_call PORTOLAN_CALL_THREAD_SELF
    cmpl %ebx, %eax
    movl $0, %edi
    jne 1f
    movl %ebx, %edi
1:  xorl %esi, %esi
    xorl %edx, %edx
    xorl %r10d, %r10d
    do_call PORTOLAN_CALL_THREAD_EXIT
    ud2

    /* End with the word that %fs:0 shows. */
    program tls
    movq %fs:0, %rdi
    xorl %esi, %esi
    xorl %edx, %edx
    xorl %r10d, %r10d
    do_call PORTOLAN_CALL_THREAD_EXIT
    ud2

    /*
     * Create @rsi threads as the parameters at @rdi say, join them, and end
     * the task with the sum of what they end with.  @rdx: room for the tids,
     * and behind it for a status.
     */
    program creator
    movq %rdi, %rbx
    movq %rsi, %r12
    movq %rdx, %r13
    xorl %r14d, %r14d
1:  movq %rbx, %rdi
    do_call PORTOLAN_CALL_THREAD_CREATE
    testq %rax, %rax
    js 3f
    movl %eax, (%r13, %r14, 4)
    incq %r14
    cmpq %r12, %r14
    jb 1b
    xorl %r14d, %r14d
    xorl %r15d, %r15d
2:  movl (%r13, %r14, 4), %edi
    leaq (%r13, %r12, 8), %rsi
    movq $-1, %rdx
    do_call PORTOLAN_CALL_THREAD_JOIN
    testq %rax, %rax
    js 3f
    addq (%r13, %r12, 8), %r15
    incq %r14
    cmpq %r12, %r14
    jb 2b
    movq %r15, %rax
3:  movq %rax, %rdi
    do_call PORTOLAN_CALL_TASK_EXIT
    ud2

    .balign 4096
program_code_end:

    .section .note.GNU-stack, "", @progbits
