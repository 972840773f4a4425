/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>
#include <lib/string.h>
#include <test/test.h>

/* Longer than what is copied without a string instruction. */
#define STRING_TEST_MAX   200
#define STRING_TEST_GUARD 16
#define STRING_TEST_SIZE  (STRING_TEST_MAX + 2 * STRING_TEST_GUARD)

static void
string_pattern(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(i * 7 + 1);
    }
}

/*
 * Whether moving @n bytes from @from to @to within a pattern gives what a
 * move byte by byte gives, and leaves the rest alone.
 */
static bool
string_move_is_right(size_t to, size_t from, size_t n)
{
    uint8_t area[STRING_TEST_SIZE], was[STRING_TEST_SIZE];

    string_pattern(area, sizeof(area));
    string_pattern(was, sizeof(was));
    if (memmove(area + to, area + from, n) != area + to) {
        return false;
    }
    for (size_t i = 0; i < sizeof(area); i++) {
        bool inside = i >= to && i < to + n;

        if (area[i] != was[inside ? i - to + from : i]) {
            return false;
        }
    }
    return true;
}

TEST(string, memcpy_copies_every_length)
{
    uint8_t src[STRING_TEST_SIZE], dst[STRING_TEST_SIZE];

    string_pattern(src, sizeof(src));
    for (size_t n = 0; n <= STRING_TEST_MAX; n++) {
        for (size_t i = 0; i < sizeof(dst); i++) {
            dst[i] = 0xee;
        }
        EXPECT_EQ(memcpy(dst + STRING_TEST_GUARD, src + n % 8, n),
                  dst + STRING_TEST_GUARD);
        for (size_t i = 0; i < sizeof(dst); i++) {
            bool inside = i >= STRING_TEST_GUARD && i < STRING_TEST_GUARD + n;
            size_t from = i - STRING_TEST_GUARD + n % 8;

            EXPECT_EQ(dst[i], inside ? src[from] : 0xee);
        }
    }
}

TEST(string, memmove_down_by_any_distance)
{
    for (size_t n = 0; n <= STRING_TEST_MAX; n++) {
        for (size_t distance = 0; distance <= STRING_TEST_GUARD; distance++) {
            EXPECT(string_move_is_right(STRING_TEST_GUARD - distance,
                                        STRING_TEST_GUARD, n));
        }
    }
}

TEST(string, memmove_up_by_any_distance)
{
    for (size_t n = 0; n <= STRING_TEST_MAX; n++) {
        for (size_t distance = 0; distance <= STRING_TEST_GUARD; distance++) {
            EXPECT(string_move_is_right(STRING_TEST_GUARD + distance,
                                        STRING_TEST_GUARD, n));
        }
    }
}

TEST(string, memset_sets_every_length)
{
    uint8_t area[STRING_TEST_SIZE];

    for (size_t n = 0; n <= STRING_TEST_MAX; n++) {
        string_pattern(area, sizeof(area));
        EXPECT_EQ(memset(area + STRING_TEST_GUARD, 0x1a5, n),
                  area + STRING_TEST_GUARD);
        for (size_t i = 0; i < sizeof(area); i++) {
            bool inside = i >= STRING_TEST_GUARD && i < STRING_TEST_GUARD + n;

            EXPECT_EQ(area[i], inside ? 0xa5 : (uint8_t)(i * 7 + 1));
        }
    }
}

TEST(string, memcmp_finds_a_difference_anywhere)
{
    uint8_t a[40], b[40];

    for (size_t at = 0; at < sizeof(a); at++) {
        string_pattern(a, sizeof(a));
        string_pattern(b, sizeof(b));
        a[at] = 0x80;
        b[at] = 0x7f;
        EXPECT(memcmp(a, b, sizeof(a)) > 0);
        EXPECT(memcmp(b, a, sizeof(a)) < 0);
        EXPECT_EQ(memcmp(a, b, at), 0);
    }
}

