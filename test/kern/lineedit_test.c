/* SPDX-License-Identifier: MIT */
/*
 * The line editor.
 */
#include <kern/console_key.h>
#include <kern/lineedit.h>
#include <lib/string.h>
#include <test/test.h>

static void
feed(struct lineedit *edit, const char *keys)
{
    while (*keys != '\0') {
        lineedit_feed(edit, (unsigned char)*keys++);
    }
}

/* Type a line and begin the next. */
static void
enter(struct lineedit *edit, const char *line)
{
    feed(edit, line);
    lineedit_feed(edit, '\n');
    lineedit_start(edit);
}

TEST(lineedit, appends)
{
    static struct lineedit edit;

    lineedit_start(&edit);
    EXPECT_EQ(lineedit_feed(&edit, 'a'), LINEEDIT_APPENDED);
    EXPECT_EQ(lineedit_feed(&edit, 'b'), LINEEDIT_APPENDED);
    EXPECT_STREQ(edit.text, "ab");
    EXPECT_EQ(lineedit_feed(&edit, '\n'), LINEEDIT_DONE);
    EXPECT_STREQ(edit.text, "ab");
}

TEST(lineedit, inserts_at_the_cursor)
{
    static struct lineedit edit;

    lineedit_start(&edit);
    feed(&edit, "ac");
    EXPECT_EQ(lineedit_feed(&edit, CONSOLE_KEY_LEFT), LINEEDIT_CHANGED);
    EXPECT_EQ(lineedit_feed(&edit, 'b'), LINEEDIT_CHANGED);
    EXPECT_STREQ(edit.text, "abc");
    EXPECT_EQ(edit.cursor, 2);
}

TEST(lineedit, home_and_end)
{
    static struct lineedit edit;

    lineedit_start(&edit);
    feed(&edit, "bc\001a\005d");
    EXPECT_STREQ(edit.text, "abcd");
    lineedit_feed(&edit, CONSOLE_KEY_HOME);
    EXPECT_EQ(edit.cursor, 0);
    EXPECT_EQ(lineedit_feed(&edit, CONSOLE_KEY_HOME), LINEEDIT_NOTHING);
    EXPECT_EQ(lineedit_feed(&edit, CONSOLE_KEY_LEFT), LINEEDIT_NOTHING);
    lineedit_feed(&edit, CONSOLE_KEY_END);
    EXPECT_EQ(edit.cursor, 4);
    EXPECT_EQ(lineedit_feed(&edit, CONSOLE_KEY_RIGHT), LINEEDIT_NOTHING);
}

TEST(lineedit, backspace_and_delete)
{
    static struct lineedit edit;

    lineedit_start(&edit);
    EXPECT_EQ(lineedit_feed(&edit, '\b'), LINEEDIT_NOTHING);
    feed(&edit, "abcd");
    EXPECT_EQ(lineedit_feed(&edit, CONSOLE_KEY_DELETE), LINEEDIT_NOTHING);
    EXPECT_EQ(lineedit_feed(&edit, '\b'), LINEEDIT_CHANGED);
    EXPECT_STREQ(edit.text, "abc");
    lineedit_feed(&edit, CONSOLE_KEY_HOME);
    EXPECT_EQ(lineedit_feed(&edit, CONSOLE_KEY_DELETE), LINEEDIT_CHANGED);
    EXPECT_STREQ(edit.text, "bc");
}

TEST(lineedit, kills_to_the_end_and_to_the_beginning)
{
    static struct lineedit edit;

    lineedit_start(&edit);
    feed(&edit, "abcdef\002\002\013");
    EXPECT_STREQ(edit.text, "abcd");
    feed(&edit, "\002\025");
    EXPECT_STREQ(edit.text, "d");
    EXPECT_EQ(edit.cursor, 0);
}

TEST(lineedit, kills_a_word)
{
    static struct lineedit edit;

    lineedit_start(&edit);
    feed(&edit, "one two  \027");
    EXPECT_STREQ(edit.text, "one ");
    feed(&edit, "\027");
    EXPECT_STREQ(edit.text, "");
    EXPECT_EQ(lineedit_feed(&edit, '\027'), LINEEDIT_NOTHING);
}

TEST(lineedit, full_line_takes_no_more)
{
    static struct lineedit edit;
    unsigned i;

    lineedit_start(&edit);
    for (i = 0; i < LINEEDIT_MAX; i++) {
        EXPECT_EQ(lineedit_feed(&edit, 'x'), LINEEDIT_APPENDED);
    }
    EXPECT_EQ(lineedit_feed(&edit, 'y'), LINEEDIT_NOTHING);
    lineedit_insert(&edit, "yy");
    EXPECT_EQ(edit.size, LINEEDIT_MAX);
    EXPECT_EQ(edit.text[LINEEDIT_MAX - 1], 'x');
}

