/* SPDX-License-Identifier: MIT */
/*
 * The font of the framebuffer console.  Drawn in tools/font/portolan.txt and
 * converted by the build.
 */
#ifndef X86_FONT_H
#define X86_FONT_H

#include <stdint.h>

#define FONT_NR_GLYPHS 256
#define FONT_WIDTH     8
#define FONT_HEIGHT    16

/* By code page 437; a byte for each line, leftmost pixel in the highest bit. */
extern const uint8_t font_glyphs[FONT_NR_GLYPHS][FONT_HEIGHT];

#endif /* X86_FONT_H */
