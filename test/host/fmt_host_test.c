/* SPDX-License-Identifier: MIT */
/*
 * Formatted text against the host's printf, on random directives.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <lib/fmt.h>
#include <lib/macros.h>
#include <lib/rand.h>
#include <test/test.h>

#define FMT_HOST_ROUNDS 20000
#define FMT_HOST_SIZE   256

/* Append one of @n texts, or nothing. */
static void
fmt_host_pick(struct rand *rand, char *format, const char *const *texts,
              size_t n)
{
    size_t i = rand_below(rand, n);

    strcat(format, texts[i]);
}

/* Make a directive that takes a width, a precision and a number. */
static void
fmt_host_directive(struct rand *rand, char *format)
{
    static const char *const flags[] = { "", "-", "0", "+", " ", "#", "-#" };
    static const char *const lengths[] = { "hh", "h", "",  "l",
                                           "ll", "z", "j", "t" };
    static const char *const conversions[] = { "d", "i", "u", "o", "x", "X" };

    strcpy(format, "<%");
    fmt_host_pick(rand, format, flags, ARRAY_SIZE(flags));
    fmt_host_pick(rand, format, flags, ARRAY_SIZE(flags));
    strcat(format, "*.*");
    fmt_host_pick(rand, format, lengths, ARRAY_SIZE(lengths));
    fmt_host_pick(rand, format, conversions, ARRAY_SIZE(conversions));
    strcat(format, ">");
}

/* Format with both; whether texts and lengths agree. */
static bool
fmt_host_agrees(size_t size, const char *format, ...)
{
    char ours[FMT_HOST_SIZE], theirs[FMT_HOST_SIZE];
    size_t our_length, their_length;
    va_list args;

    memset(ours, 'x', sizeof(ours));
    memset(theirs, 'x', sizeof(theirs));
    va_start(args, format);
    our_length = fmt_vsnprintf(ours, size, format, args);
    va_end(args);
    va_start(args, format);
    their_length = (size_t)vsnprintf(theirs, size, format, args);
    va_end(args);
    return our_length == their_length &&
           (size == 0 || strcmp(ours, theirs) == 0);
}

TEST(fmt_host, numbers_agree_with_printf)
{
    char format[64];

    for (uint64_t i = 0; i < FMT_HOST_ROUNDS * t->iterations; i++) {
        int width = (int)rand_below(&t->rand, 60) - 30;
        int precision = (int)rand_below(&t->rand, 40) - 10;
        uint64_t value = rand_u64(&t->rand) >> rand_below(&t->rand, 64);
        size_t size = rand_below(&t->rand, 2) == 0 ? FMT_HOST_SIZE
                                                   : rand_below(&t->rand, 20);

        if (rand_below(&t->rand, 8) == 0) {
            value = 0;
        }
        fmt_host_directive(&t->rand, format);
        if (!fmt_host_agrees(size, format, width, precision, value)) {
            test_fail(t, __FILE__, __LINE__, "%s of %d, %d, %#lx differs",
                      format, width, precision, value);
        }
    }
}

TEST(fmt_host, strings_agree_with_printf)
{
    for (int width = -8; width <= 8; width++) {
        for (int precision = -1; precision <= 8; precision++) {
            EXPECT(fmt_host_agrees(FMT_HOST_SIZE, "[%*.*s]", width, precision,
                                   "hello"));
            EXPECT(fmt_host_agrees(FMT_HOST_SIZE, "[%*c]", width, 'x'));
        }
    }
}
