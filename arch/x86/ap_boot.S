/* SPDX-License-Identifier: MIT */
/*
 * Where a CPU that gets a start-up interrupt begins: 16-bit code, copied to a
 * page below 1 MiB.  It goes to 64-bit mode in one step and jumps to C with
 * what smp.c left at the end of the page.
 *
 * Source: Intel SDM vol. 3A, "Multiple-Processor (MP) Initialization",
 * "Initializing IA-32e Mode".
 */
#define PARAMS      0xf80               /* struct smp_params */
#define PARAM_CR3   (PARAMS + 0x00)
#define PARAM_EFER  (PARAMS + 0x04)
#define PARAM_FAR   (PARAMS + 0x08)
#define PARAM_GDT   (PARAMS + 0x10)
#define PARAM_STACK (PARAMS + 0x18)
#define PARAM_GS    (PARAMS + 0x20)
#define PARAM_ENTRY (PARAMS + 0x28)
#define PARAM_TABLE (PARAMS + 0x30)

    .section .rodata
    .global ap_boot_start, ap_boot_long, ap_boot_end
    .balign 16
    .code16
ap_boot_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    movl $0x20, %eax                    /* PAE */
    movl %eax, %cr4
    movl PARAM_CR3, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    xorl %edx, %edx
    movl PARAM_EFER, %eax
    wrmsr
    lgdtl PARAM_GDT
    movl $0x80010011, %eax              /* PG WP ET PE */
    movl %eax, %cr0
    ljmpl *PARAM_FAR

    .code64
ap_boot_long:
    movl $0x10, %eax
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    leaq ap_boot_start(%rip), %rbx
    movl $0xc0000101, %ecx
    movl PARAM_GS(%rbx), %eax
    movl PARAM_GS + 4(%rbx), %edx
    wrmsr
    movq PARAM_STACK(%rbx), %rsp
    movq PARAM_ENTRY(%rbx), %rax
    xorl %ebp, %ebp
    call *%rax
1:  cli
    hlt
    jmp 1b
ap_boot_end:

    .section .note.GNU-stack, "", @progbits
