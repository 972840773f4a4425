/* SPDX-License-Identifier: MIT */
/*
 * Formatted text.  The host compares with its own printf besides.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/fmt.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <test/test.h>

#define FMT_TEST_SIZE 128

/* Expect a text and the length that is returned for it. */
#define FMT_EXPECT(expected, ...)                                              \
    do {                                                                       \
        char buf_[FMT_TEST_SIZE];                                              \
        EXPECT_EQ(fmt_snprintf(buf_, sizeof(buf_), __VA_ARGS__),               \
                  strlen(expected));                                           \
        EXPECT_STREQ(buf_, expected);                                          \
    } while (0)

/* The same for formats that the compiler would refuse. */
static void
fmt_expect_odd(struct test *t, const char *expected, const char *format, ...)
{
    char buf[FMT_TEST_SIZE];
    va_list args;

    va_start(args, format);
    fmt_vsnprintf(buf, sizeof(buf), format, args);
    va_end(args);
    EXPECT_STREQ(buf, expected);
}

TEST(fmt, literals_pass)
{
    FMT_EXPECT("plain 100% text", "plain 100%% text");
}

TEST(fmt, integers_have_limits)
{
    FMT_EXPECT("-2147483648", "%d", INT32_MIN);
    FMT_EXPECT("4294967295", "%u", UINT32_MAX);
    FMT_EXPECT("-9223372036854775808", "%ld", (long)INT64_MIN);
    FMT_EXPECT("18446744073709551615", "%lu", (unsigned long)UINT64_MAX);
    FMT_EXPECT("1777777777777777777777", "%lo", (unsigned long)UINT64_MAX);
    FMT_EXPECT("ffffffffffffffff", "%llx", (unsigned long long)UINT64_MAX);
}

TEST(fmt, lengths_cut_the_argument)
{
    fmt_expect_odd(t, "-1 255 -1 65535", "%hhd %hhu %hd %hu", 0xfff, -1,
                   0xfffff, -1);
    FMT_EXPECT("7 8 9", "%zu %jd %td", (size_t)7, (intmax_t)8, (ptrdiff_t)9);
}

TEST(fmt, width_pads_on_either_side)
{
    FMT_EXPECT("   42|42   |00042", "%5d|%-5d|%05d", 42, 42, 42);
    FMT_EXPECT("  -42|-42  |-0042", "%5d|%-5d|%05d", -42, -42, -42);
    FMT_EXPECT("   42|42   ", "%*d|%*d", 5, 42, -5, 42);
}

TEST(fmt, precision_gives_least_digits)
{
    FMT_EXPECT("  042|042  |042", "%5.3d|%-5.3d|%.*d", 42, 42, 3, 42);
    FMT_EXPECT("[]", "[%.0d]", 0);
    FMT_EXPECT("42", "%.*d", -1, 42);
}

TEST(fmt, flags_mark_sign_and_base)
{
    FMT_EXPECT("+1 -1  1", "%+d %+d % d", 1, -1, 1);
    FMT_EXPECT("0x2a 0X2A 052", "%#x %#X %#o", 42, 42, 42);
    FMT_EXPECT("0 0", "%#x %#o", 0, 0);
    FMT_EXPECT("0x00002a", "%#08x", 42);
}

TEST(fmt, strings_are_cut_and_padded)
{
    FMT_EXPECT("abc|  abc|abc  |ab", "%s|%5s|%-5s|%.2s", "abc", "abc", "abc",
               "abc");
    FMT_EXPECT("x    y", "%c%5c", 'x', 'y');
}

TEST(fmt, string_precision_bounds_reading)
{
    static const char open[2] = { 'a', 'b' };

    FMT_EXPECT("ab", "%.2s", open);
    FMT_EXPECT("ab", "%.*s", (int)sizeof(open), open);
}

TEST(fmt, null_string_is_shown)
{
    const char *none = NULL;

    fmt_expect_odd(t, "(null)", "%s", none);
}

TEST(fmt, pointer_has_all_digits)
{
    FMT_EXPECT("0x0000000000001234", "%p", (void *)0x1234);
    FMT_EXPECT("0x0000000000000000", "%p", NULL);
}

