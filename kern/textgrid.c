/* SPDX-License-Identifier: MIT */
/*
 * Screen of characters.
 *
 * Invariants: row < rows; column <= columns; a row outside dirty_first ..
 * dirty_end is equal in cells and shown, the cursor aside.  The cell 0 in
 * shown means "unknown": no text makes it, since its colours are black on
 * black.
 *
 * A terminal that ends a line exactly at the right edge does not wrap until
 * another character comes; so the column may be one past the last.
 *
 * Source of sequences: ECMA-48, "Control functions".
 */
#include <lib/assert.h>
#include <lib/string.h>

#include <kern/textgrid.h>

#define TEXTGRID_TAB        8
#define TEXTGRID_COLOURS    0x07 /* light grey on black */
#define TEXTGRID_BRIGHT     0x08
#define TEXTGRID_UNKNOWN    '?'
#define TEXTGRID_NUMBER_MAX 9999u

/* Code points above ASCII that code page 437 has and the kernel may print. */
static const struct {
    uint16_t code_point;
    uint8_t character;
} textgrid_characters[] = {
    { 0x00b0, 0xf8 }, /* degree */
    { 0x00b1, 0xf1 }, /* plus-minus */
    { 0x00b5, 0xe6 }, /* micro */
    { 0x00b7, 0xfa }, /* middle dot */
    { 0x2500, 0xc4 }, /* horizontal line */
    { 0x2502, 0xb3 }, /* vertical line */
    { 0x250c, 0xda }, /* corner, top left */
    { 0x2510, 0xbf }, /* corner, top right */
    { 0x2514, 0xc0 }, /* corner, bottom left */
    { 0x2518, 0xd9 }, /* corner, bottom right */
    { 0x251c, 0xc3 }, /* tee to the right */
    { 0x2524, 0xb4 }, /* tee to the left */
    { 0x252c, 0xc2 }, /* tee down */
    { 0x2534, 0xc1 }, /* tee up */
    { 0x253c, 0xc5 }, /* cross */
    { 0x2588, 0xdb }, /* full block */
    { 0x2591, 0xb0 }, /* light shade */
};

/* ANSI numbers colours with red first, the VGA with blue first. */
static const uint8_t textgrid_vga_colours[8] = { 0, 4, 2, 6, 1, 5, 3, 7 };

static uint16_t *
textgrid_row_cells(const struct textgrid *grid, unsigned row)
{
    assert(row < grid->rows);

    return &grid->cells[(grid->top + row) % grid->rows * grid->columns];
}

static uint16_t
textgrid_swap_colours(uint16_t cell)
{
    return (uint16_t)((cell & 0xff) | TEXTGRID_FOREGROUND(cell) << 12 |
                      TEXTGRID_BACKGROUND(cell) << 8);
}

static uint16_t
textgrid_make_cell(const struct textgrid *grid, uint8_t character)
{
    uint16_t cell;

    cell = (uint16_t)(grid->colours << 8 | character);
    return grid->is_reverse ? textgrid_swap_colours(cell) : cell;
}

static void
textgrid_touch(struct textgrid *grid, unsigned first, unsigned end)
{
    grid->dirty_first = MIN(grid->dirty_first, first);
    grid->dirty_end = MAX(grid->dirty_end, end);
}

/* Blank the cells of @row from @first to before @end. */
static void
textgrid_erase(struct textgrid *grid, unsigned row, unsigned first,
               unsigned end)
{
    uint16_t *cells;
    unsigned i;

    cells = textgrid_row_cells(grid, row);
    for (i = first; i < end; i++) {
        cells[i] = (uint16_t)((grid->colours & 0xf7) << 8 | ' ');
    }
    textgrid_touch(grid, row, row + 1);
}

static void
textgrid_erase_rows(struct textgrid *grid, unsigned first, unsigned end)
{
    unsigned row;

    for (row = first; row < end; row++) {
        textgrid_erase(grid, row, 0, grid->columns);
    }
}

static void
textgrid_next_row(struct textgrid *grid)
{
    if (grid->row + 1 < grid->rows) {
        grid->row++;
        return;
    }

    grid->top = (grid->top + 1) % grid->rows;
    textgrid_erase(grid, grid->row, 0, grid->columns);
    textgrid_touch(grid, 0, grid->rows);
}

static void
textgrid_put(struct textgrid *grid, uint8_t character)
{
    if (grid->column == grid->columns) {
        grid->column = 0;
        textgrid_next_row(grid);
    }

    textgrid_row_cells(grid, grid->row)[grid->column] =
        textgrid_make_cell(grid, character);
    textgrid_touch(grid, grid->row, grid->row + 1);
    grid->column++;
}

static void
textgrid_put_code_point(struct textgrid *grid, uint32_t code_point)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(textgrid_characters); i++) {
        if (textgrid_characters[i].code_point == code_point) {
            textgrid_put(grid, textgrid_characters[i].character);
            return;
        }
    }

    textgrid_put(grid, TEXTGRID_UNKNOWN);
}

