/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line.
 */
#include <stdbool.h>
#include <stddef.h>

#include <lib/cmdline.h>
#include <lib/status.h>
#include <lib/string.h>
#include <test/test.h>

/* Take the next option and expect its parts; NULL for no value. */
static void
cmdline_expect(struct test *t, struct cmdline_iter *it, const char *key,
               const char *value)
{
    struct cmdline_option option;

    if (!cmdline_next(it, &option)) {
        EXPECT_STREQ("(end)", key);
        return;
    }
    EXPECT(cmdline_word_is(&option.key, key));
    EXPECT_EQ(option.value.text == NULL, value == NULL);
    if (value != NULL) {
        EXPECT(cmdline_word_is(&option.value, value));
    }
}

static void
cmdline_expect_end(struct test *t, struct cmdline_iter *it)
{
    struct cmdline_option option;

    EXPECT(!cmdline_next(it, &option));
}

static void
cmdline_expect_word(struct test *t, struct cmdline_iter *it, const char *text)
{
    struct cmdline_word word;

    ASSERT(cmdline_next_word(it, &word));
    EXPECT(cmdline_word_is(&word, text));
}

TEST(cmdline, empty_text_has_no_options)
{
    struct cmdline_iter it;

    cmdline_iter_init(&it, "");
    cmdline_expect_end(t, &it);
    cmdline_iter_init(&it, " \t\r\n ");
    cmdline_expect_end(t, &it);
}

TEST(cmdline, options_split_at_the_first_equals)
{
    struct cmdline_iter it;

    cmdline_iter_init(&it, "  test loglevel=7\tconsole=  a=b=c =d ");
    cmdline_expect(t, &it, "test", NULL);
    cmdline_expect(t, &it, "loglevel", "7");
    cmdline_expect(t, &it, "console", "");
    cmdline_expect(t, &it, "a", "b=c");
    cmdline_expect(t, &it, "", "d");
    cmdline_expect_end(t, &it);
}

TEST(cmdline, quotes_group)
{
    struct cmdline_iter it;

    cmdline_iter_init(&it, "init=\"my init\" \"key=a b\" x=\"\" \"\"");
    cmdline_expect(t, &it, "init", "my init");
    cmdline_expect(t, &it, "key", "a b");
    cmdline_expect(t, &it, "x", "");
    cmdline_expect(t, &it, "", NULL);
    cmdline_expect_end(t, &it);
}

TEST(cmdline, inner_quotes_stay)
{
    struct cmdline_iter it;

    cmdline_iter_init(&it, "a=b\"c d\"e \"x\"y");
    cmdline_expect(t, &it, "a", "b\"c d\"e");
    cmdline_expect(t, &it, "\"x\"y", NULL);
    cmdline_expect_end(t, &it);
}

TEST(cmdline, open_quote_reaches_to_the_end)
{
    struct cmdline_iter it;

    cmdline_iter_init(&it, "a=\"b c -- d");
    cmdline_expect(t, &it, "a", "b c -- d");
    cmdline_expect_end(t, &it);
    cmdline_iter_init(&it, "\"");
    cmdline_expect(t, &it, "", NULL);
    cmdline_expect_end(t, &it);
}

TEST(cmdline, dashes_end_the_options)
{
    struct cmdline_iter it;

    cmdline_iter_init(&it, "exit -- -v \"two words\" a=\"b c\" --");
    cmdline_expect(t, &it, "exit", NULL);
    cmdline_expect_end(t, &it);
    cmdline_expect_word(t, &it, "-v");
    cmdline_expect_word(t, &it, "two words");
    cmdline_expect_word(t, &it, "a=\"b c\"");
    cmdline_expect_word(t, &it, "--");
}

TEST(cmdline, longer_dashes_are_options)
{
    struct cmdline_iter it;

    cmdline_iter_init(&it, "--x --- \"--\"");
    cmdline_expect(t, &it, "--x", NULL);
    cmdline_expect(t, &it, "---", NULL);
    cmdline_expect(t, &it, "--", NULL);
    cmdline_expect_end(t, &it);
}

TEST(cmdline, arguments_follow_the_dashes)
{
    EXPECT_STREQ(cmdline_arguments("a b --  -v x "), "-v x ");
    EXPECT_STREQ(cmdline_arguments("a b"), "");
    EXPECT_STREQ(cmdline_arguments("--"), "");
}

TEST(cmdline, copy_truncates_and_says_so)
{
    struct cmdline_option option;
    struct cmdline_iter it;
    char buf[4];

    cmdline_iter_init(&it, "a=abc b=abcd c");
    EXPECT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_copy(&option.value, buf, sizeof(buf)), OK);
    EXPECT_STREQ(buf, "abc");
    EXPECT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_copy(&option.value, buf, sizeof(buf)), ERR_OVERFLOW);
    EXPECT_STREQ(buf, "abc");
    EXPECT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_copy(&option.value, buf, sizeof(buf)),
              ERR_NOT_FOUND);
    EXPECT_STREQ(buf, "");
}

TEST(cmdline, values_are_numbers)
{
    struct cmdline_option option;
    struct cmdline_iter it;
    uint64_t value = 0;

    cmdline_iter_init(&it, "a=0x10 b=1x c d=18446744073709551616 e=");
    EXPECT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_to_u64(&option.value, &value), OK);
    EXPECT_EQ(value, 16);
    EXPECT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_to_u64(&option.value, &value), ERR_INVALID);
    EXPECT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_to_u64(&option.value, &value), ERR_INVALID);
    EXPECT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_to_u64(&option.value, &value), ERR_RANGE);
    EXPECT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_to_u64(&option.value, &value), ERR_INVALID);
    EXPECT_EQ(value, 16);
}

TEST(cmdline, escaped_quote_is_an_ordinary_character)
{
    struct cmdline_option option;
    struct cmdline_iter it;
    char buf[32];

    cmdline_iter_init(&it, "a=it\\'s b=\"x \\\" y\" c=\\\\");
    ASSERT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_copy(&option.value, buf, sizeof(buf)), OK);
    EXPECT_STREQ(buf, "it's");
    ASSERT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_copy(&option.value, buf, sizeof(buf)), OK);
    EXPECT_STREQ(buf, "x \" y");
    ASSERT(cmdline_next(&it, &option));
    EXPECT_EQ(cmdline_word_copy(&option.value, buf, sizeof(buf)), OK);
    EXPECT_STREQ(buf, "\\");
    EXPECT(!cmdline_next(&it, &option));
}
