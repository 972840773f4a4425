/* SPDX-License-Identifier: MIT */
/*
 * Making a memory map from firmware fit for use.
 *
 * Pure: also built for the host.
 */
#ifndef ARCH_X86_MEMMAP_H
#define ARCH_X86_MEMMAP_H

#include <arch/boot_info.h>

/*
 * Sort and clean the memory map in place.  Afterwards the ranges of @info rise,
 * do not overlap, are not empty, end within the physical address space, and
 * neighbours of one type are merged; usable ranges consist of whole 4 KiB
 * pages.  A byte is usable only if a usable range and no other had it.  What
 * was wrong is noted in @info.
 *
 * @info       as a parser left it
 * @phys_bits  width of physical addresses of the processor, 32 to 52
 */
void boot_memmap_sanitise(struct boot_info *info, unsigned int phys_bits);

#endif /* ARCH_X86_MEMMAP_H */
