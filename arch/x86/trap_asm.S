/* SPDX-License-Identifier: MIT */
/*
 * Entries from all vectors.
 *
 * Two ways in.  Most vectors look at the saved CS: from user mode they swap
 * %gs, from the kernel they leave it alone.  NMI, #DB, #DF and #MC can come
 * between a user's entry and its swapgs, so CS says nothing about %gs there;
 * each has its own stack (IST), above whose frame lies the %gs base of the
 * CPU.  They save the base that they find and put it back.  Until a CPU has
 * these stacks, and no user either, they take the way of the others.  #DB of a
 * program is handled as its other exceptions, and may sleep: its frame is moved
 * to the stack that they use.
 *
 * No way back to the kernel goes through iretq inside of an NMI but the NMI's
 * own: iretq would let the next NMI in, onto the same stack.
 *
 * The frame is struct trap_frame.
 */
#define FRAME_SIZE   (22 * 8)
#define FRAME_RAX    (14 * 8)
#define FRAME_CS     (18 * 8)
#define FRAME_RFLAGS (19 * 8)
#define FRAME_RSP    (20 * 8)
#define RFLAGS_CLEAR 2
#define NO_VECTOR    256
#define MSR_GS_BASE  0xc0000101
#define TSS_RSP0     4                  /* struct gdt_tss */

    .macro push_registers
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    /* DF, as C wants it, and AC, which would make SMAP ineffective. */
    pushq $RFLAGS_CLEAR
    popfq
    .endm

    .macro pop_registers_but_rax
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    .endm

    .macro pop_registers
    pop_registers_but_rax
    popq %rax
    addq $16, %rsp                      /* vector and error code */
    .endm

    .text
    .global trap_code_start, trap_code_end
trap_code_start:
trap_common:
    push_registers
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
1:  lfence                              /* no %gs of a mispredicted jump */
trap_common_saved:
    movq %rsp, %rdi
    call trap_dispatch
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
1:  pop_registers
    iretq

trap_debug:
    push_registers
    testb $3, FRAME_CS(%rsp)
    jz trap_paranoid_saved
    swapgs
    movq %rsp, %rsi
    movq %gs:gdt_tss + TSS_RSP0, %rdi
    subq $FRAME_SIZE, %rdi
    movq %rdi, %rax
    movl $FRAME_SIZE / 8, %ecx
    rep movsq
    movq %rax, %rsp
    jmp trap_common_saved

trap_paranoid:
    push_registers
trap_paranoid_saved:
    movl $MSR_GS_BASE, %ecx
    rdmsr
    shlq $32, %rdx
    leaq (%rdx, %rax), %rbx             /* kept by C: the base we found */
    movl FRAME_SIZE(%rsp), %eax
    movl FRAME_SIZE + 4(%rsp), %edx
    wrmsr
    movq %rsp, %rdi
    call trap_dispatch
    movl $MSR_GS_BASE, %ecx
    movl %ebx, %eax
    movq %rbx, %rdx
    shrq $32, %rdx
    wrmsr
    pop_registers
    iretq

trap_code_end:

/* 16 bytes each, so that the table is an array. */
    .balign 16
    .global trap_stubs, trap_early_stubs
trap_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    /* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX push an error code. */
    .set has_error, (vector == 8) || (vector >= 10 && vector <= 14)
    .set has_error, has_error || (vector == 17) || (vector == 21)
    .set has_error, has_error || (vector == 29) || (vector == 30)
    .if !has_error
    pushq $0
    .endif
    pushq $vector
    .if (vector == 1)
    jmp trap_debug
    .elseif (vector == 2) || (vector == 8) || (vector == 18)
    jmp trap_paranoid
    .else
    jmp trap_common
    .endif
    .set vector, vector + 1
    .endr
    .balign 16

/* In the order of enum trap_special. */
trap_early_stubs:
    .irp vector, 1, 2, 8, 18
    .balign 16
    .if \vector != 8
    pushq $0
    .endif
    pushq $\vector
    jmp trap_common
    .endr
    .balign 16

/*
 * bool trap_safe_read(uintptr_t addr, uint64_t *value): the handlers of page
 * and protection faults know the access.
 */
    .global trap_safe_read, trap_safe_read_access
    .type trap_safe_read, @function
trap_safe_read:
trap_safe_read_access:
    movq (%rdi), %rax
    movq %rax, (%rsi)
    movl $1, %eax
    ret
    .size trap_safe_read, . - trap_safe_read

/*
 * void trap_safe_read_fail(struct trap_frame *frame): return false from the
 * interrupted trap_safe_read(), without iretq, since it may be part of an NMI.
 */
    .global trap_safe_read_fail
    .type trap_safe_read_fail, @function
trap_safe_read_fail:
    movq %rdi, %rsp
    pop_registers_but_rax
    movq FRAME_RSP - FRAME_RAX(%rsp), %rax
    pushq FRAME_RFLAGS - FRAME_RAX(%rsp)
    popfq
    movq %rax, %rsp
    xorl %eax, %eax
    ret
    .size trap_safe_read_fail, . - trap_safe_read_fail

/* void trap_capture(struct trap_frame *frame) */
    .global trap_capture
    .type trap_capture, @function
trap_capture:
    movq %r15, 0x00(%rdi)
    movq %r14, 0x08(%rdi)
    movq %r13, 0x10(%rdi)
    movq %r12, 0x18(%rdi)
    movq %r11, 0x20(%rdi)
    movq %r10, 0x28(%rdi)
    movq %r9, 0x30(%rdi)
    movq %r8, 0x38(%rdi)
    movq %rbp, 0x40(%rdi)
    movq %rdi, 0x48(%rdi)
    movq %rsi, 0x50(%rdi)
    movq %rdx, 0x58(%rdi)
    movq %rcx, 0x60(%rdi)
    movq %rbx, 0x68(%rdi)
    movq %rax, 0x70(%rdi)
    movq $NO_VECTOR, 0x78(%rdi)
    movq $0, 0x80(%rdi)                 /* error code */
    movq (%rsp), %rax
    movq %rax, 0x88(%rdi)               /* %rip */
    movl %cs, %eax
    movq %rax, 0x90(%rdi)
    pushfq
    popq 0x98(%rdi)
    leaq 8(%rsp), %rax
    movq %rax, 0xa0(%rdi)               /* %rsp */
    movl %ss, %eax
    movq %rax, 0xa8(%rdi)
    ret
    .size trap_capture, . - trap_capture

    .type trap_common, @function
    .size trap_common, trap_debug - trap_common
    .type trap_debug, @function
    .size trap_debug, trap_paranoid - trap_debug
    .type trap_paranoid, @function
    .size trap_paranoid, trap_stubs - trap_paranoid
    .type trap_stubs, @function
    .size trap_stubs, trap_safe_read - trap_stubs

    .section .note.GNU-stack, "", @progbits
