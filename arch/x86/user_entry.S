/* SPDX-License-Identifier: MIT */
/*
 * Calls from user mode, and the way there.
 *
 * SYSCALL changes neither the stack nor %gs.  Until both are the kernel's,
 * nothing here touches memory but what %gs shows; interrupts are disabled.
 * NMI, #DB and #MC may come all the same: they have stacks of their own and
 * find out themselves what %gs is (trap_asm.S).
 *
 * On the kernel's stack, from its top: struct user_call_frame.  Registers that
 * C keeps are not there.  %rbp is, so that a trace of the kernel's stack ends
 * here whatever the program has in it.
 *
 * SYSRET with an address that is not canonical would fault in the kernel, with
 * the program's stack.  It cannot be: the address is that behind a SYSCALL
 * instruction, and the last page below USER_END is never mapped; nobody
 * changes it on the stack.
 *
 * Source: Intel SDM vol. 2B, "SYSCALL", "SYSRET", "SWAPGS".
 */
#define THREAD_USER_WORK 8              /* struct thread */
#define TSS_RSP0         4              /* struct gdt_tss */
#define USER_DATA        0x23
#define USER_CODE        0x2b
#define NO_CALL          -38
#define NR_FAST_CALLS    16

    .text
    .global user_call_entry
    .type user_call_entry, @function
user_call_entry:
    swapgs
    movq %rsp, %gs:user_scratch
    movq %gs:gdt_tss + TSS_RSP0, %rsp
    pushq %gs:user_scratch
    pushq %r11                          /* flags */
    pushq %rcx                          /* where to return to */
    pushq %rbp
    xorl %ebp, %ebp
    testb $1, %gs:rcu_own + 8           /* struct rcu_own: active */
    jz user_call_quiet
user_call_seen:
#ifdef CONFIG_LATENCY
    call user_note_entry
#endif
    cmpq user_nr_calls(%rip), %rax
    jae user_call_none
    sbbq %rcx, %rcx                     /* all ones, also when mispredicted */
    andq %rcx, %rax
    movq user_calls(%rip), %r11
    movq (%r11, %rax, 8), %r11
    movq %r10, %rcx
    cmpl $NR_FAST_CALLS, %eax
    jb 1f
#ifdef CONFIG_LATENCY
    call user_note_enable
#endif
    sti
1:
#ifdef CONFIG_RETPOLINE
    call __x86_indirect_thunk_r11
#else
    call *%r11
#endif
user_call_return:
    cli
    movq %gs:thread_current, %rcx
    cmpl $0, THREAD_USER_WORK(%rcx)
    jne user_call_work
#ifdef CONFIG_LATENCY
    call user_note_exit
#endif
    xorl %edi, %edi
    xorl %esi, %esi
    xorl %edx, %edx
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    popq %rbp
    popq %rcx
    popq %r11
    popq %rsp
    swapgs
    sysretq

user_call_none:
    movq $NO_CALL, %rax
    jmp user_call_return

/* The registers with arguments are kept around a call. */
    .macro keep_arguments function
    pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r10
    pushq %r8
    pushq %r9
    pushq %r11
    subq $8, %rsp                       /* aligned */
    call \function
    addq $8, %rsp
    popq %r11
    popq %r9
    popq %r8
    popq %r10
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rax
    ret
    .endm

    /* RCU took the CPU for one that is in user mode. */
user_call_quiet:
    call user_note_quiet
    jmp user_call_seen

    /* Something is to be done before the return; %rax is the result. */
user_call_work:
    pushq %rax
    pushq %rax                          /* aligned */
    call user_finish_work                 /* interrupts disabled again */
    popq %rax
    popq %rax
    jmp user_call_return
    .size user_call_entry, . - user_call_entry

    .type user_note_quiet, @function
user_note_quiet:
    keep_arguments rcu_user_exit
    .size user_note_quiet, . - user_note_quiet

#ifdef CONFIG_LATENCY
user_note_entry:
    keep_arguments latency_irqs_off
user_note_enable:
    pushq %rcx
    call 2f
    popq %rcx
    ret
2:  keep_arguments latency_irqs_on
user_note_exit:
    keep_arguments latency_irqs_on
#endif

/* SYSCALL from 32-bit code, which there is no segment for. */
    .global user_call_entry_32
    .type user_call_entry_32, @function
user_call_entry_32:
    movl $NO_CALL, %eax
    sysretl
    .size user_call_entry_32, . - user_call_entry_32

/*
 * void user_enter_asm(const struct user_start *start): interrupts disabled.
 */
    .global user_enter_asm
    .type user_enter_asm, @function
user_enter_asm:
    movq 0(%rdi), %rcx                  /* pc */
    movq 8(%rdi), %rax                  /* sp */
    movq 24(%rdi), %rsi
    movq 32(%rdi), %rdx
    movq 16(%rdi), %rdi
    /* What is pushed may lie on what was read. */
    movq %gs:gdt_tss + TSS_RSP0, %rsp
    pushq $USER_DATA
    pushq %rax
    pushq $0x202                        /* interrupts enabled */
    pushq $USER_CODE
    pushq %rcx
    xorl %eax, %eax
    xorl %ebx, %ebx
    xorl %ecx, %ecx
    xorl %ebp, %ebp
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
    xorl %r15d, %r15d
    swapgs
    iretq
    .size user_enter_asm, . - user_enter_asm

    .section .note.GNU-stack, "", @progbits