/* A byte above ASCII: a part of a UTF-8 sequence. */
static void
textgrid_utf8(struct textgrid *grid, uint8_t byte)
{
    bool is_first;

    is_first = byte >= 0xc0;
    if (is_first) {
        grid->nr_missing = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
        grid->code_point = byte & (0x3f >> grid->nr_missing);
        return;
    }
    if (grid->nr_missing == 0) {
        textgrid_put(grid, TEXTGRID_UNKNOWN);
        return;
    }

    grid->code_point = grid->code_point << 6 | (byte & 0x3f);
    grid->nr_missing--;
    if (grid->nr_missing == 0) {
        textgrid_put_code_point(grid, grid->code_point);
    }
}

static void
textgrid_plain(struct textgrid *grid, uint8_t byte)
{
    if (byte >= 0x80) {
        textgrid_utf8(grid, byte);
        return;
    }

    grid->nr_missing = 0;
    switch (byte) {
    case '\n':
        grid->column = 0;
        textgrid_next_row(grid);
        break;
    case '\r':
        grid->column = 0;
        break;
    case '\b':
        grid->column = textgrid_cursor_column(grid);
        grid->column -= grid->column > 0;
        break;
    case '\t':
        grid->column = ALIGN_DOWN(grid->column, TEXTGRID_TAB) + TEXTGRID_TAB;
        grid->column = textgrid_cursor_column(grid);
        break;
    case '\033':
        grid->state = TEXTGRID_ESCAPE;
        break;
    default:
        if (byte >= ' ' && byte < 0x7f) {
            textgrid_put(grid, byte);
        }
        break;
    }
}

/* Parameter @i, @missing when it was not given or is 0. */
static unsigned
textgrid_parameter(const struct textgrid *grid, unsigned i, unsigned missing)
{
    return grid->parameters[i] == 0 ? missing : grid->parameters[i];
}

static void
textgrid_set_foreground(struct textgrid *grid, unsigned colour)
{
    grid->colours =
        (uint8_t)((grid->colours & 0xf8) | textgrid_vga_colours[colour]);
}

static void
textgrid_set_background(struct textgrid *grid, unsigned colour)
{
    grid->colours =
        (uint8_t)((grid->colours & 0x0f) | textgrid_vga_colours[colour] << 4);
}

/* One parameter of "select graphic rendition". */
static void
textgrid_render(struct textgrid *grid, unsigned parameter)
{
    switch (parameter) {
    case 0:
        grid->colours = TEXTGRID_COLOURS;
        grid->is_reverse = false;
        break;
    case 1:
        grid->colours |= TEXTGRID_BRIGHT;
        break;
    case 7:
        grid->is_reverse = true;
        break;
    case 22:
        grid->colours &= (uint8_t)~TEXTGRID_BRIGHT;
        break;
    case 27:
        grid->is_reverse = false;
        break;
    case 30 ... 37:
        textgrid_set_foreground(grid, parameter - 30);
        break;
    case 39:
        textgrid_set_foreground(grid, 7);
        break;
    case 40 ... 47:
        textgrid_set_background(grid, parameter - 40);
        break;
    case 49:
        textgrid_set_background(grid, 0);
        break;
    case 90 ... 97:
        textgrid_set_foreground(grid, parameter - 90);
        grid->colours |= TEXTGRID_BRIGHT;
        break;
    default:
        break;
    }
}

static void
textgrid_move(struct textgrid *grid, unsigned row, unsigned column)
{
    grid->row = MIN(row, grid->rows - 1);
    grid->column = MIN(column, grid->columns - 1);
}

/* Parameter of K and J: 0 from the cursor, 1 up to it, 2 all. */
static void
textgrid_erase_line(struct textgrid *grid)
{
    unsigned column;

    column = textgrid_cursor_column(grid);
    switch (grid->parameters[0]) {
    case 0:
        textgrid_erase(grid, grid->row, grid->column, grid->columns);
        break;
    case 1:
        textgrid_erase(grid, grid->row, 0, column + 1);
        break;
    case 2:
        textgrid_erase(grid, grid->row, 0, grid->columns);
        break;
    default:
        break;
    }
}

static void
textgrid_erase_screen(struct textgrid *grid)
{
    switch (grid->parameters[0]) {
    case 0:
        textgrid_erase_line(grid);
        textgrid_erase_rows(grid, grid->row + 1, grid->rows);
        break;
    case 1:
        textgrid_erase_rows(grid, 0, grid->row);
        textgrid_erase_line(grid);
        break;
    case 2:
        textgrid_erase_rows(grid, 0, grid->rows);
        break;
    default:
        break;
    }
}

static void
textgrid_move_by(struct textgrid *grid, uint8_t letter)
{
    unsigned row, column, distance;

    row = grid->row;
    column = textgrid_cursor_column(grid);
    distance = textgrid_parameter(grid, 0, 1);

    switch (letter) {
    case 'A':
        row -= MIN(row, distance);
        break;
    case 'B':
        row += distance;
        break;
    case 'C':
        column += distance;
        break;
    default:
        column -= MIN(column, distance);
        break;
    }

    textgrid_move(grid, row, column);
}

