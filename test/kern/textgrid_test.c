/* SPDX-License-Identifier: MIT */
/*
 * Screens of characters.
 */
#include <kern/textgrid.h>
#include <lib/string.h>
#include <test/test.h>

#define COLUMNS 10
#define ROWS    3

#define GREY_ON_BLACK 0x07
#define BLACK_ON_GREY 0x70

struct screen {
    struct textgrid grid;
    uint16_t cells[TEXTGRID_CELLS(COLUMNS, ROWS)];
    uint16_t drawn[ROWS][COLUMNS];
    unsigned nr_drawn; /* cells */
};

static void
screen_draw(void *ctx, unsigned row, unsigned column, const uint16_t *cells,
            unsigned count)
{
    struct screen *screen;

    screen = ctx;
    memcpy(&screen->drawn[row][column], cells, count * sizeof(*cells));
    screen->nr_drawn += count;
}

static void
screen_write(struct screen *screen, const char *text)
{
    textgrid_write(&screen->grid, text, strlen(text));
    screen->nr_drawn = 0;
    textgrid_flush(&screen->grid, screen_draw, screen);
}

static void
screen_init(struct screen *screen)
{
    memset(screen, 0, sizeof(*screen));
    textgrid_init(&screen->grid, screen->cells, COLUMNS, ROWS);
    screen_write(screen, "");
}

/* The characters of a row as drawn, without the blanks behind them. */
static const char *
screen_row(const struct screen *screen, unsigned row)
{
    static char text[COLUMNS + 1];
    unsigned i, size;

    size = 0;
    for (i = 0; i < COLUMNS; i++) {
        text[i] = (char)(screen->drawn[row][i] & 0xff);
        size = text[i] == ' ' ? size : i + 1;
    }

    text[size] = '\0';
    return text;
}

static unsigned
screen_colours(const struct screen *screen, unsigned row, unsigned column)
{
    return screen->drawn[row][column] >> 8;
}

TEST(textgrid, first_flush_draws_all)
{
    struct screen screen;

    memset(&screen, 0, sizeof(screen));
    textgrid_init(&screen.grid, screen.cells, COLUMNS, ROWS);
    screen_write(&screen, "a");
    EXPECT_EQ(screen.nr_drawn, ROWS * COLUMNS);
    EXPECT_STREQ(screen_row(&screen, 0), "a");
}

TEST(textgrid, blank_screen_need_not_be_drawn)
{
    struct screen screen;

    memset(&screen, 0, sizeof(screen));
    textgrid_init(&screen.grid, screen.cells, COLUMNS, ROWS);
    textgrid_assume_blank(&screen.grid);
    screen_write(&screen, "ab");
    EXPECT_EQ(screen.nr_drawn, 2);
}

TEST(textgrid, only_changes_are_drawn)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "abc");
    EXPECT_EQ(screen.nr_drawn, 3);
    screen_write(&screen, "\rabx");
    EXPECT_EQ(screen.nr_drawn, 1);
    EXPECT_STREQ(screen_row(&screen, 0), "abx");
}

TEST(textgrid, newline_returns_the_carriage)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "ab\ncd");
    EXPECT_STREQ(screen_row(&screen, 0), "ab");
    EXPECT_STREQ(screen_row(&screen, 1), "cd");
}

TEST(textgrid, scrolls_at_the_bottom)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "a\nb\nc\nd\ne");
    EXPECT_STREQ(screen_row(&screen, 0), "c");
    EXPECT_STREQ(screen_row(&screen, 1), "d");
    EXPECT_STREQ(screen_row(&screen, 2), "e");
}

TEST(textgrid, scrolling_draws_what_differs)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "same\nsame\nsame");
    screen_write(&screen, "\n");
    EXPECT_EQ(screen.nr_drawn, 4);
}

TEST(textgrid, wraps_before_the_next_character)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "0123456789");
    EXPECT_EQ(screen.grid.row, 0);
    screen_write(&screen, "\nx");
    EXPECT_STREQ(screen_row(&screen, 1), "x");

    screen_init(&screen);
    screen_write(&screen, "0123456789x");
    EXPECT_STREQ(screen_row(&screen, 1), "x");
}

TEST(textgrid, backspace_stops_at_the_edge)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "ab\b\b\bc");
    EXPECT_STREQ(screen_row(&screen, 0), "cb");
}

