/* SPDX-License-Identifier: MIT */
#include <kern/log.h>
#include <kern/option.h>
#include <lib/string.h>
#include <test/test.h>

/* What the option of this test was called with. */
static char option_test_value[OPTION_VALUE_MAX];
static unsigned option_test_nr_calls;
static status_t option_test_status;

static status_t
option_test_take(const char *value)
{
    strlcpy(option_test_value, value, sizeof(option_test_value));
    option_test_nr_calls++;
    return option_test_status;
}

OPTION(option_test, "anything", "seen by the tests of options only",
       option_test_take);

/* Parse @text; returns how often the option was seen. */
static unsigned
option_test_parse(const char *text)
{
    option_test_nr_calls = 0;
    strlcpy(option_test_value, "untouched", sizeof(option_test_value));
    option_parse(text);
    return option_test_nr_calls;
}

/* Whether a record of the log from @sequence on contains @text. */
static bool
option_test_logged(uint64_t sequence, const char *text)
{
    static struct log_record record;

    while (log_read(sequence, &record)) {
        if (strstr(record.text, text) != NULL) {
            return true;
        }
        sequence = record.sequence + 1;
    }
    return false;
}

TEST(option, value_is_handed_over)
{
    option_test_status = OK;
    EXPECT_EQ(option_test_parse("option_test=a,b=c"), 1);
    EXPECT_STREQ(option_test_value, "a,b=c");
}

TEST(option, missing_value_is_empty)
{
    EXPECT_EQ(option_test_parse("option_test"), 1);
    EXPECT_STREQ(option_test_value, "");
    EXPECT_EQ(option_test_parse("option_test="), 1);
    EXPECT_STREQ(option_test_value, "");
}

TEST(option, quotes_keep_blanks)
{
    EXPECT_EQ(option_test_parse("option_test=\"a b\""), 1);
    EXPECT_STREQ(option_test_value, "a b");
}

TEST(option, last_one_wins)
{
    EXPECT_EQ(option_test_parse("option_test=1 option_test=2"), 2);
    EXPECT_STREQ(option_test_value, "2");
}

TEST(option, words_of_init_are_no_options)
{
    EXPECT_EQ(option_test_parse("-- option_test=1"), 0);
}

TEST(option, unknown_is_reported)
{
    uint64_t sequence;

    sequence = log_next_sequence();
    EXPECT_EQ(option_test_parse("option_tes=1 option_test=2 option_testt"), 1);
    EXPECT(option_test_logged(sequence, "\"option_tes=1\" is unknown"));
    EXPECT(option_test_logged(sequence, "\"option_testt\" is unknown"));
}

TEST(option, refused_value_is_reported)
{
    uint64_t sequence;

    sequence = log_next_sequence();
    option_test_status = ERR_RANGE;
    option_test_parse("option_test=7");
    option_test_status = OK;
    EXPECT(option_test_logged(sequence, "\"option_test=7\" is ignored"));
}

TEST(option, too_long_value_is_refused)
{
    static char text[3 * OPTION_VALUE_MAX];
    uint64_t sequence;

    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "option_test=", 12);
    sequence = log_next_sequence();
    EXPECT_EQ(option_test_parse(text), 0);
    EXPECT(option_test_logged(sequence, "is ignored"));
}

TEST(option, longest_value_is_taken)
{
    static char text[12 + OPTION_VALUE_MAX];

    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "option_test=", 12);
    EXPECT_EQ(option_test_parse(text), 1);
    EXPECT_EQ(strlen(option_test_value), OPTION_VALUE_MAX - 1);
}

TEST(option, number_in_range)
{
    uint64_t number = 1;

    EXPECT_EQ(option_number("0", 10, &number), OK);
    EXPECT_EQ(number, 0);
    EXPECT_EQ(option_number("0x10", 16, &number), OK);
    EXPECT_EQ(number, 16);
    EXPECT_EQ(option_number("18446744073709551615", UINT64_MAX, &number), OK);
    EXPECT_EQ(number, UINT64_MAX);
}

TEST(option, bad_number_changes_nothing)
{
    uint64_t number = 5;

    EXPECT_EQ(option_number("11", 10, &number), ERR_RANGE);
    EXPECT_EQ(option_number("18446744073709551616", UINT64_MAX, &number),
              ERR_RANGE);
    EXPECT(option_number("", 10, &number) != OK);
    EXPECT(option_number("1x", 10, &number) != OK);
    EXPECT(option_number("-1", 10, &number) != OK);
    EXPECT(option_number(" 1", 10, &number) != OK);
    EXPECT_EQ(number, 5);
}
