/* SPDX-License-Identifier: MIT */
/*
 * Framebuffer console.
 *
 * The grid knows what is on the screen, so a cell is drawn only when it
 * changed, and the framebuffer, which is slow to write and very slow to read,
 * is only written.  A line of a glyph is drawn by a function for the size of
 * the pixels.  Large screens get glyphs of two or more times the size, also
 * because the room for cells is static: there is no allocator yet.
 *
 * All of this runs under the lock of the consoles.
 */
#include <lib/string.h>

#include <arch/boot_info.h>
#include <arch/pmap.h>

#include <kern/console.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/textgrid.h>

#include "fb.h"
#include "font.h"

#define FB_COLUMNS_MAX 240
#define FB_ROWS_MAX    80
#define FB_COLUMNS_MIN 20
#define FB_ROWS_MIN    5

/* From this width on glyphs are doubled. */
#define FB_WIDTH_LARGE 1920

#define FB_NR_COLOURS 16

/* Two pixels that are stored at once, by two bits of a glyph. */
#define FB_NR_PAIRS 4

/*
 * One line of a glyph.
 */
struct fb_line {
    uint8_t bits;        /* highest is leftmost */
    unsigned scale;      /* pixels for a bit */
    uint32_t colours[2]; /* pixel for 0 and 1 */
    uint64_t pairs[FB_NR_PAIRS];
};

/* Stores into lines of any pitch. */
typedef volatile uint16_t fb_pixel16_t __aligned(1);
typedef volatile uint32_t fb_pixel32_t __aligned(1);
typedef volatile uint64_t fb_pair32_t __aligned(1);

typedef void (*fb_put_line_fn_t)(volatile uint8_t *pixel,
                                 const struct fb_line *line);

/*
 * Keys: [c] constant once registered   [C] console lock
 */
static struct {
    struct console console;
    struct textgrid grid;            /* [C] */
    struct boot_framebuffer mode;    /* [c] type NONE: there is none */
    volatile uint8_t *base;          /* [c] NULL: not mapped yet */
    unsigned scale;                  /* [c] pixels for a bit of the font */
    unsigned pixel_size;             /* [c] bytes */
    fb_put_line_fn_t put_line;       /* [c] */
    uint32_t colours[FB_NR_COLOURS]; /* [c] pixels */
    uint16_t cells[TEXTGRID_CELLS(FB_COLUMNS_MAX, FB_ROWS_MAX)]; /* [C] */
} fb;

/* Red, green, blue of the VGA's colours. */
static const uint8_t fb_rgb[FB_NR_COLOURS][3] = {
    { 0x00, 0x00, 0x00 }, { 0x20, 0x40, 0xc0 }, { 0x20, 0xa0, 0x40 },
    { 0x20, 0xa0, 0xa0 }, { 0xc0, 0x30, 0x30 }, { 0xa0, 0x40, 0xa0 },
    { 0xb0, 0x80, 0x20 }, { 0xc0, 0xc0, 0xc0 }, { 0x70, 0x70, 0x70 },
    { 0x60, 0x90, 0xff }, { 0x60, 0xe0, 0x70 }, { 0x60, 0xe0, 0xe0 },
    { 0xff, 0x70, 0x70 }, { 0xe0, 0x80, 0xe0 }, { 0xff, 0xe0, 0x70 },
    { 0xff, 0xff, 0xff },
};

/* The pixel for bit @i of a line, 0 is leftmost. */
static uint32_t
fb_line_pixel(const struct fb_line *line, unsigned i)
{
    return line->colours[line->bits >> (FONT_WIDTH - 1 - i) & 1];
}

static void
fb_put_line_16(volatile uint8_t *pixel, const struct fb_line *line)
{
    fb_pixel16_t *pixels;
    uint16_t colour;
    unsigned i, j;

    pixels = (fb_pixel16_t *)pixel;
    for (i = 0; i < FONT_WIDTH; i++) {
        colour = (uint16_t)fb_line_pixel(line, i);
        for (j = 0; j < line->scale; j++) {
            *pixels++ = colour;
        }
    }
}

static void
fb_put_line_24(volatile uint8_t *pixel, const struct fb_line *line)
{
    uint32_t colour;
    unsigned i, j;

    for (i = 0; i < FONT_WIDTH; i++) {
        colour = fb_line_pixel(line, i);
        for (j = 0; j < line->scale; j++) {
            *pixel++ = (uint8_t)colour;
            *pixel++ = (uint8_t)(colour >> 8);
            *pixel++ = (uint8_t)(colour >> 16);
        }
    }
}

