/* SPDX-License-Identifier: MIT */
/*
 * MsgSend(), MsgReceive(), MsgReply() of a thread that cannot be cancelled
 * and has no timeout: nothing but the call.  All else is done in C.
 */
#include <portolan/call_nr.h>

#define ERESTART 85

    .weak pthread_cancel

.macro function name
    .globl \name
    .type \name, @function
    .balign 16
\name:
.endm

/* Go to \slow with the arguments as they are, if there is more to be done. */
.macro unless_plain slow, may_cancel
    .if \may_cancel
    cmpq $0, pthread_cancel@GOTPCREL(%rip) /* 0: nobody cancels threads */
    jne \slow
    .endif
    cmpl $0, %fs:__qnx_timeout@tpoff
    jne \slow
.endm

/* What the call needs again for ERESTART is kept below the stack pointer. */
.macro send name, slow, may_cancel
function \name
    unless_plain \slow, \may_cancel
    mov %rdi, -8(%rsp)
    mov %rsi, -16(%rsp)
    mov %rdx, -24(%rsp)
    mov %rcx, -32(%rsp)
    mov %r8, -40(%rsp)
    mov %rcx, %r10
    xor %r9d, %r9d
    mov $PORTOLAN_CALL_MSG_SEND, %eax
    syscall
    test %rax, %rax
    js 1f
    ret
1:
    cmp $-ERESTART, %rax
    jne __qnx_failed_rax
    mov -8(%rsp), %rdi
    mov -16(%rsp), %rsi
    mov -24(%rsp), %rdx
    mov -32(%rsp), %rcx
    mov -40(%rsp), %r8
    jmp \slow
.endm

    .text

    send MsgSend, __qnx_send_slow, 1
    send MsgSendnc, __qnx_sendnc_slow, 0

function MsgReceive
    unless_plain __qnx_receive_slow, 1
    mov %rcx, %r10
    xor %r8d, %r8d
    mov $PORTOLAN_CALL_MSG_RECEIVE, %eax
    syscall
    test %rax, %rax
    js __qnx_failed_rax
    ret

function MsgReply
    mov %rcx, %r10
    xor %r8d, %r8d
    mov $PORTOLAN_CALL_MSG_REPLY, %eax
    syscall
    test %rax, %rax
    js __qnx_failed_rax
    ret

function __qnx_failed_rax
    .hidden __qnx_failed_rax
    mov %rax, %rdi
    jmp __qnx_failed

    .section .note.GNU-stack, "", @progbits
