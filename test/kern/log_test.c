/* SPDX-License-Identifier: MIT */
/*
 * The log.  Other CPUs may append meanwhile, so a test looks for its own
 * records, and appends at a level that the consoles do not show.
 */
#include <kern/log.h>
#include <lib/string.h>
#include <test/test.h>

#define QUIET LOG_LEVEL_DEBUG

static void
restore_level(void *level)
{
    log_set_level((unsigned)(uintptr_t)level);
}

/* Keep what the test appends off the consoles. */
static void
be_quiet(struct test *t)
{
    test_cleanup(t, restore_level, (void *)(uintptr_t)log_level());
    log_set_level(LOG_LEVEL_ERROR);
}

/* Find a record from @sequence on whose text begins with @text. */
static bool
find_record(uint64_t sequence, const char *text, struct log_record *record)
{
    while (log_read(sequence, record)) {
        if (strncmp(record->text, text, strlen(text)) == 0) {
            return true;
        }
        sequence = record->sequence + 1;
    }

    return false;
}

TEST(log, record_is_read_back)
{
    struct log_record record;
    uint64_t sequence;

    be_quiet(t);
    sequence = log_next_sequence();
    log_write(QUIET, "log_test: value %d", 42);

    ASSERT(find_record(sequence, "log_test: ", &record));
    EXPECT_STREQ(record.text, "log_test: value 42");
    EXPECT_EQ(record.size, strlen(record.text));
    EXPECT_EQ(record.level, QUIET);
    EXPECT(record.sequence >= sequence);
    EXPECT(log_next_sequence() > record.sequence);
}

TEST(log, nothing_is_read_beyond_the_end)
{
    struct log_record record;

    EXPECT(!log_read(log_next_sequence() + 1000000, &record));
    EXPECT(!log_read(UINT64_MAX, &record));
}

TEST(log, long_text_is_cut)
{
    char text[LOG_LINE_MAX + 10];
    struct log_record record;
    uint64_t sequence;

    be_quiet(t);
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    sequence = log_next_sequence();
    log_write(QUIET, "%s", text);

    ASSERT(find_record(sequence, "xxx", &record));
    EXPECT_EQ(record.size, LOG_LINE_MAX);
}

TEST(log, record_is_one_line)
{
    struct log_record record;
    uint64_t sequence;

    be_quiet(t);
    sequence = log_next_sequence();
    log_write(QUIET, "log_test: a\nb\033c \n");

    ASSERT(find_record(sequence, "log_test: ", &record));
    EXPECT_STREQ(record.text, "log_test: a b c");
}

TEST(log, records_are_in_order_of_time)
{
    struct log_record record;
    uint64_t sequence, time, end;

    be_quiet(t);
    log_write(QUIET, "log_test: later");
    time = 0;
    end = log_next_sequence();
    for (sequence = 0; sequence < end && log_read(sequence, &record);
         sequence = record.sequence + 1) {
        EXPECT(record.sequence >= sequence);
        EXPECT(record.time >= time);
        time = record.time;
    }
}

/* The ring holds 128 KiB: 1,000 records of 240 bytes exceed it. */
TEST(log, ring_forgets_the_oldest)
{
    char text[LOG_LINE_MAX + 1];
    struct log_record record;
    uint64_t first;
    unsigned i;

    be_quiet(t);
    memset(text, 'y', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    first = log_next_sequence();
    for (i = 0; i < 1000; i++) {
        log_write(QUIET, "%.*s", (int)rand_below(&t->rand, LOG_LINE_MAX), text);
    }
    for (i = 0; i < 1000; i++) {
        log_write(QUIET, "%s", text);
    }

    ASSERT(log_read(first, &record));
    EXPECT(record.sequence > first);
    EXPECT_STREQ(record.text, text);
    ASSERT(log_read(log_next_sequence() - 1, &record));
}

TEST(log, line_has_seconds_and_microseconds)
{
    struct log_record record = {
        .time = UINT64_C(12345678999),
        .text = "module: text",
        .size = 12,
    };
    char line[LOG_FORMAT_SIZE];

    EXPECT_EQ(log_format_record(&record, line), 28);
    EXPECT_STREQ(line, "[   12.345678] module: text\n");

    record.time = 0;
    log_format_record(&record, line);
    EXPECT_STREQ(line, "[    0.000000] module: text\n");
}

TEST(log, longest_line_fits)
{
    struct log_record record = { .time = UINT64_MAX, .size = LOG_LINE_MAX };
    char line[LOG_FORMAT_SIZE];

    memset(record.text, 'z', LOG_LINE_MAX);
    EXPECT_EQ(log_format_record(&record, line),
              strlen("[18446744073.709551] \n") + LOG_LINE_MAX);
    EXPECT_EQ(line[strlen(line) - 1], '\n');
}

TEST(log, level_is_bounded)
{
    be_quiet(t);
    EXPECT_EQ(log_level(), LOG_LEVEL_ERROR);
    log_set_level(1000);
    EXPECT_EQ(log_level(), LOG_LEVEL_DEBUG);
}
