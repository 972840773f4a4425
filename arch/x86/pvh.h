/* SPDX-License-Identifier: MIT */
/*
 * Parser of the start information of the PVH boot protocol.
 *
 * Pure: also built for the host.  Everything in it is a physical address, so
 * the caller says how memory is read.
 */
#ifndef ARCH_X86_PVH_H
#define ARCH_X86_PVH_H

#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/status.h>

/*
 * Make physical memory readable.
 *
 * @size  bytes, at least 1
 *
 * Returns: where [phys, phys + size) can be read until the parser returns,
 *          with any alignment; NULL when it cannot
 */
typedef const void *(*pvh_phys_to_ptr_fn_t)(uint64_t phys, size_t size);

/*
 * Fill a record from the start information of a PVH loader.  What is wrong in
 * it is left out and noted in @info.
 *
 * @info         overwritten as a whole
 * @start_phys   physical address of struct hvm_start_info: ebx at entry
 * @phys_to_ptr  how memory is read
 *
 * Returns: OK, perhaps with problems noted;
 *          ERR_FAULT or ERR_FORMAT, there is no start information, and @info
 *          is empty except for its problems
 */
status_t pvh_parse(struct boot_info *info, uint64_t start_phys,
                   pvh_phys_to_ptr_fn_t phys_to_ptr);

#endif /* ARCH_X86_PVH_H */