TEST(lineedit, other_keys_change_nothing)
{
    static struct lineedit edit;
    int key;

    lineedit_start(&edit);
    feed(&edit, "ab");
    for (key = 0x7f; key <= 0xff; key++) {
        EXPECT_EQ(lineedit_feed(&edit, key), LINEEDIT_NOTHING);
    }
    EXPECT_EQ(lineedit_feed(&edit, CONSOLE_KEY_PAGE_UP), LINEEDIT_NOTHING);
    EXPECT_EQ(lineedit_feed(&edit, 0), LINEEDIT_NOTHING);
    EXPECT_STREQ(edit.text, "ab");
}

TEST(lineedit, history_is_browsed)
{
    static struct lineedit edit;

    lineedit_start(&edit);
    enter(&edit, "first");
    enter(&edit, "second");
    feed(&edit, "dra");
    lineedit_feed(&edit, CONSOLE_KEY_UP);
    EXPECT_STREQ(edit.text, "second");
    lineedit_feed(&edit, CONSOLE_KEY_UP);
    EXPECT_STREQ(edit.text, "first");
    EXPECT_EQ(lineedit_feed(&edit, CONSOLE_KEY_UP), LINEEDIT_NOTHING);
    lineedit_feed(&edit, CONSOLE_KEY_DOWN);
    lineedit_feed(&edit, CONSOLE_KEY_DOWN);
    EXPECT_STREQ(edit.text, "dra");
    EXPECT_EQ(lineedit_feed(&edit, CONSOLE_KEY_DOWN), LINEEDIT_NOTHING);
}

TEST(lineedit, history_skips_blank_and_repeated)
{
    static struct lineedit edit;

    lineedit_start(&edit);
    enter(&edit, "same");
    enter(&edit, "same");
    enter(&edit, "  ");
    enter(&edit, "");
    EXPECT_EQ(edit.nr_lines, 1);
    EXPECT_STREQ(lineedit_history(&edit, 1), "same");
    EXPECT(lineedit_history(&edit, 2) == NULL);
}

TEST(lineedit, editing_history_leaves_the_original)
{
    static struct lineedit edit;

    lineedit_start(&edit);
    enter(&edit, "line");
    lineedit_feed(&edit, CONSOLE_KEY_UP);
    feed(&edit, "s");
    EXPECT_STREQ(edit.text, "lines");
    EXPECT_STREQ(lineedit_history(&edit, 1), "line");
}

TEST(lineedit, history_forgets_the_oldest)
{
    static struct lineedit edit;
    unsigned i;

    lineedit_start(&edit);
    for (i = 0; i < LINEEDIT_NR_HISTORY + 3; i++) {
        enter(&edit, (const char[]){ (char)('0' + i), '\0' });
    }

    EXPECT(lineedit_history(&edit, LINEEDIT_NR_HISTORY + 1) == NULL);
    EXPECT_STREQ(lineedit_history(&edit, LINEEDIT_NR_HISTORY), "3");
}

TEST(lineedit, renders_the_cursor)
{
    static struct lineedit edit;
    char text[LINEEDIT_RENDER_SIZE];

    lineedit_start(&edit);
    feed(&edit, "abc\002");
    lineedit_render(&edit, "> ", text);
    EXPECT_STREQ(text, "\r> abc\033[K\r\033[4C");
}

TEST(lineedit, renders_a_long_line_around_the_cursor)
{
    static struct lineedit edit;
    char text[LINEEDIT_RENDER_SIZE];
    unsigned i;

    lineedit_start(&edit);
    for (i = 0; i < LINEEDIT_MAX; i++) {
        lineedit_feed(&edit, 'a' + (int)(i % 26));
    }

    EXPECT(!lineedit_fits(&edit, 2));
    EXPECT_EQ(lineedit_render(&edit, "> ", text),
              LINEEDIT_COLUMNS + strlen("\r\033[K\r\033[79C") - 1);
    EXPECT_EQ(text[3], 'a' + (LINEEDIT_MAX - 77) % 26);
    EXPECT(strstr(text, "\033[79C") != NULL);

    lineedit_feed(&edit, CONSOLE_KEY_HOME);
    lineedit_render(&edit, "> ", text);
    EXPECT_EQ(text[3], 'a');
    EXPECT(strstr(text, "\r\033[2C") != NULL);
}

TEST(lineedit, survives_random_keys)
{
    static struct lineedit edit;
    char text[LINEEDIT_RENDER_SIZE];
    unsigned i;

    lineedit_start(&edit);
    for (i = 0; i < 20000; i++) {
        lineedit_feed(&edit,
                      (int)rand_below(&t->rand, CONSOLE_KEY_PAGE_DOWN + 1));
        ASSERT(edit.cursor <= edit.size && edit.size <= LINEEDIT_MAX);
        ASSERT(strlen(edit.text) == edit.size);
        ASSERT(lineedit_render(&edit, "prompt> ", text) < sizeof(text));
    }
}