static void
fb_put_line_32(volatile uint8_t *pixel, const struct fb_line *line)
{
    fb_pixel32_t *pixels;
    uint32_t colour;
    unsigned i, j;

    pixels = (fb_pixel32_t *)pixel;
    for (i = 0; i < FONT_WIDTH; i++) {
        colour = fb_line_pixel(line, i);
        for (j = 0; j < line->scale; j++) {
            *pixels++ = colour;
        }
    }
}

/* A frequent case: 32 bits, scale 2. */
static void
fb_put_line_32_doubled(volatile uint8_t *pixel, const struct fb_line *line)
{
    fb_pair32_t *pixels;
    unsigned i;

    pixels = (fb_pair32_t *)pixel;
    for (i = 0; i < FONT_WIDTH; i++) {
        pixels[i] = line->pairs[3 * (line->bits >> (FONT_WIDTH - 1 - i) & 1)];
    }
}

/* The usual case: 32 bits, scale 1. */
static void
fb_put_line_32_pairs(volatile uint8_t *pixel, const struct fb_line *line)
{
    fb_pair32_t *pixels;

    pixels = (fb_pair32_t *)pixel;
    pixels[0] = line->pairs[line->bits >> 6];
    pixels[1] = line->pairs[line->bits >> 4 & 3];
    pixels[2] = line->pairs[line->bits >> 2 & 3];
    pixels[3] = line->pairs[line->bits & 3];
}

static fb_put_line_fn_t
fb_choose_put_line_32(unsigned scale)
{
    switch (scale) {
    case 1:
        return fb_put_line_32_pairs;
    case 2:
        return fb_put_line_32_doubled;
    default:
        return fb_put_line_32;
    }
}

static fb_put_line_fn_t
fb_choose_put_line(const struct boot_framebuffer *mode, unsigned scale)
{
    switch (mode->bpp) {
    case 15:
    case 16:
        return fb_put_line_16;
    case 24:
        return fb_put_line_24;
    default:
        return fb_choose_put_line_32(scale);
    }
}

/* Choose the pixels for the colours of a cell. */
static void
fb_set_colours(struct fb_line *line, uint16_t cell)
{
    unsigned i;

    line->colours[0] = fb.colours[TEXTGRID_BACKGROUND(cell)];
    line->colours[1] = fb.colours[TEXTGRID_FOREGROUND(cell)];
    for (i = 0; i < FB_NR_PAIRS; i++) {
        line->pairs[i] = (uint64_t)line->colours[i & 1] << 32 |
                         line->colours[i >> 1];
    }
}

static void
fb_draw_cell(volatile uint8_t *pixel, uint16_t cell)
{
    struct fb_line line;
    unsigned i, j;

    line.scale = fb.scale;
    fb_set_colours(&line, cell);
    for (i = 0; i < FONT_HEIGHT; i++) {
        line.bits = font_glyphs[cell & 0xff][i];
        for (j = 0; j < fb.scale; j++) {
            fb.put_line(pixel, &line);
            pixel += fb.mode.pitch;
        }
    }
}

static void
fb_draw(void *ctx, unsigned row, unsigned column, const uint16_t *cells,
        unsigned count)
{
    volatile uint8_t *pixel;
    unsigned i, cell_size;

    (void)ctx;
    cell_size = FONT_WIDTH * fb.scale * fb.pixel_size;
    pixel = fb.base + (size_t)row * FONT_HEIGHT * fb.scale * fb.mode.pitch;
    pixel += (size_t)column * cell_size;
    for (i = 0; i < count; i++) {
        fb_draw_cell(pixel, cells[i]);
        pixel += cell_size;
    }
}

/* Stores that the processor combines are to be seen now. */
static void
fb_drain(void)
{
    __asm__ volatile("sfence" : : : "memory");
}

static void
fb_write(struct console *console, const char *text, size_t size)
{
    (void)console;
    textgrid_write(&fb.grid, text, size);
    textgrid_flush(&fb.grid, fb_draw, NULL);
    fb_drain();
}