TEST(textgrid, tab_stops_every_eight)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "a\tb");
    EXPECT_STREQ(screen_row(&screen, 0), "a       b");
    screen_write(&screen, "\t\tc");
    EXPECT_STREQ(screen_row(&screen, 0), "a       bc");
}

TEST(textgrid, erases_to_the_end_of_the_line)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "abcdef\r\033[3C\033[K");
    EXPECT_STREQ(screen_row(&screen, 0), "abc");
    screen_write(&screen, "\r\033[1K");
    EXPECT_STREQ(screen_row(&screen, 0), " bc");
    screen_write(&screen, "\033[2K");
    EXPECT_STREQ(screen_row(&screen, 0), "");
}

TEST(textgrid, erases_the_screen)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "a\nb\nc\033[H\033[2Jd");
    EXPECT_STREQ(screen_row(&screen, 0), "d");
    EXPECT_STREQ(screen_row(&screen, 1), "");
    EXPECT_STREQ(screen_row(&screen, 2), "");
}

TEST(textgrid, moves_the_cursor_within_the_screen)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "\033[2;4Hx\033[99;99Hy\033[99A\033[99Dz");
    EXPECT_STREQ(screen_row(&screen, 1), "   x");
    EXPECT_STREQ(screen_row(&screen, 2), "         y");
    EXPECT_STREQ(screen_row(&screen, 0), "z");
}

TEST(textgrid, renders_colours)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "a\033[31mb\033[1;44mc\033[7md\033[me\033[97mf");
    EXPECT_EQ(screen_colours(&screen, 0, 0), GREY_ON_BLACK);
    EXPECT_EQ(screen_colours(&screen, 0, 1), 0x04);
    EXPECT_EQ(screen_colours(&screen, 0, 2), 0x1c);
    EXPECT_EQ(screen_colours(&screen, 0, 3), 0xc1);
    EXPECT_EQ(screen_colours(&screen, 0, 4), GREY_ON_BLACK);
    EXPECT_EQ(screen_colours(&screen, 0, 5), 0x0f);
}

TEST(textgrid, sequences_may_be_split)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "abc\033");
    screen_write(&screen, "[");
    screen_write(&screen, "2");
    screen_write(&screen, "Dx\xc2");
    screen_write(&screen, "\xb0");
    EXPECT_STREQ(screen_row(&screen, 0), "ax\xf8");
}

TEST(textgrid, unknown_sequences_vanish)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "a\033[?25l\033[1;2;3;4;5;6;7z\033[999999999999x\033"
                          "cb");
    EXPECT_STREQ(screen_row(&screen, 0), "ab");
}

TEST(textgrid, utf8_becomes_code_page_437)
{
    struct screen screen;

    screen_init(&screen);
    screen_write(&screen, "\xe2\x94\x80\xe2\x82\xac\x80\xe2x");
    EXPECT_STREQ(screen_row(&screen, 0), "\xc4??x");
}

TEST(textgrid, cursor_is_drawn_and_moves)
{
    struct screen screen;

    screen_init(&screen);
    screen.grid.draws_cursor = true;
    screen_write(&screen, "a");
    EXPECT_EQ(screen_colours(&screen, 0, 0), GREY_ON_BLACK);
    EXPECT_EQ(screen_colours(&screen, 0, 1), BLACK_ON_GREY);
    screen_write(&screen, "\n");
    EXPECT_EQ(screen_colours(&screen, 0, 1), GREY_ON_BLACK);
    EXPECT_EQ(screen_colours(&screen, 1, 0), BLACK_ON_GREY);
    screen_write(&screen, "0123456789");
    EXPECT_EQ(screen_colours(&screen, 1, COLUMNS - 1), BLACK_ON_GREY);
}

/* Whatever comes in, what is drawn is what the grid has. */
TEST(textgrid, survives_random_bytes)
{
    static const char alphabet[] = "\033\033[[[;0123456789ABCDHJKmfab\n\r\b\t"
                                   "\xc2\xb0\xe2";
    struct screen screen;
    unsigned i, row, column;
    char text[16];

    screen_init(&screen);
    for (i = 0; i < 2000; i++) {
        for (column = 0; column < sizeof(text) - 1; column++) {
            text[column] = alphabet[rand_below(&t->rand, sizeof(alphabet) - 1)];
        }
        text[column] = '\0';
        screen_write(&screen, text);
    }

    for (row = 0; row < ROWS; row++) {
        for (column = 0; column < COLUMNS; column++) {
            EXPECT_EQ(screen.drawn[row][column],
                      textgrid_cell(&screen.grid, row, column));
        }
    }
}
