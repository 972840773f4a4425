/* SPDX-License-Identifier: MIT */
/*
 * Segments, and the stacks for the vectors that need one of their own.
 *
 * The order of the user segments is what SYSRET wants: 32-bit code, data,
 * 64-bit code.  Source: Intel SDM vol. 2B, "SYSRET".
 */
#ifndef X86_GDT_H
#define X86_GDT_H

#define GDT_KERNEL_CODE  0x08
#define GDT_KERNEL_DATA  0x10
#define GDT_USER_CODE_32 0x18
#define GDT_USER_DATA    0x20
#define GDT_USER_CODE    0x28
#define GDT_TSS          0x30
#define GDT_NR_ENTRIES   8

#define GDT_IST_NMI           1
#define GDT_IST_DOUBLE_FAULT  2
#define GDT_IST_MACHINE_CHECK 3
#define GDT_IST_DEBUG         4
#define GDT_NR_IST            4

/* Load the trap table before per-CPU segments exist.  Context: boot CPU. */
void trap_early_setup(void);

#endif /* X86_GDT_H */
