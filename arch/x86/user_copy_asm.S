/* SPDX-License-Identifier: MIT */
/*
 * The instructions that access users' memory, and no others.
 *
 * The callers have seen to it that the addresses are below USER_END.  Where
 * the processor has SMAP, the three bytes of user_open and user_close are
 * made stac and clac when the kernel starts; without it they do nothing.
 *
 * An access that must not be ends at what user_fixup says for it.  The
 * copies go on there byte by byte, from a place up to which all was copied,
 * to end at the first byte that cannot be, and say exactly how many are left.
 */
#define NOP3    0x0f, 0x1f, 0x00        /* nopl (%rax) */
#define STAC_3  0xcb                    /* third byte; the others are 0f 01 */
#define CLAC_3  0xca

/* Faults in [from, to) go on at target: struct user_fixup. */
    .macro user_fixup from, to, target
    .pushsection .table.fixup, "a"
    .balign 8
    .quad \from, \to, \target
    .popsection
    .endm

/* struct user_patch */
    .macro user_patch third_byte
661: .byte NOP3
    .pushsection .table.smap, "a"
    .balign 8
    .quad 661b, \third_byte
    .popsection
    .endm

    .macro user_open
    user_patch STAC_3
    .endm

    .macro user_close
    user_patch CLAC_3
    .endm

    .macro function name
    .global \name
    .type \name, @function
    .balign 16
\name:
    .endm

    .macro function_end name
    .size \name, . - \name
    .endm

    .text
    .global user_access_start, user_access_end
user_access_start:

/* size_t user_access_copy(void *dst, const void *src, size_t size) */
function user_access_copy
    user_open
.Lcopy_begin:
    cmpq $64, %rdx
    ja .Lcopy_large
    cmpl $16, %edx
    jae .Lcopy_16_to_64
    cmpl $8, %edx
    jae .Lcopy_8_to_15
    cmpl $4, %edx
    jae .Lcopy_4_to_7
    movl %edx, %ecx
    jmp .Lcopy_bytes

    /* Overlapping words from both ends. */
.Lcopy_4_to_7:
    movl (%rsi), %r8d
    movl -4(%rsi, %rdx), %r9d
    movl %r8d, (%rdi)
    movl %r9d, -4(%rdi, %rdx)
    jmp .Lcopy_done

.Lcopy_8_to_15:
    movq (%rsi), %r8
    movq -8(%rsi, %rdx), %r9
    movq %r8, (%rdi)
    movq %r9, -8(%rdi, %rdx)
    jmp .Lcopy_done

.Lcopy_16_to_64:
    movq (%rsi), %r8
    movq 8(%rsi), %r9
    movq -16(%rsi, %rdx), %r10
    movq -8(%rsi, %rdx), %r11
    cmpl $32, %edx
    jbe 1f
    movq 16(%rsi), %rax
    movq 24(%rsi), %rcx
    movq %rax, 16(%rdi)
    movq %rcx, 24(%rdi)
    movq -32(%rsi, %rdx), %rax
    movq -24(%rsi, %rdx), %rcx
    movq %rax, -32(%rdi, %rdx)
    movq %rcx, -24(%rdi, %rdx)
1:  movq %r8, (%rdi)
    movq %r9, 8(%rdi)
    movq %r10, -16(%rdi, %rdx)
    movq %r11, -8(%rdi, %rdx)
.Lcopy_done:
    xorl %eax, %eax
    user_close
    ret

.Lcopy_large:
    leaq (%rdi, %rdx), %r8
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
.Lcopy_large_begin:
    rep movsq
    /* The word that ends with the last byte. */
    movq -8(%rsi, %rdx), %rax
    movq %rax, -8(%rdi, %rdx)
    jmp .Lcopy_done

.Lcopy_large_fault:
    movq %r8, %rcx
    subq %rdi, %rcx
    jmp .Lcopy_bytes
.Lcopy_small_fault:
    movl %edx, %ecx
.Lcopy_bytes:
    rep movsb
.Lcopy_end:
    movq %rcx, %rax
    user_close
    ret

    user_fixup .Lcopy_begin, .Lcopy_large, .Lcopy_small_fault
    user_fixup .Lcopy_large_begin, .Lcopy_large_fault, .Lcopy_large_fault
    user_fixup .Lcopy_bytes, .Lcopy_end, .Lcopy_end
function_end user_access_copy

/* size_t user_access_clear(void *dst, size_t size) */
function user_access_clear
    leaq (%rdi, %rsi), %r8
    movq %rsi, %rcx
    shrq $3, %rcx
    xorl %eax, %eax
    user_open
.Lclear_begin:
    rep stosq
.Lclear_fault:
    movq %r8, %rcx
    subq %rdi, %rcx
.Lclear_bytes:
    rep stosb
.Lclear_end:
    movq %rcx, %rax
    user_close
    ret

    user_fixup .Lclear_begin, .Lclear_fault, .Lclear_fault
    user_fixup .Lclear_bytes, .Lclear_end, .Lclear_end
function_end user_access_clear

/* bool user_access_read(const void *src, uint64_t *value) */
function user_access_read
    user_open
.Lread:
    movq (%rdi), %rax
    user_close
    movq %rax, (%rsi)
    movl $1, %eax
    ret
    user_fixup .Lread, .Lread + 1, .Laccess_fault
function_end user_access_read

/* bool user_access_write(void *dst, uint64_t value) */
function user_access_write
    user_open
.Lwrite:
    movq %rsi, (%rdi)
    user_close
    movl $1, %eax
    ret
    user_fixup .Lwrite, .Lwrite + 1, .Laccess_fault
function_end user_access_write

/* bool user_access_write_u32(void *dst, uint32_t value) */
function user_access_write_u32
    user_open
.Lwrite_u32:
    movl %esi, (%rdi)
    user_close
    movl $1, %eax
    ret
    user_fixup .Lwrite_u32, .Lwrite_u32 + 1, .Laccess_fault
function_end user_access_write_u32

/* bool user_access_cas(void *addr, uint32_t *old, uint32_t value) */
function user_access_cas
    movl (%rsi), %eax
    user_open
.Lcas:
    lock cmpxchgl %edx, (%rdi)
    user_close
    movl %eax, (%rsi)
    movl $1, %eax
    ret
    user_fixup .Lcas, .Lcas + 1, .Laccess_fault
function_end user_access_cas

.Laccess_fault:
    xorl %eax, %eax
    user_close
    ret

user_access_end:

    .section .note.GNU-stack, "", @progbits
