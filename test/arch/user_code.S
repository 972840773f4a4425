/* SPDX-License-Identifier: MIT */
/*
 * Programs for the tests of user mode: copied into a space and executed there,
 * wherever that is.  Each begins at user_code_NAME and ends with call EXIT,
 * whose argument is 0 if all was as it should be.
 */
#define CALL_NULL  16
#define CALL_EXIT  17
#define CALL_TLS   20

    .macro exit
    movl $CALL_EXIT, %eax
    syscall
    ud2
    .endm

    /* Exit with a number if the last comparison was not equal. */
    .macro expect_equal number
    je 1f
    movl $\number, %edi
    exit
1:
    .endm

    .macro program name
    .balign 16
    .global user_code_\name
user_code_\name:
    .endm

    .macro expect_register register, value, number
    movabsq $\value, %rcx
    cmpq %rcx, %\register
    expect_equal \number
    .endm

    .section .rodata.user_code, "a"
    .balign 4096
    .global user_code_start, user_code_end
user_code_start:

    program nothing
    xorl %edi, %edi
    exit

    /* What a program begins with; arguments 1, 2, 3. */
    program begin
    cmpq $1, %rdi
    expect_equal 1
    cmpq $2, %rsi
    expect_equal 2
    cmpq $3, %rdx
    expect_equal 3
    .irp register, rax, rbx, rcx, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    testq %\register, %\register
    expect_equal 4
    .endr
    xorl %edi, %edi
    exit

    /* Call @rdi; what is kept, what is 0, and the result, @rsi. */
    program keeps
    movq %rdi, %rax
    movq %rsi, %r15
    movabsq $0x1111111111111111, %rbx
    movabsq $0x2222222222222222, %rbp
    movabsq $0x3333333333333333, %r12
    movabsq $0x4444444444444444, %r13
    movabsq $0x5555555555555555, %r14
    movl $1, %edi
    movl $2, %esi
    movl $3, %edx
    movl $4, %r10d
    movl $5, %r8d
    movl $6, %r9d
    movq %rsp, %rcx
    movq %rcx, %xmm3
    syscall
    cmpq %r15, %rax
    expect_equal 1
    .irp register, rdi, rsi, rdx, r8, r9, r10
    testq %\register, %\register
    expect_equal 2
    .endr
    expect_register rbx, 0x1111111111111111, 3
    expect_register rbp, 0x2222222222222222, 4
    expect_register r12, 0x3333333333333333, 5
    expect_register r13, 0x4444444444444444, 6
    expect_register r14, 0x5555555555555555, 7
    movq %xmm3, %rcx
    cmpq %rcx, %rsp
    expect_equal 8
    xorl %edi, %edi
    exit

    /* Have all vector registers hold @rdi + i, for @rsi rounds of call @rdx. */
    program vectors
    movq %rsi, %r12
    movq %rdx, %r13
    movq %rdi, %rbx
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    leaq \i(%rbx), %rax
    movq %rax, %xmm\i
    punpcklqdq %xmm\i, %xmm\i
    .endr
    fninit
    pushq %rbx
    fildll (%rsp)
2:  movq %r13, %rax
    syscall
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    leaq \i(%rbx), %rcx
    movq %xmm\i, %rdx
    cmpq %rcx, %rdx
    expect_equal 1
    movhlps %xmm\i, %xmm\i
    movq %xmm\i, %rdx
    cmpq %rcx, %rdx
    expect_equal 2
    .endr
    movl $200, %ecx
3:  pause
    decl %ecx
    jnz 3b
    decq %r12
    jnz 2b
    fistpll (%rsp)
    cmpq (%rsp), %rbx
    expect_equal 3
    xorl %edi, %edi
    exit

    /* The bases @rdi of %fs and %gs, kept over @rsi rounds of call @rdx. */
    program bases
    wrfsbase %rdi
    wrgsbase %rdi
    movq %rdi, %rbx
    movq %rsi, %r12
    movq %rdx, %r13
2:  movq %r13, %rax
    syscall
    rdfsbase %rax
    cmpq %rbx, %rax
    expect_equal 1
    rdgsbase %rax
    cmpq %rbx, %rax
    expect_equal 2
    decq %r12
    jnz 2b
    xorl %edi, %edi
    exit

    /* Set the base @rdi; the word at %fs:0, over @rsi rounds of call @rdx. */
    program tls
    movq %rdi, (%rdi)
    movq %rdi, %rbx
    movq %rsi, %r12
    movq %rdx, %r13
    movq %rdi, %rsi
    movl $CALL_TLS, %eax
    syscall
    testq %rax, %rax
    expect_equal 2
