/* SPDX-License-Identifier: MIT */
/*
 * Segments, and the stacks for the vectors that need one of their own.
 *
 * The order of the user segments is what SYSRET wants: data and 64-bit code,
 * behind a base where the segment of 32-bit code would be.  There is none, so
 * programs cannot leave 64-bit mode.  Source: Intel SDM vol. 2B, "SYSRET".
 */
#ifndef X86_GDT_H
#define X86_GDT_H

#include <stdint.h>

#define GDT_KERNEL_CODE 0x08
#define GDT_KERNEL_DATA 0x10
#define GDT_USER_BASE   (0x18 | 3)
#define GDT_USER_DATA   0x20
#define GDT_USER_CODE   0x28
#define GDT_TSS         0x30
#define GDT_NR_ENTRIES  8

#define GDT_IST_NMI           1
#define GDT_IST_DOUBLE_FAULT  2
#define GDT_IST_MACHINE_CHECK 3
#define GDT_IST_DEBUG         4
#define GDT_NR_IST            4

/*
 * Load segments that do not depend on the loader's or the trampoline's
 * memory; they hold until gdt_setup().
 */
void gdt_early_load(void);

/* Fill and load the trap table, and segments.  Context: boot CPU, first. */
void trap_early_setup(void);

/*
 * Load the trap table, and segments.  NMI, #DB, #DF and #MC end the CPU until
 * trap_setup().  Context: a CPU that was just started
 */
void trap_early_load(void);

#endif /* X86_GDT_H */
