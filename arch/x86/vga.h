/* SPDX-License-Identifier: MIT */
/*
 * Console on VGA text, 80 columns and 25 rows.
 */
#ifndef X86_VGA_H
#define X86_VGA_H

struct boot_info;

/*
 * Register console "vga" when the screen shows text: the loader says so, or
 * says nothing, the firmware is no EFI, and the hardware is there.
 *
 * Context: boot CPU, the low 4 GiB are in the direct map
 */
void vga_early_setup(const struct boot_info *info);

#endif /* X86_VGA_H */
