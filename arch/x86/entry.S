/* SPDX-License-Identifier: MIT */
/*
 * The first instructions: from the loader's 32-bit protected mode, wherever
 * the image lies in memory, to C in 64-bit mode.
 *
 * Entries: boot_entry (multiboot2, BIOS and UEFI) and boot_pvh (PVH, qemu
 * -kernel).  Both have paging off and interrupts disabled.  The 32-bit part
 * addresses everything relative to %ebp, the distance between where the image
 * is and where it was linked to be.
 *
 * Sources: Multiboot2 Specification, "Machine state"; Xen, "x86/HVM direct
 * boot ABI"; Intel SDM vol. 3A, "Initializing IA-32e Mode".
 */
#define __ASSEMBLER__ 1
#include <arch/layout.h>

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289

/* How the loader's information is to be read, as boot_main() takes it. */
#define BOOT_PVH_MAGIC 0x336ec578

#define PTE_PRESENT_WRITE 0x003
#define PTE_LARGE_WRITE   0x083

/* ------------------------------------------------------- loader headers */

    .section .boot.header, "a"
    .balign 8
multiboot2_header:
    .long MULTIBOOT2_HEADER_MAGIC
    .long 0                             /* i386 protected mode */
    .set header_size, multiboot2_header_end - multiboot2_header
    .long header_size
    .long -(MULTIBOOT2_HEADER_MAGIC + header_size)

    /* Information request: memory map, framebuffer, both RSDPs, EFI. */
    .balign 8
    .short 1, 1
    .long 8 + 7 * 4
    .long 1, 3, 6, 8, 14, 15, 12

    /* Framebuffer, optional, of any size, 32 bits a pixel. */
    .balign 8
    .short 5, 1
    .long 20
    .long 1024, 768, 32

    /* Modules at page boundaries. */
    .balign 8
    .short 6, 1
    .long 8

    /* Relocatable: anywhere from 2 MiB to 2 GiB, lowest first. */
    .balign 8
    .short 10, 0
    .long 24
    .long 0x200000, 0x7fffffff, 0x200000, 1

    .balign 8
    .short 0, 0
    .long 8
multiboot2_header_end:

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18                      /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .balign 4
    .quad boot_pvh

/* ------------------------------------------------------ 32-bit, paging off */

    .section .boot.text, "ax"
    .code32

    .global boot_pvh
boot_pvh:
    cld
    xorl %ebp, %ebp                     /* loaded where it is linked */
    movl $BOOT_PVH_MAGIC, %edi
    jmp boot_common

    .global boot_entry
boot_entry:
    cld
    movl %eax, %edi
    /* The reserved word of the loader's information is our first stack. */
    leal 8(%ebx), %esp
    call 1f
1:  popl %ebp
    subl $1b, %ebp

boot_common:
    movl %ebx, %esi                     /* %edi, %esi: arguments of C */
    rdtsc
    movl %eax, boot_tsc_lo(%ebp)
    movl %edx, boot_tsc_hi(%ebp)
    leal boot_early_stack_top(%ebp), %esp
    call boot_check_cpu
    call boot_make_tables

    /* PAE, then the tables, then long mode, then paging. */
    movl $0x20, %eax
    movl %eax, %cr4
    leal boot_pml4(%ebp), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl $0x80010011, %eax              /* PG WP ET PE */
    movl %eax, %cr0

    leal boot_gdt(%ebp), %eax
    movl %eax, boot_gdt_pointer + 2(%ebp)
    lgdt boot_gdt_pointer(%ebp)
    leal boot_entry64(%ebp), %eax
    pushl $0x08
    pushl %eax
    lret

/* Stop with a message when the processor cannot run 64-bit code. */
boot_check_cpu:
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb boot_no_long_mode
    movl $0x80000001, %eax
    cpuid
    testl $(1 << 29), %edx
    jz boot_no_long_mode
    ret

boot_no_long_mode:
    leal boot_no_long_mode_text(%ebp), %esi
    movl $0xb8000, %edi