2:  movq %r13, %rax
    syscall
    cmpq %fs:0, %rbx
    expect_equal 1
    decq %r12
    jnz 2b
    xorl %edi, %edi
    exit

    /* @rdi rounds of CALL_NULL. */
    program calls
    movq %rdi, %r12
2:  movl $CALL_NULL, %eax
    syscall
    decq %r12
    jnz 2b
    xorl %edi, %edi
    exit

    program spin
2:  pause
    jmp 2b

    /* Upper halves of %ymm hold @rdi + i, for @rsi rounds of call @rdx. */
    program wide
    movq %rsi, %r12
    movq %rdx, %r13
    movq %rdi, %rbx
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    leaq \i(%rbx), %rax
    vmovq %rax, %xmm\i
    vinsertf128 $1, %xmm\i, %ymm\i, %ymm\i
    .endr
2:  movq %r13, %rax
    syscall
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vextractf128 $1, %ymm\i, -16(%rsp)
    leaq \i(%rbx), %rcx
    cmpq %rcx, -16(%rsp)
    expect_equal 1
    .endr
    decq %r12
    jnz 2b
    xorl %edi, %edi
    exit

    /* Three functions deep, an exception. */
    program frames
    xorl %ebp, %ebp
    call 1f
    exit
    .global user_code_frames_1, user_code_frames_2
1:  pushq %rbp
    movq %rsp, %rbp
    call 2f
user_code_frames_1:
    exit
2:  pushq %rbp
    movq %rsp, %rbp
    call 3f
user_code_frames_2:
    exit
3:  pushq %rbp
    movq %rsp, %rbp
    ud2

    /* A frame whose link is itself, and one that cannot be read: @rdi. */
    program frames_bad
    movq %rdi, %rbp
    testq %rbp, %rbp
    jnz 2f
    leaq -16(%rsp), %rbp
    movq %rbp, (%rbp)
    movq %rbp, 8(%rbp)
2:  ud2

    program sysenter
    sysenter
    exit

    /* Exceptions; what comes back goes on behind. */
    program invalid
    ud2
    exit

    program breakpoint
    int3
    exit

    program divide
    xorl %eax, %eax
    xorl %edx, %edx
    xorl %ecx, %ecx
    divl %ecx
    exit

    program halt
    hlt
    exit

    program mask
    cli
    exit

    program interrupt
    int $0x80
    exit

    program port
    outb %al, $0x80
    exit

    program model_register
    movl $0xc0000080, %ecx
    rdmsr
    exit

    program far                         /* to 32-bit code */
    movq $0x1b, %rax
    shlq $32, %rax
    pushq %rax
    ljmpl *(%rsp)
    exit

    program read                        /* of @rdi */
    movq (%rdi), %rax
    exit

    program write
    movq %rdi, (%rdi)
    exit

    program jump
    jmp *%rdi
    exit

    program stack                       /* not canonical */
    movabsq $0x8000000000000000, %rsp
    pushq %rax
    exit

    program floating                    /* its exception is not masked */
    fninit
    pushq $0x340
    fldcw (%rsp)
    fldz
    fld1
    fdivp
    fwait
    exit

    /* Single steps over a call: each instruction until TF is cleared. */
    program steps
    pushfq
    popq %r12
    orq $0x100, %r12
    movl $CALL_NULL, %eax
    pushq %r12
    popfq
    syscall
    nop
    andq $~0x100, %r12
    pushq %r12
    popfq
    xorl %edi, %edi
    exit

    /* %ss is loaded, with TF set, right before the call. */
    program blocked
    pushfq
    popq %r12
    movl %ss, %ebx
    orq $0x100, %r12
    movl $CALL_NULL, %eax
    pushq %r12
    popfq
    movl %ebx, %ss
    syscall
    andq $~0x100, %r12
    pushq %r12
    popfq
    xorl %edi, %edi
    exit

    /* DF, AC, NT, ID: the program keeps them, and the call sees none. */
    program flags
    pushfq
    orq $0x244400, (%rsp)
    popfq
    movl $CALL_NULL, %eax
    syscall
    pushfq
    popq %rbx
    pushfq
    andq $~0x244400, (%rsp)
    popfq
    testq %rax, %rax
    expect_equal 1
    andl $0x244400, %ebx
    cmpl $0x244400, %ebx
    expect_equal 2
    xorl %edi, %edi
    exit

    /* A call, as the last instruction of a page. */
    program last
    movl $CALL_EXIT, %eax
    syscall
user_code_end:

    .section .note.GNU-stack, "", @progbits
