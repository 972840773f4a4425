/* SPDX-License-Identifier: MIT */
/*
 * The monitor.
 */
#include <kern/monitor.h>
#include <lib/string.h>
#include <test/test.h>

TEST(monitor, splits_at_blanks)
{
    char line[] = "  one two   three ";
    char *argv[MONITOR_ARGS_MAX + 1];
    int argc;

    ASSERT(monitor_split(line, &argc, argv) == OK);
    EXPECT_EQ(argc, 3);
    EXPECT_STREQ(argv[0], "one");
    EXPECT_STREQ(argv[1], "two");
    EXPECT_STREQ(argv[2], "three");
    EXPECT(argv[3] == NULL);
}

TEST(monitor, blank_line_has_no_words)
{
    char line[] = "   ";
    char *argv[MONITOR_ARGS_MAX + 1];
    int argc;

    ASSERT(monitor_split(line, &argc, argv) == OK);
    EXPECT_EQ(argc, 0);
    EXPECT(argv[0] == NULL);
    EXPECT_EQ(monitor_execute(line), OK);
}

TEST(monitor, quotes_keep_blanks)
{
    char line[] = "a\"b c\"d 'e \"f' \"\" g";
    char *argv[MONITOR_ARGS_MAX + 1];
    int argc;

    ASSERT(monitor_split(line, &argc, argv) == OK);
    EXPECT_EQ(argc, 4);
    EXPECT_STREQ(argv[0], "ab cd");
    EXPECT_STREQ(argv[1], "e \"f");
    EXPECT_STREQ(argv[2], "");
    EXPECT_STREQ(argv[3], "g");
}

TEST(monitor, open_quote_is_refused)
{
    char line[] = "a 'b c";
    char *argv[MONITOR_ARGS_MAX + 1];
    int argc;

    EXPECT_EQ(monitor_split(line, &argc, argv), ERR_FORMAT);
}

TEST(monitor, too_many_words_are_refused)
{
    char line[2 * MONITOR_ARGS_MAX + 2];
    char *argv[MONITOR_ARGS_MAX + 1];
    unsigned i;
    int argc;

    for (i = 0; i < MONITOR_ARGS_MAX; i++) {
        line[2 * i] = 'x';
        line[2 * i + 1] = ' ';
    }
    line[2 * i] = '\0';
    EXPECT_EQ(monitor_split(line, &argc, argv), OK);

    for (i = 0; i < MONITOR_ARGS_MAX; i++) {
        line[2 * i] = 'x';
        line[2 * i + 1] = ' ';
    }
    line[2 * i] = 'x';
    line[2 * i + 1] = '\0';
    EXPECT_EQ(monitor_split(line, &argc, argv), ERR_OVERFLOW);
}

TEST(monitor, closest_command_is_found)
{
    ASSERT(monitor_closest("hlep") != NULL);
    EXPECT_STREQ(monitor_closest("hlep")->name, "help");
    EXPECT_STREQ(monitor_closest("histroy")->name, "history");
    EXPECT_STREQ(monitor_closest("loglevl")->name, "loglevel");
    EXPECT(monitor_closest("qqqqqqqq") == NULL);
    EXPECT(monitor_closest("") == NULL);
}