1:  lodsb
    testb %al, %al
    jz 2f
    movb %al, (%edi)
    movb $0x07, 1(%edi)
    addl $2, %edi
    movl $0x3f8, %edx
    outb %al, %dx
    jmp 1b
2:  cli
    hlt
    jmp 2b

/*
 * Physical 0 to 4 GiB in 2 MiB pages, at 0 and at the direct map; the image,
 * at most 1 GiB, at KERNEL_BASE.
 */
boot_make_tables:
    leal boot_pdpt_low + PTE_PRESENT_WRITE(%ebp), %eax
    movl %eax, boot_pml4(%ebp)
    movl %eax, boot_pml4 + ((DIRECT_MAP_BASE >> 39) & 511) * 8(%ebp)
    leal boot_pdpt_high + PTE_PRESENT_WRITE(%ebp), %eax
    movl %eax, boot_pml4 + 511 * 8(%ebp)
    leal boot_pd_high + PTE_PRESENT_WRITE(%ebp), %eax
    movl %eax, boot_pdpt_high + 510 * 8(%ebp)

    leal boot_pd_low + PTE_PRESENT_WRITE(%ebp), %eax
    leal boot_pdpt_low(%ebp), %edx
    movl $4, %ecx
1:  movl %eax, (%edx)
    addl $4096, %eax
    addl $8, %edx
    loop 1b

    movl $PTE_LARGE_WRITE, %eax
    leal boot_pd_low(%ebp), %edx
    movl $2048, %ecx
1:  movl %eax, (%edx)
    addl $0x200000, %eax
    addl $8, %edx
    loop 1b

    leal PTE_LARGE_WRITE(%ebp), %eax
    leal boot_pd_high(%ebp), %edx
    movl $512, %ecx
1:  movl %eax, (%edx)
    addl $0x200000, %eax
    addl $8, %edx
    loop 1b
    ret

/* --------------------------------------------------------------- 64-bit */

    .code64
boot_entry64:
    movabsq $boot_entry_high, %rax
    jmp *%rax

    .section .boot.rodata, "a"
boot_no_long_mode_text:
    .asciz "Portolan needs a 64-bit processor."

    .section .boot.data, "aw"
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            /* 64-bit code */
    .quad 0x00cf93000000ffff            /* data */
boot_gdt_pointer:
    .short . - boot_gdt - 1
    .quad 0
    .global boot_tsc_lo, boot_tsc_hi
    .balign 8
boot_tsc_lo:
    .long 0
boot_tsc_hi:
    .long 0

    .section .boot.bss, "aw", @nobits
    .balign 4096
boot_pml4:
    .skip 4096
boot_pdpt_low:
    .skip 4096
boot_pdpt_high:
    .skip 4096
boot_pd_low:
    .skip 4 * 4096
boot_pd_high:
    .skip 4096
boot_early_stack:
    .skip 256
boot_early_stack_top:

    .text
boot_entry_high:
    movl $0x10, %eax
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    /* %gs base 0: the boot CPU uses the per-CPU template for now. */
    movl $0xc0000101, %ecx
    xorl %edx, %edx
    wrmsr

    leaq boot_stack_top(%rip), %rsp
    movl %ebp, %ebp                     /* clear the upper half */
    movq %rbp, kernel_phys_offset(%rip)
    movl %edi, %edi
    movl %esi, %esi
    xorl %ebp, %ebp                     /* ends backtraces */
    pushq %rdi
    pushq %rsi
    call kasan_early_setup
    popq %rsi
    popq %rdi
    call boot_main
1:  cli
    hlt
    jmp 1b

    /* Instrumented builds have another one. */
    .weak kasan_early_setup
kasan_early_setup:
    ret

    .bss
    .balign 4096
    .global boot_stack_guard, boot_stack, boot_stack_top
    .type boot_stack, @object
    .size boot_stack, KERNEL_STACK_SIZE
boot_stack_guard:
    .skip 4096
boot_stack:
    .skip KERNEL_STACK_SIZE
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
