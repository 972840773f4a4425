/* SPDX-License-Identifier: MIT */
/*
 * Tests in the kernel: write TEST(module, fact) { ... } in a file
 * test/.../NAME_test.c, and it is found, counted and run.
 *
 * A test states one fact, allocates through the fixture, which is freed for
 * it, and ends in less than 100 ms.  The first failed expectation does not
 * end the test, so all of them are reported.
 */
#ifndef TEST_TEST_H
#define TEST_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/rand.h>

/* How many things a test may leave to the fixture. */
#define TEST_CLEANUP_MAX 64

typedef void (*test_cleanup_fn_t)(void *arg);

/*
 * A test that runs.
 */
struct test {
    const struct test_case *test_case;
    unsigned nr_failures;    /* expectations that did not hold */
    const char *skip_reason; /* not NULL: the fact cannot be tested */
    struct rand rand;        /* seeded by seed= and the test's name */
    uint64_t iterations;     /* value of iterations=, 1 by default */
    unsigned nr_cleanups;
    struct {
        test_cleanup_fn_t fn;
        void *arg;
    } cleanups[TEST_CLEANUP_MAX];
};

struct test_case {
    const char *name; /* "module.fact" */
    void (*fn)(struct test *t);
};

#define TEST(module, fact)                                                     \
    static void module##_##fact##_test(struct test *t);                        \
    static const struct test_case module##_##fact##_case = {                   \
        .name = #module "." #fact,                                             \
        .fn = module##_##fact##_test,                                          \
    };                                                                         \
    SECTION_ENTRY(test, module##_##fact##_case);                               \
    static void module##_##fact##_test(struct test *t __unused)

/* Report a failed expectation: a line "# file:line: text". */
void test_fail(struct test *t, const char *file, int line, const char *format,
               ...) __printf(4, 5);

/* Say that the fact cannot be tested here; the test should return then. */
#define SKIP(reason)                                                           \
    do {                                                                       \
        t->skip_reason = (reason);                                             \
        return;                                                                \
    } while (0)

#define EXPECT(condition)                                                      \
    do {                                                                       \
        if (!(condition)) {                                                    \
            test_fail(t, __FILE__, __LINE__, "%s is false", #condition);       \
        }                                                                      \
    } while (0)

/* For integers and pointers of at most 64 bits. */
#define EXPECT_EQ(value, expected)                                             \
    test_expect_eq(t, __FILE__, __LINE__, #value,                              \
                   (const uint64_t[]){ (uint64_t)(value),                      \
                                       (uint64_t)(expected) })

#define EXPECT_STREQ(value, expected)                                          \
    test_expect_streq(t, __FILE__, __LINE__, #value,                           \
                      (const char *const[]){ (value), (expected) })

/* Go no further when this does not hold. */
#define ASSERT(condition)                                                      \
    do {                                                                       \
        if (!(condition)) {                                                    \
            test_fail(t, __FILE__, __LINE__, "%s is false", #condition);       \
            return;                                                            \
        }                                                                      \
    } while (0)

/* Behind EXPECT_EQ(): @pair is the value and what was expected. */
void test_expect_eq(struct test *t, const char *file, int line,
                    const char *text, const uint64_t pair[2]);

/* Behind EXPECT_STREQ(). */
void test_expect_streq(struct test *t, const char *file, int line,
                       const char *text, const char *const pair[2]);

/* Have fn(arg) called when the test has ended, last registered first. */
void test_cleanup(struct test *t, test_cleanup_fn_t fn, void *arg);

/*
 * Let others run, between two looks at what is waited for.  It is a time in
 * which every machine gets something done: 50 us are 500 instructions on an
 * emulator of 10 MHz, so a thread that wakes up that often does nothing else.
 */
void test_pause(void);

#endif /* TEST_TEST_H */