/* Knows one address. */
static size_t
fmt_test_symbol(char *buf, size_t size, uintptr_t addr)
{
    return addr == 0x1010 ? strlcpy(buf, "main+0x10", size) : 0;
}

TEST(fmt, symbol_comes_from_the_hook)
{
    fmt_symbol_fn_t hook = fmt_symbol_hook;

    fmt_symbol_hook = fmt_test_symbol;
    FMT_EXPECT("at main+0x10 |   main+0x10", "at %pS |%12pS", (void *)0x1010,
               (void *)0x1010);
    FMT_EXPECT("0x0000000000001011", "%pS", (void *)0x1011);
    fmt_symbol_hook = hook;
}

TEST(fmt, symbol_without_hook_is_hexadecimal)
{
    fmt_symbol_fn_t hook = fmt_symbol_hook;

    fmt_symbol_hook = NULL;
    FMT_EXPECT("0x0000000000001010", "%pS", (void *)0x1010);
    fmt_symbol_hook = hook;
}

TEST(fmt, size_uses_the_largest_unit)
{
    static const struct {
        uint64_t size;
        const char *text;
    } sizes[] = {
        { 0, "0 B" },
        { 1023, "1023 B" },
        { 1024, "1 KiB" },
        { 1536, "1.5 KiB" },
        { MIB(256), "256 MiB" },
        { MIB(1023), "1023 MiB" },
        { GIB(4), "4 GiB" },
        { UINT64_MAX, "15.9 EiB" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        FMT_EXPECT(sizes[i].text, "%pB", (const void *)&sizes[i].size);
    }
}

TEST(fmt, bitmap_prints_ranges)
{
    unsigned long bits[2] = { 0x32f, 3 };
    struct fmt_bitmap set = { .bits = bits, .nbits = 128 };

    FMT_EXPECT("cpus 0-3,5,8-9,64-65.", "cpus %pL.", (void *)&set);
    set.nbits = 9;
    FMT_EXPECT("0-3,5,8", "%pL", (void *)&set);
    set.nbits = 0;
    FMT_EXPECT("", "%pL", (void *)&set);
}

TEST(fmt, hex_dump_prints_width_bytes)
{
    FMT_EXPECT("00 0a ff", "%*ph", 3, (const void *)"\x00\x0a\xff");
    FMT_EXPECT("[]", "[%*ph]", 0, (const void *)"");
}

TEST(fmt, null_is_safe_in_extensions)
{
    fmt_expect_odd(t, "(null) (null) (null)", "%pB %pL %*ph", NULL, NULL, 4,
                   NULL);
}

TEST(fmt, unknown_directive_is_printed)
{
    fmt_expect_odd(t, "%y 1 %", "%y %d %", 1);
    fmt_expect_odd(t, "%-5.2ln", "%-5.2ln");
}

TEST(fmt, huge_width_is_limited)
{
    /* Volatile, or the compiler would warn. */
    volatile int greatest = INT32_MAX, least = INT32_MIN;
    char buf[8];

    EXPECT_EQ(fmt_snprintf(buf, sizeof(buf), "%*d", greatest, 1),
              FMT_FIELD_MAX);
    EXPECT_EQ(fmt_snprintf(buf, sizeof(buf), "%*d", least, 1), FMT_FIELD_MAX);
    EXPECT_EQ(fmt_snprintf(buf, sizeof(buf), "%.*d", greatest, 1),
              FMT_FIELD_MAX);
}

TEST(fmt, buffer_is_never_exceeded)
{
    char buf[8];

    for (size_t size = 0; size < sizeof(buf); size++) {
        memset(buf, 'x', sizeof(buf));
        EXPECT_EQ(fmt_snprintf(buf, size, "%s-%d", "abcd", 1234), 9);
        EXPECT_EQ(buf[size], 'x');
        if (size != 0) {
            EXPECT_EQ(strlen(buf), size - 1);
        }
    }
}

TEST(fmt, null_buffer_measures)
{
    EXPECT_EQ(fmt_snprintf(NULL, 0, "%d apples", 12), 9);
}
