/* SPDX-License-Identifier: MIT */
/*
 * What trap_asm.S leaves on the stack.
 */
#ifndef X86_TRAP_FRAME_H
#define X86_TRAP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

/*
 * Vectors.  0 to 31 are the processor's exceptions, the rest is ours.
 * Source: Intel SDM vol. 3A, "Exception and Interrupt Vectors".
 */
#define VECTOR_DEBUG         1
#define VECTOR_NMI           2
#define VECTOR_BREAKPOINT    3
#define VECTOR_INVALID_OP    6
#define VECTOR_DOUBLE_FAULT  8
#define VECTOR_PROTECTION    13
#define VECTOR_PAGE_FAULT    14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_NR_EXCEPTIONS 32

/* Device interrupts; 0x30 to 0x3f is where a stray PIC would deliver. */
#define VECTOR_PIC      0x30
#define VECTOR_DEVICE   0x40
#define VECTOR_LOCAL    0xf0
#define VECTOR_TIMER    0xf0
#define VECTOR_XCALL    0xf1
#define VECTOR_WAKE     0xf2
#define VECTOR_ERROR    0xfe
#define VECTOR_SPURIOUS 0xff
#define VECTOR_NR       256

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector;
    uint64_t error;
    /* By the processor. */
    uint64_t rip, cs, rflags, rsp, ss;
};

static_assert(sizeof(struct trap_frame) == 22 * 8, "used by trap_asm.S");
static_assert(offsetof(struct trap_frame, rax) == 14 * 8, "used by trap_asm.S");
static_assert(offsetof(struct trap_frame, cs) == 18 * 8, "used by trap_asm.S");
static_assert(offsetof(struct trap_frame, rflags) == 19 * 8,
              "used by trap_asm.S");
static_assert(offsetof(struct trap_frame, rsp) == 20 * 8, "used by trap_asm.S");

/* Base of %gs for this CPU, stored above the frame on each IST stack. */
#define IST_STACK_RESERVE 16

/* Vector of a frame that no trap made. */
#define TRAP_NO_VECTOR VECTOR_NR

/* Fill @frame with the registers of the caller. */
void trap_capture(struct trap_frame *frame);

/* Let the interrupted trap_safe_read() return false. */
__noreturn void trap_safe_read_fail(struct trap_frame *frame);

/*
 * Page faults, and protection faults for addresses that cannot be: let
 * trap_safe_read() fail if the fault is its.
 *
 * Returns: it is not
 */
void trap_check_safe_read(struct trap_frame *frame);

/* Called by trap_asm.S with interrupts disabled. */
void trap_dispatch(struct trap_frame *frame);

#endif /* X86_TRAP_FRAME_H */
