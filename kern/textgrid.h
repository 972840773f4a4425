/* SPDX-License-Identifier: MIT */
/*
 * A screen of characters in memory: what consoles that draw have in common.
 *
 * Text goes in with textgrid_write(), with the control characters and the
 * ANSI sequences a line editor needs; textgrid_flush() hands the driver what
 * differs from what it has drawn already.  So scrolling never reads video
 * memory, and a driver draws each cell at most once for each write.
 *
 * A cell is the VGA's: the character in the low byte, the foreground in bits
 * 8..11, the background in bits 12..15.  Characters are those of code page
 * 437; UTF-8 is translated as far as there is a counterpart.
 *
 * Pure: no lock, no device, no allocation.
 */
#ifndef KERN_TEXTGRID_H
#define KERN_TEXTGRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

#define TEXTGRID_NR_PARAMETERS 4u

enum textgrid_state {
    TEXTGRID_PLAIN,
    TEXTGRID_ESCAPE, /* after ESC */
    TEXTGRID_CSI,    /* after ESC [ */
};

/*
 * Keys: [c] constant after textgrid_init(); the rest is of the caller's lock.
 * Rows count from the top of the screen, columns from its left, both from 0.
 */
struct textgrid {
    uint16_t *cells;   /* wanted, a ring of rows that begins at @top */
    uint16_t *shown;   /* what the driver has drawn, row 0 first */
    unsigned columns;  /* [c] */
    unsigned rows;     /* [c] */
    bool draws_cursor; /* [c] the cursor is a cell with colours swapped */

    unsigned top;
    unsigned row;         /* of the cursor */
    unsigned column;      /* of the cursor; @columns: wrap before the next */
    unsigned dirty_first; /* rows that may differ from @shown: from this */
    unsigned dirty_end;   /* to before this */

    uint8_t colours; /* as in the high byte of a cell */
    bool is_reverse; /* the next characters are drawn with colours swapped */

    enum textgrid_state state;
    unsigned parameters[TEXTGRID_NR_PARAMETERS]; /* of the CSI sequence */
    unsigned nr_parameters;
    uint32_t code_point; /* of a UTF-8 sequence, as far as it came */
    unsigned nr_missing; /* bytes of it that are still to come */
};

/*
 * Draws adjacent cells of a row.
 *
 * @cells  @count of them, not 0
 */
typedef void (*textgrid_draw_fn_t)(void *ctx, unsigned row, unsigned column,
                                   const uint16_t *cells, unsigned count);

/* Room that a grid needs, in units of sizeof(uint16_t). */
#define TEXTGRID_CELLS(columns, rows) (2 * (size_t)(columns) * (rows))

/* The colours of a cell, 0..15. */
#define TEXTGRID_FOREGROUND(cell) (((cell) >> 8) & 0xf)
#define TEXTGRID_BACKGROUND(cell) (((cell) >> 12) & 0xf)

/*
 * Make a grid of blanks, none of them drawn.
 *
 * @cells  TEXTGRID_CELLS(columns, rows) of them, kept by reference
 */
void textgrid_init(struct textgrid *grid, uint16_t *cells, unsigned columns,
                   unsigned rows);

/*
 * The screen was filled with the background: blanks need not be drawn.
 *
 * @grid  just initialised
 */
void textgrid_assume_blank(struct textgrid *grid);

/*
 * Put text on the screen at the cursor.
 *
 * @text  bytes; sequences may be split between calls
 */
void textgrid_write(struct textgrid *grid, const char *text, size_t size);

/*
 * Have everything drawn that changed since the last call.
 */
void textgrid_flush(struct textgrid *grid, textgrid_draw_fn_t draw, void *ctx);

/*
 * The cell at a place, as text put it there.
 *
 * @row, @column  on the screen
 */
uint16_t textgrid_cell(const struct textgrid *grid, unsigned row,
                       unsigned column);

/*
 * The column of the cursor as it is shown, always on the screen.
 */
static inline unsigned
textgrid_cursor_column(const struct textgrid *grid)
{
    return MIN(grid->column, grid->columns - 1);
}

#endif /* KERN_TEXTGRID_H */
