/* SPDX-License-Identifier: MIT */
/*
 * Parser of the boot information of Multiboot2 loaders.
 *
 * Pure: also built for the host.  The information is untrusted input, and it
 * is not required to be aligned.
 */
#ifndef ARCH_X86_MULTIBOOT2_H
#define ARCH_X86_MULTIBOOT2_H

#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/status.h>

/* In eax at entry.  Source: Multiboot2 specification, "Machine state". */
#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36d76289u

/*
 * Fill a record from the boot information of a Multiboot2 loader.  What is
 * wrong in it is left out and noted in @info.
 *
 * @info      overwritten as a whole
 * @mbi       the information; nothing outside of [mbi, mbi + max_size) is read
 * @max_size  bytes that may be read
 * @mbi_phys  physical address of @mbi, becomes a reserved range
 *
 * Returns: OK, perhaps with problems noted;
 *          ERR_TRUNCATED or ERR_FORMAT, there is no information, and @info is
 *          empty except for its problems
 */
status_t multiboot2_parse(struct boot_info *info, const void *mbi,
                          size_t max_size, uint64_t mbi_phys);

#endif /* ARCH_X86_MULTIBOOT2_H */
