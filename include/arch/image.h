/* SPDX-License-Identifier: MIT */
/*
 * The kernel's image: its sections, and where the loader put it.
 *
 * All section bounds are page aligned.  The image is contiguous in physical
 * memory, at a base that is known only at run time.
 */
#ifndef ARCH_IMAGE_H
#define ARCH_IMAGE_H

#include <stdint.h>

#include <arch/layout.h>
#include <arch/types.h>

/* Set by the linker script; protection in brackets. */
extern char boot_start[]; /* of the part linked at its physical address */
extern char kernel_start[], kernel_end[];
extern char text_start[], text_end[];     /* [RX] */
extern char rodata_start[], rodata_end[]; /* [R] */
extern char data_start[], data_end[];     /* [RW] */
extern char bss_start[], bss_end[];       /* [RW] */
extern char symtab_start[], symtab_end[]; /* [R] */

/* Load address minus link address, a multiple of 2 MiB; set at entry. */
extern uint64_t kernel_phys_offset;

/*
 * The physical address of a byte of the image.
 */
static inline paddr_t
image_phys(const void *ptr)
{
    return (uintptr_t)ptr - KERNEL_BASE + kernel_phys_offset;
}

#endif /* ARCH_IMAGE_H */
