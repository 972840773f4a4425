/* SPDX-License-Identifier: MIT */
/*
 * VGA text.
 *
 * The adapter shows an array of cells at a fixed address; which of them is in
 * memory is the grid's matter, so video memory is only written.  All of this
 * runs under the lock of the consoles.
 *
 * Source: IBM VGA Technical Reference, "CRT Controller", "Graphics
 * Controller".
 */
#include <arch/boot_info.h>
#include <arch/pmap.h>

#include <kern/console.h>
#include <kern/log.h>
#include <kern/textgrid.h>

#include "io.h"
#include "vga.h"

#define VGA_TEXT_PHYS UINT64_C(0xb8000)
#define VGA_COLUMNS   80
#define VGA_ROWS      25

#define VGA_CRTC_INDEX 0x3d4
#define VGA_CRTC_DATA  0x3d5
#define VGA_GC_INDEX   0x3ce
#define VGA_GC_DATA    0x3cf

#define VGA_CRTC_CURSOR_START 0x0a
#define VGA_CRTC_CURSOR_END   0x0b
#define VGA_CRTC_START_HIGH   0x0c
#define VGA_CRTC_START_LOW    0x0d
#define VGA_CRTC_CURSOR_HIGH  0x0e
#define VGA_CRTC_CURSOR_LOW   0x0f

/* Scan lines of the cursor in a character of 16; bit 5 of start hides it. */
#define VGA_CURSOR_FIRST_LINE 14
#define VGA_CURSOR_LAST_LINE  15

#define VGA_GC_MISC          0x06
#define VGA_GC_MISC_GRAPHICS 0x01

static struct {
    struct console console;
    struct textgrid grid;
    volatile uint16_t *memory;
    uint16_t cells[TEXTGRID_CELLS(VGA_COLUMNS, VGA_ROWS)];
} vga;

static void
vga_crtc_set(uint8_t reg, uint8_t value)
{
    outb(VGA_CRTC_INDEX, reg);
    outb(VGA_CRTC_DATA, value);
}

static uint8_t
vga_crtc_get(uint8_t reg)
{
    outb(VGA_CRTC_INDEX, reg);
    return inb(VGA_CRTC_DATA);
}

/* Whether the position of the cursor can be written and read back. */
static bool
vga_is_present(void)
{
    uint8_t old;
    bool is_present;

    old = vga_crtc_get(VGA_CRTC_CURSOR_LOW);
    vga_crtc_set(VGA_CRTC_CURSOR_LOW, 0x5a);
    is_present = vga_crtc_get(VGA_CRTC_CURSOR_LOW) == 0x5a;
    vga_crtc_set(VGA_CRTC_CURSOR_LOW, 0xa5);
    is_present = is_present && vga_crtc_get(VGA_CRTC_CURSOR_LOW) == 0xa5;
    vga_crtc_set(VGA_CRTC_CURSOR_LOW, old);
    return is_present;
}

static bool
vga_is_text_mode(void)
{
    outb(VGA_GC_INDEX, VGA_GC_MISC);
    return (inb(VGA_GC_DATA) & VGA_GC_MISC_GRAPHICS) == 0;
}

static bool
vga_is_usable(const struct boot_info *info)
{
    switch (info->framebuffer.type) {
    case BOOT_FRAMEBUFFER_TEXT:
        return info->framebuffer.width == VGA_COLUMNS &&
               info->framebuffer.height == VGA_ROWS;
    case BOOT_FRAMEBUFFER_NONE:
        return info->efi_system_table == 0 && vga_is_present() &&
               vga_is_text_mode();
    default:
        return false;
    }
}

static void
vga_draw(void *ctx, unsigned row, unsigned column, const uint16_t *cells,
         unsigned count)
{
    volatile uint16_t *memory;
    unsigned i;

    (void)ctx;
    memory = &vga.memory[row * VGA_COLUMNS + column];
    for (i = 0; i < count; i++) {
        memory[i] = cells[i];
    }
}

static void
vga_move_cursor(void)
{
    unsigned offset;

    offset = vga.grid.row * VGA_COLUMNS + textgrid_cursor_column(&vga.grid);
    vga_crtc_set(VGA_CRTC_CURSOR_HIGH, (uint8_t)(offset >> 8));
    vga_crtc_set(VGA_CRTC_CURSOR_LOW, (uint8_t)offset);
}

static void
vga_write(struct console *console, const char *text, size_t size)
{
    (void)console;
    textgrid_write(&vga.grid, text, size);
    textgrid_flush(&vga.grid, vga_draw, NULL);
    vga_move_cursor();
}

void
vga_early_setup(const struct boot_info *info)
{
    if (!vga_is_usable(info)) {
        return;
    }

    vga.memory =
        pmap_direct_map(VGA_TEXT_PHYS, VGA_COLUMNS * VGA_ROWS * 2, PMAP_UC);
    if (vga.memory == NULL) {
        return;
    }

    textgrid_init(&vga.grid, vga.cells, VGA_COLUMNS, VGA_ROWS);

    vga_crtc_set(VGA_CRTC_START_HIGH, 0);
    vga_crtc_set(VGA_CRTC_START_LOW, 0);
    vga_crtc_set(VGA_CRTC_CURSOR_START, VGA_CURSOR_FIRST_LINE);
    vga_crtc_set(VGA_CRTC_CURSOR_END, VGA_CURSOR_LAST_LINE);

    vga.console.name = "vga";
    vga.console.write = vga_write;
    console_register(&vga.console);
    log_debug("vga: text, %u columns, %u rows", VGA_COLUMNS, VGA_ROWS);
}