TEST(string, memchr_stays_within_the_area)
{
    static const char text[] = "abcabc";

    EXPECT_EQ(memchr(text, 'c', 6), text + 2);
    EXPECT_EQ(memchr(text, 'c', 2), NULL);
    EXPECT_EQ(memchr(text, 'a' + 256, 6), text);
    EXPECT_EQ(memchr(text, 'a', 0), NULL);
}

TEST(string, strlen_counts_bytes_before_nul)
{
    EXPECT_EQ(strlen(""), 0);
    EXPECT_EQ(strlen("a"), 1);
    EXPECT_EQ(strlen("ab\0cd"), 2);
}

TEST(string, strnlen_reads_at_most_max)
{
    static const char open[3] = { 'a', 'b', 'c' };

    EXPECT_EQ(strnlen(open, sizeof(open)), 3);
    EXPECT_EQ(strnlen("ab", 3), 2);
    EXPECT_EQ(strnlen("ab", 0), 0);
}

TEST(string, strcmp_orders_unsigned_bytes)
{
    EXPECT_EQ(strcmp("", ""), 0);
    EXPECT_EQ(strcmp("abc", "abc"), 0);
    EXPECT(strcmp("abc", "abd") < 0);
    EXPECT(strcmp("abc", "ab") > 0);
    EXPECT(strcmp("\x80", "\x7f") > 0);
}

TEST(string, strncmp_stops_at_n_and_at_nul)
{
    EXPECT_EQ(strncmp("abc", "abd", 2), 0);
    EXPECT(strncmp("abc", "abd", 3) < 0);
    EXPECT_EQ(strncmp("ab\0x", "ab\0y", 4), 0);
    EXPECT_EQ(strncmp("a", "b", 0), 0);
    EXPECT(strncmp("\x80", "\x7f", 1) > 0);
}

TEST(string, strchr_finds_the_first)
{
    static const char text[] = "abcabc";

    EXPECT_EQ(strchr(text, 'b'), text + 1);
    EXPECT_EQ(strchr(text, 'x'), NULL);
    EXPECT_EQ(strchr(text, '\0'), text + 6);
}

TEST(string, strrchr_finds_the_last)
{
    static const char text[] = "abcabc";

    EXPECT_EQ(strrchr(text, 'b'), text + 4);
    EXPECT_EQ(strrchr(text, 'x'), NULL);
    EXPECT_EQ(strrchr(text, '\0'), text + 6);
}

TEST(string, strstr_finds_the_first)
{
    static const char text[] = "aabaabaac";

    EXPECT_EQ(strstr(text, "aabaac"), text + 3);
    EXPECT_EQ(strstr(text, "aad"), NULL);
    EXPECT_EQ(strstr(text, ""), text);
    EXPECT_EQ(strstr("", "a"), NULL);
    EXPECT_EQ(strstr("ab", "abc"), NULL);
}

TEST(string, strlcpy_truncates_and_terminates)
{
    char buf[4];

    EXPECT_EQ(strlcpy(buf, "abc", sizeof(buf)), 3);
    EXPECT_EQ(strcmp(buf, "abc"), 0);
    EXPECT_EQ(strlcpy(buf, "wxyz", sizeof(buf)), 4);
    EXPECT_EQ(strcmp(buf, "wxy"), 0);
    EXPECT_EQ(strlcpy(buf, "long text", 1), 9);
    EXPECT_EQ(strcmp(buf, ""), 0);
}

TEST(string, strlcpy_writes_nothing_to_nothing)
{
    char c = 'x';

    EXPECT_EQ(strlcpy(&c, "abc", 0), 3);
    EXPECT_EQ(c, 'x');
}

TEST(string, strlcat_truncates_and_terminates)
{
    char buf[6] = "ab";

    EXPECT_EQ(strlcat(buf, "cd", sizeof(buf)), 4);
    EXPECT_EQ(strcmp(buf, "abcd"), 0);
    EXPECT_EQ(strlcat(buf, "efg", sizeof(buf)), 7);
    EXPECT_EQ(strcmp(buf, "abcde"), 0);
}