static uint32_t
fb_component(uint8_t value, const struct boot_colour *colour)
{
    if (colour->size > 8) {
        return (uint32_t)value << (colour->size - 8) << colour->position;
    }

    return (uint32_t)(value >> (8 - colour->size)) << colour->position;
}

static void
fb_make_colours(const struct boot_framebuffer *mode)
{
    unsigned i;

    for (i = 0; i < FB_NR_COLOURS; i++) {
        fb.colours[i] = fb_component(fb_rgb[i][0], &mode->red) |
                        fb_component(fb_rgb[i][1], &mode->green) |
                        fb_component(fb_rgb[i][2], &mode->blue);
    }
}

static bool
fb_colour_is_valid(const struct boot_framebuffer *mode,
                   const struct boot_colour *colour)
{
    return colour->size <= 16 && colour->position + colour->size <= mode->bpp;
}

static bool
fb_pixel_is_supported(const struct boot_framebuffer *mode)
{
    switch (mode->bpp) {
    case 15:
    case 16:
    case 24:
    case 32:
        return mode->type == BOOT_FRAMEBUFFER_RGB;
    default:
        return false;
    }
}

/* Never trust the loader. */
static bool
fb_is_usable(const struct boot_framebuffer *mode)
{
    uint64_t size;

    if (!fb_pixel_is_supported(mode) || mode->width > UINT16_MAX ||
        mode->height > UINT16_MAX) {
        return false;
    }

    size = (uint64_t)mode->pitch * mode->height;
    return mode->phys != 0 && mode->phys <= UINT64_MAX - size &&
           mode->pitch >= mode->width * DIV_ROUND_UP(mode->bpp, 8u) &&
           mode->width >= FB_COLUMNS_MIN * FONT_WIDTH &&
           mode->height >= FB_ROWS_MIN * FONT_HEIGHT &&
           fb_colour_is_valid(mode, &mode->red) &&
           fb_colour_is_valid(mode, &mode->green) &&
           fb_colour_is_valid(mode, &mode->blue);
}

static bool
fb_scale_fits(const struct boot_framebuffer *mode, unsigned scale)
{
    return mode->width / (FONT_WIDTH * scale) <= FB_COLUMNS_MAX &&
           mode->height / (FONT_HEIGHT * scale) <= FB_ROWS_MAX;
}

static unsigned
fb_choose_scale(const struct boot_framebuffer *mode)
{
    unsigned scale;

    scale = mode->width >= FB_WIDTH_LARGE ? 2 : 1;
    while (!fb_scale_fits(mode, scale)) {
        scale++;
    }

    return scale;
}

/* Make an empty screen and join the consoles, if it can be reached. */
static void
fb_start(void)
{
    size_t size;

    size = (size_t)fb.mode.pitch * fb.mode.height;
    fb.base = pmap_direct_map(fb.mode.phys, size, PMAP_WC);
    if (fb.base == NULL) {
        return;
    }

    memset((void *)fb.base, 0, size);
    textgrid_init(&fb.grid, fb.cells, fb.mode.width / (FONT_WIDTH * fb.scale),
                  fb.mode.height / (FONT_HEIGHT * fb.scale));
    textgrid_assume_blank(&fb.grid);
    fb.grid.draws_cursor = true;

    fb.console.name = "fb";
    fb.console.write = fb_write;
    console_register(&fb.console);
    log_debug("fb: %u x %u, %u bits, %u columns, %u rows", fb.mode.width,
              fb.mode.height, fb.mode.bpp, fb.grid.columns, fb.grid.rows);
}

void
fb_early_setup(const struct boot_info *info)
{
    const struct boot_framebuffer *mode;

    mode = &info->framebuffer;
    if (!fb_is_usable(mode)) {
        return;
    }

    fb.mode = *mode;
    fb.scale = fb_choose_scale(mode);
    fb.pixel_size = DIV_ROUND_UP(mode->bpp, 8u);
    fb.put_line = fb_choose_put_line(mode, fb.scale);
    fb_make_colours(mode);
    fb_start();
}

/* What could not be reached before there were page tables of our own. */
static status_t
fb_setup(void)
{
    if (fb.mode.type != BOOT_FRAMEBUFFER_NONE && fb.base == NULL) {
        fb_start();
    }

    return OK;
}

INIT_OP(fb_setup, INIT_BOOT_CPU, AFTER(pmap_setup));
