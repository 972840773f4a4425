/* SPDX-License-Identifier: MIT */
/*
 * Terminal input.
 */
#include <kern/console_key.h>
#include <kern/console_decoder.h>
#include <test/test.h>

/* Feed bytes; the last key that came out, and -1 if none. */
static int
decode(struct console_decoder *decoder, const char *bytes)
{
    int key, last;

    last = -1;
    for (; *bytes != '\0'; bytes++) {
        key = console_decoder_feed(decoder, (uint8_t)*bytes);
        last = key >= 0 ? key : last;
    }

    return last;
}

TEST(console_decoder, characters_pass)
{
    struct console_decoder decoder = { 0 };

    EXPECT_EQ(decode(&decoder, "a"), 'a');
    EXPECT_EQ(decode(&decoder, "\001"), 1);
    EXPECT_EQ(decode(&decoder, "\t"), '\t');
}

TEST(console_decoder, line_ends_are_one_newline)
{
    struct console_decoder decoder = { 0 };

    EXPECT_EQ(console_decoder_feed(&decoder, '\r'), '\n');
    EXPECT_EQ(console_decoder_feed(&decoder, '\n'), -1);
    EXPECT_EQ(console_decoder_feed(&decoder, '\n'), '\n');
    EXPECT_EQ(console_decoder_feed(&decoder, '\r'), '\n');
    EXPECT_EQ(console_decoder_feed(&decoder, '\r'), '\n');
}

TEST(console_decoder, delete_is_backspace)
{
    struct console_decoder decoder = { 0 };

    EXPECT_EQ(decode(&decoder, "\x7f"), '\b');
    EXPECT_EQ(decode(&decoder, "\b"), '\b');
}

TEST(console_decoder, sequences_are_keys)
{
    static const struct {
        const char *bytes;
        int key;
    } cases[] = {
        { "\033[A", CONSOLE_KEY_UP },
        { "\033[B", CONSOLE_KEY_DOWN },
        { "\033[C", CONSOLE_KEY_RIGHT },
        { "\033[D", CONSOLE_KEY_LEFT },
        { "\033[H", CONSOLE_KEY_HOME },
        { "\033[F", CONSOLE_KEY_END },
        { "\033OA", CONSOLE_KEY_UP },
        { "\033OH", CONSOLE_KEY_HOME },
        { "\033OF", CONSOLE_KEY_END },
        { "\033[1~", CONSOLE_KEY_HOME },
        { "\033[7~", CONSOLE_KEY_HOME },
        { "\033[4~", CONSOLE_KEY_END },
        { "\033[8~", CONSOLE_KEY_END },
        { "\033[3~", CONSOLE_KEY_DELETE },
        { "\033[5~", CONSOLE_KEY_PAGE_UP },
        { "\033[6~", CONSOLE_KEY_PAGE_DOWN },
        { "\033[1;5C", CONSOLE_KEY_RIGHT },
        { "\033[3;5~", CONSOLE_KEY_DELETE },
    };
    struct console_decoder decoder = { 0 };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        EXPECT_EQ(decode(&decoder, cases[i].bytes), cases[i].key);
        EXPECT_EQ(decode(&decoder, "x"), 'x');
    }
}

TEST(console_decoder, unknown_sequences_vanish)
{
    struct console_decoder decoder = { 0 };

    EXPECT_EQ(decode(&decoder, "\033[15~"), -1);
    EXPECT_EQ(decode(&decoder, "\033[?1;2c"), -1);
    EXPECT_EQ(decode(&decoder, "\033[99999999999999~"), -1);
    EXPECT_EQ(decode(&decoder, "\033x"), -1);
    EXPECT_EQ(decode(&decoder, "\033\033[A"), CONSOLE_KEY_UP);
    EXPECT_EQ(decode(&decoder, "y"), 'y');
}