TEST(string, strlcat_leaves_an_open_buffer_alone)
{
    char open[2] = { 'a', 'b' };

    EXPECT_EQ(strlcat(open, "cd", sizeof(open)), 4);
    EXPECT_EQ(open[1], 'b');
}

struct string_number {
    const char *text;
    unsigned int base;
    status_t status;
    uint64_t value;
};

static void
string_check_numbers(struct test *t, const struct string_number *numbers,
                     size_t n)
{
    uint64_t value;

    for (size_t i = 0; i < n; i++) {
        value = 42;
        EXPECT_EQ(string_to_u64(numbers[i].text, numbers[i].base, &value),
                  numbers[i].status);
        EXPECT_EQ(value, numbers[i].status == OK ? numbers[i].value : 42);
    }
}

TEST(string, to_u64_accepts_numbers)
{
    static const struct string_number numbers[] = {
        { "0", 0, OK, 0 },
        { "18446744073709551615", 0, OK, UINT64_MAX },
        { "010", 0, OK, 10 },
        { "0x1F", 0, OK, 31 },
        { "0X1f", 16, OK, 31 },
        { "ff", 16, OK, 255 },
        { "ffffffffffffffff", 16, OK, UINT64_MAX },
        { "777", 8, OK, 0777 },
        { "zz", 36, OK, 35 * 36 + 35 },
        { "1011", 2, OK, 11 },
    };

    string_check_numbers(t, numbers, ARRAY_SIZE(numbers));
}

TEST(string, to_u64_rejects_the_rest)
{
    static const struct string_number numbers[] = {
        { "", 0, ERR_INVALID, 0 },     { " 1", 0, ERR_INVALID, 0 },
        { "1 ", 0, ERR_INVALID, 0 },   { "-1", 0, ERR_INVALID, 0 },
        { "+1", 0, ERR_INVALID, 0 },   { "0x", 0, ERR_INVALID, 0 },
        { "0xg", 0, ERR_INVALID, 0 },  { "0x1", 10, ERR_INVALID, 0 },
        { "12a", 10, ERR_INVALID, 0 }, { "8", 8, ERR_INVALID, 0 },
    };

    string_check_numbers(t, numbers, ARRAY_SIZE(numbers));
}

TEST(string, to_u64_checks_overflow)
{
    static const struct string_number numbers[] = {
        { "18446744073709551616", 0, ERR_RANGE, 0 },
        { "18446744073709551620", 0, ERR_RANGE, 0 },
        { "99999999999999999999999", 0, ERR_RANGE, 0 },
        { "0x10000000000000000", 0, ERR_RANGE, 0 },
    };

    string_check_numbers(t, numbers, ARRAY_SIZE(numbers));
}

TEST(string, parse_size_knows_suffixes)
{
    uint64_t size;

    EXPECT_EQ(string_parse_size("123", &size), OK);
    EXPECT_EQ(size, 123);
    EXPECT_EQ(string_parse_size("4k", &size), OK);
    EXPECT_EQ(size, KIB(4));
    EXPECT_EQ(string_parse_size("32M", &size), OK);
    EXPECT_EQ(size, MIB(32));
    EXPECT_EQ(string_parse_size("4G", &size), OK);
    EXPECT_EQ(size, GIB(4));
    EXPECT_EQ(string_parse_size("0x2T", &size), OK);
    EXPECT_EQ(size, GIB(2048));
}

TEST(string, parse_size_rejects_the_rest)
{
    uint64_t size = 42;

    EXPECT_EQ(string_parse_size("", &size), ERR_INVALID);
    EXPECT_EQ(string_parse_size("M", &size), ERR_INVALID);
    EXPECT_EQ(string_parse_size("1KB", &size), ERR_INVALID);
    EXPECT_EQ(string_parse_size("1MM", &size), ERR_INVALID);
    EXPECT_EQ(string_parse_size("1x", &size), ERR_INVALID);
    EXPECT_EQ(string_parse_size("17179869184G", &size), ERR_RANGE);
    EXPECT_EQ(size, 42);
}