static void
textgrid_execute(struct textgrid *grid, uint8_t letter)
{
    unsigned i;

    switch (letter) {
    case 'A' ... 'D':
        textgrid_move_by(grid, letter);
        break;
    case 'H':
    case 'f':
        textgrid_move(grid, textgrid_parameter(grid, 0, 1) - 1,
                      textgrid_parameter(grid, 1, 1) - 1);
        break;
    case 'J':
        textgrid_erase_screen(grid);
        break;
    case 'K':
        textgrid_erase_line(grid);
        break;
    case 'm':
        for (i = 0; i < grid->nr_parameters; i++) {
            textgrid_render(grid, grid->parameters[i]);
        }
        break;
    default:
        break;
    }
}

static void
textgrid_begin_sequence(struct textgrid *grid, uint8_t byte)
{
    grid->state = byte == '[' ? TEXTGRID_CSI : TEXTGRID_PLAIN;
    grid->nr_parameters = 1;
    memset(grid->parameters, 0, sizeof(grid->parameters));
}

/* A digit of the last parameter; those of too many change nothing. */
static void
textgrid_add_digit(struct textgrid *grid, unsigned digit)
{
    unsigned *parameter;

    if (grid->nr_parameters > TEXTGRID_NR_PARAMETERS) {
        return;
    }

    parameter = &grid->parameters[grid->nr_parameters - 1];
    *parameter = MIN(*parameter * 10 + digit, TEXTGRID_NUMBER_MAX);
}

static void
textgrid_sequence(struct textgrid *grid, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        textgrid_add_digit(grid, byte - '0');
        return;
    }
    if (byte == ';') {
        grid->nr_parameters =
            MIN(grid->nr_parameters + 1, TEXTGRID_NR_PARAMETERS + 1);
        return;
    }
    if (byte >= 0x20 && byte < 0x40) {
        return;
    }

    grid->state = TEXTGRID_PLAIN;
    grid->nr_parameters = MIN(grid->nr_parameters, TEXTGRID_NR_PARAMETERS);
    textgrid_execute(grid, byte);
}

static void
textgrid_byte(struct textgrid *grid, uint8_t byte)
{
    switch (grid->state) {
    case TEXTGRID_ESCAPE:
        textgrid_begin_sequence(grid, byte);
        break;
    case TEXTGRID_CSI:
        textgrid_sequence(grid, byte);
        break;
    default:
        textgrid_plain(grid, byte);
        break;
    }
}

/* What is to be seen at a place, the cursor included. */
static uint16_t
textgrid_visible(const struct textgrid *grid, unsigned row, unsigned column)
{
    uint16_t cell;

    cell = textgrid_cell(grid, row, column);
    if (grid->draws_cursor && row == grid->row &&
        column == textgrid_cursor_column(grid)) {
        cell = textgrid_swap_colours(cell);
    }

    return cell;
}

/* Draw runs of cells that differ. */
static void
textgrid_flush_row(struct textgrid *grid, unsigned row, textgrid_draw_fn_t draw,
                   void *ctx)
{
    unsigned column, first;
    uint16_t *shown, cell;

    shown = &grid->shown[row * grid->columns];
    first = grid->columns;
    for (column = 0; column < grid->columns; column++) {
        cell = textgrid_visible(grid, row, column);
        if (shown[column] != cell) {
            shown[column] = cell;
            first = MIN(first, column);
        } else if (first < column) {
            draw(ctx, row, first, &shown[first], column - first);
            first = grid->columns;
        }
    }

    if (first < grid->columns) {
        draw(ctx, row, first, &shown[first], grid->columns - first);
    }
}

void
textgrid_init(struct textgrid *grid, uint16_t *cells, unsigned columns,
              unsigned rows)
{
    assert(columns > 0 && rows > 0);

    memset(grid, 0, sizeof(*grid));
    grid->cells = cells;
    grid->shown = cells + (size_t)columns * rows;
    grid->columns = columns;
    grid->rows = rows;
    grid->colours = TEXTGRID_COLOURS;
    memset(grid->shown, 0, (size_t)columns * rows * sizeof(*cells));
    textgrid_erase_rows(grid, 0, rows);
}

void
textgrid_assume_blank(struct textgrid *grid)
{
    memcpy(grid->shown, grid->cells,
           (size_t)grid->columns * grid->rows * sizeof(*grid->cells));
}

void
textgrid_write(struct textgrid *grid, const char *text, size_t size)
{
    size_t i;

    textgrid_touch(grid, grid->row, grid->row + 1);
    for (i = 0; i < size; i++) {
        textgrid_byte(grid, (uint8_t)text[i]);
    }
    textgrid_touch(grid, grid->row, grid->row + 1);
}

void
textgrid_flush(struct textgrid *grid, textgrid_draw_fn_t draw, void *ctx)
{
    unsigned row;

    for (row = grid->dirty_first; row < grid->dirty_end; row++) {
        textgrid_flush_row(grid, row, draw, ctx);
    }

    grid->dirty_first = grid->rows;
    grid->dirty_end = 0;
}

uint16_t
textgrid_cell(const struct textgrid *grid, unsigned row, unsigned column)
{
    assert(column < grid->columns);

    return textgrid_row_cells(grid, row)[column];
}
