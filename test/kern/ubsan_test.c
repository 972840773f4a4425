/* SPDX-License-Identifier: MIT */
/*
 * UBSAN builds: each kind of undefined behaviour is reported.
 *
 * Operands are volatile, so that the compiler neither knows the outcome nor
 * drops the operation.
 */
#include <limits.h>

#include <kern/sanitizer.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <test/test.h>

static volatile int ubsan_zero;
static volatile int ubsan_one = 1;
static volatile int ubsan_int_max = INT_MAX;
static volatile int ubsan_int_min = INT_MIN;
static volatile long ubsan_long_max = LONG_MAX;
static volatile int ubsan_sink;
static volatile long ubsan_long_sink;

/* What is behind the array keeps an access there from being KASAN's. */
static volatile struct {
    int array[4];
    int behind;
} ubsan_bounds;

static void
ubsan_add(void)
{
    ubsan_sink = ubsan_int_max + ubsan_one;
}

static void
ubsan_subtract(void)
{
    ubsan_sink = ubsan_int_min - ubsan_one;
}

static void
ubsan_multiply(void)
{
    ubsan_long_sink = ubsan_long_max * (ubsan_one + 1);
}

static void
ubsan_negate(void)
{
    ubsan_sink = -ubsan_int_min;
}

static void
ubsan_shift_far(void)
{
    ubsan_sink = ubsan_one << (ubsan_one + 31);
}

static void
ubsan_shift_back(void)
{
    ubsan_sink = ubsan_one >> -ubsan_one;
}

static void
ubsan_index(void)
{
    ubsan_sink = ubsan_bounds.array[ubsan_one + 3];
}

static void
ubsan_load_misaligned(void)
{
    static char bytes[16] __aligned(8);

    /* clang does not check accesses that are volatile. */
    ubsan_sink = (int)*(const uint32_t *)(bytes + ubsan_one);
}

static void
ubsan_load_bool(void)
{
    static volatile uint8_t byte = 2;

    ubsan_sink = *(const volatile bool *)&byte;
}

static void
ubsan_wrap_pointer(void)
{
    static char byte;
    const char *volatile base = &byte;
    volatile size_t offset = PTRDIFF_MAX;

    ubsan_long_sink = (long)(base + offset);
}

static void
ubsan_make_array(void)
{
    char array[ubsan_zero - 1 + 1];

    __asm__ volatile("" : : "r"(array) : "memory");
}

struct ubsan_case {
    void (*fn)(void);
    const char *text; /* of the report, in it somewhere */
};

/* Have a mistake made and see that it is reported with these words. */
static void
ubsan_expect(struct test *t, const struct ubsan_case *ubsan_case)
{
    uint64_t nr_reports;

    sanitizer_expect_begin();
    ubsan_case->fn();
    nr_reports = sanitizer_expect_end();
    EXPECT_EQ(nr_reports, 1);
    if (strstr(sanitizer_expected_text(), ubsan_case->text) == NULL) {
        test_fail(t, __FILE__, __LINE__, "\"%s\" is not in \"%s\"",
                  ubsan_case->text, sanitizer_expected_text());
    }
    if (strstr(sanitizer_expected_text(), "ubsan_test.c:") == NULL) {
        test_fail(t, __FILE__, __LINE__, "no place in \"%s\"",
                  sanitizer_expected_text());
    }
}

#define UBSAN_TEST(fact, ...)                                                  \
    TEST(ubsan, fact)                                                          \
    {                                                                          \
        static const struct ubsan_case cases[] = { __VA_ARGS__ };              \
                                                                               \
        if (!SANITIZER_IS_UBSAN) {                                             \
            SKIP("not a UBSAN build");                                         \
        }                                                                      \
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {                       \
            ubsan_expect(t, &cases[i]);                                        \
        }                                                                      \
    }

UBSAN_TEST(reports_overflow,
           { ubsan_add,
             "signed integer overflow: 2147483647 + 1 cannot be represented "
             "in 'int'" },
           { ubsan_subtract, "-2147483648 - 1 cannot" },
           { ubsan_multiply, " * " },
           { ubsan_negate, "negation of -2147483648 cannot" })

UBSAN_TEST(reports_shift, { ubsan_shift_far, "shift exponent 32 is too large" },
           { ubsan_shift_back, "shift exponent -1 is negative" })

UBSAN_TEST(reports_bounds, { ubsan_index, "index 4 is out of bounds of" })

UBSAN_TEST(reports_alignment, { ubsan_load_misaligned, "misaligned address" })

UBSAN_TEST(reports_bool, { ubsan_load_bool, "load of 2, no value of type" })

UBSAN_TEST(reports_pointer, { ubsan_wrap_pointer, "pointer arithmetic" })

UBSAN_TEST(reports_array_length, { ubsan_make_array, "has length 0" })

/* Division by zero traps behind the report, so it has no test of its own. */

/* Nothing in the whole run so far was reported, also outside of tests. */
TEST(sanitizer, nothing_was_reported)
{
    if (!SANITIZER_IS_ANY) {
        SKIP("not a sanitizer build");
    }
    sanitizer_flush();
    EXPECT_EQ(sanitizer_nr_reports(), 0);
}
