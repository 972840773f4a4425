/* SPDX-License-Identifier: MIT */
/*
 * Console on a linear framebuffer.
 */
#ifndef X86_FB_H
#define X86_FB_H

struct boot_info;

/*
 * Register console "fb" when the loader handed over a framebuffer of 15 to 32
 * bits per pixel.  One beyond the low 4 GiB has to wait for the init operation
 * fb_setup, after pmap_setup.
 *
 * Context: boot CPU, the low 4 GiB are in the direct map
 */
void fb_early_setup(const struct boot_info *info);

#endif /* X86_FB_H */
