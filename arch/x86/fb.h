/* SPDX-License-Identifier: MIT */
/*
 * Console on a linear framebuffer.
 */
#ifndef X86_FB_H
#define X86_FB_H

#include <stdbool.h>
#include <stddef.h>

#include <arch/types.h>

struct boot_info;

/*
 * Register console "fb" when the loader handed over a framebuffer of 15 to 32
 * bits per pixel.  One beyond the low 4 GiB has to wait for fb_remap().
 *
 * Context: boot CPU, the low 4 GiB are in the direct map
 */
void fb_early_setup(const struct boot_info *info);

/*
 * Where the framebuffer is, so that it can be mapped.
 *
 * @physp, @sizep  of its memory; written only when there is one
 *
 * Returns: whether there is one
 */
bool fb_region(paddr_t *physp, size_t *sizep);

/*
 * From now on draw through another mapping, best a write-combining one.
 *
 * @base  of what fb_region() told, stays mapped; so does the former until all
 *        CPUs have left console_write()
 */
void fb_remap(void *base);

#endif /* X86_FB_H */
