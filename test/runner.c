/* SPDX-License-Identifier: MIT */
/*
 * Runs the tests and reports in KTAP.
 *
 * Source: Linux kernel documentation, "The Kernel Test Anything Protocol
 * (KTAP), version 1".
 */
#include <stdarg.h>
#include <stddef.h>

#include <kern/clock.h>
#include <kern/console.h>
#include <kern/seed.h>
#include <kern/main.h>
#include <kern/command.h>
#include <kern/option.h>
#include <kern/sanitizer.h>
#include <kern/thread.h>
#include <lib/fmt.h>
#include <lib/glob.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <test/runner.h>
#include <test/test.h>

SECTION_DECLARE(test, const struct test_case);

/* Time that a test may take before it is told to be slow. */
#define RUNNER_SLOW_NS UINT64_C(100000000)

#define TEST_PAUSE_NS UINT64_C(500000)

/* From the options; constant once stages run. */
static char runner_pattern[OPTION_VALUE_MAX];
static bool runner_is_wanted;
static uint64_t runner_iterations = 1;

struct runner_result {
    unsigned nr_passed;
    unsigned nr_failed;
    unsigned nr_skipped;
};

void
test_fail(struct test *t, const char *file, int line, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    fmt_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    console_printf("# %s:%d: %s\n", file, line, text);
    t->nr_failures++;
}

void
test_expect_eq(struct test *t, const char *file, int line, const char *text,
               const uint64_t pair[2])
{
    if (pair[0] != pair[1]) {
        test_fail(t, file, line, "%s is %lu (%#lx), expected %lu (%#lx)", text,
                  pair[0], pair[0], pair[1], pair[1]);
    }
}

void
test_expect_streq(struct test *t, const char *file, int line, const char *text,
                  const char *const pair[2])
{
    if (strcmp(pair[0], pair[1]) != 0) {
        test_fail(t, file, line, "%s is \"%s\", expected \"%s\"", text, pair[0],
                  pair[1]);
    }
}

void
test_cleanup(struct test *t, test_cleanup_fn_t fn, void *arg)
{
    if (t->nr_cleanups == TEST_CLEANUP_MAX) {
        /* What is in use until the end is better lost than cleaned up now. */
        test_fail(t, __FILE__, __LINE__, "too many cleanups");
        return;
    }

    t->cleanups[t->nr_cleanups].fn = fn;
    t->cleanups[t->nr_cleanups].arg = arg;
    t->nr_cleanups++;
}

void
test_pause(void)
{
    thread_sleep(TEST_PAUSE_NS);
}

static void
runner_clean(struct test *t)
{
    while (t->nr_cleanups > 0) {
        t->nr_cleanups--;
        t->cleanups[t->nr_cleanups].fn(t->cleanups[t->nr_cleanups].arg);
    }
}

static void
runner_run_case(const struct test_case *test_case, unsigned number,
                struct runner_result *result)
{
    static struct test t;
    uint64_t start, duration, reports;

    t = (struct test){
        .test_case = test_case,
        .iterations = runner_iterations,
    };
    rand_init(&t.rand, seed_get() ^ hash_string(test_case->name));
    reports = sanitizer_nr_reports();
    start = clock_now();
    test_case->fn(&t);
    runner_clean(&t);
    duration = clock_now() - start;
    sanitizer_flush();
    if (sanitizer_nr_reports() != reports) {
        test_fail(&t, __FILE__, __LINE__, "the sanitizer reported %lu errors",
                  sanitizer_nr_reports() - reports);
    }

    if (t.nr_failures != 0) {
        result->nr_failed++;
        console_printf("not ok %u %s\n", number, test_case->name);
    } else if (t.skip_reason != NULL) {
        result->nr_skipped++;
        console_printf("ok %u %s # SKIP %s\n", number, test_case->name,
                       t.skip_reason);
    } else {
        result->nr_passed++;
        console_printf("ok %u %s\n", number, test_case->name);
    }
    if (duration > RUNNER_SLOW_NS) {
        console_printf("# %s took %lu ms\n", test_case->name,
                       duration / 1000000);
    }
}

/* The selected case whose name comes first behind @last, or NULL. */
static const struct test_case *
runner_next(const char *pattern, const char *last)
{
    const struct test_case *const *entry;
    const struct test_case *best;

    best = NULL;
    section_for_each (test, entry) {
        if ((last != NULL && strcmp((*entry)->name, last) <= 0) ||
            (best != NULL && strcmp((*entry)->name, best->name) >= 0) ||
            !glob_match_list(pattern, (*entry)->name)) {
            continue;
        }
        best = *entry;
    }
    return best;
}

static unsigned
runner_count(const char *pattern)
{
    const struct test_case *const *entry;
    unsigned n;

    n = 0;
    section_for_each (test, entry) {
        n += glob_match_list(pattern, (*entry)->name);
    }
    return n;
}

bool
runner_run(const char *pattern)
{
    struct runner_result result = { 0, 0, 0 };
    const struct test_case *test_case;
    unsigned number;

    console_printf("KTAP version 1\n1..%u\n", runner_count(pattern));
    if (runner_count(pattern) == 0) {
        console_printf("# no test matches %s\n", pattern);
        result.nr_failed++;
    }
    number = 0;
    test_case = NULL;
    for (;;) {
        test_case =
            runner_next(pattern, test_case != NULL ? test_case->name : NULL);
        if (test_case == NULL) {
            break;
        }
        runner_run_case(test_case, ++number, &result);
    }

    console_printf("# done: %u passed, %u failed, %u skipped\n",
                   result.nr_passed, result.nr_failed, result.nr_skipped);
    return result.nr_failed == 0;
}

static bool
runner_stage(void)
{
    if (!runner_is_wanted) {
        return true;
    }
    return runner_run(runner_pattern);
}

MAIN_STAGE(MAIN_TESTS, runner_stage);

static status_t
runner_option_test(const char *value)
{
    runner_is_wanted = true;
    strlcpy(runner_pattern, value[0] != '\0' ? value : "*",
            sizeof(runner_pattern));
    return OK;
}

static status_t
runner_option_iterations(const char *value)
{
    uint64_t number;
    status_t status;

    status = option_number(value, UINT32_MAX, &number);
    if (status != OK) {
        return status;
    }
    if (number == 0) {
        return ERR_RANGE;
    }

    runner_iterations = number;
    return OK;
}

OPTION(test, "GLOB[,GLOB...] or nothing", "run the tests that match",
       runner_option_test);
OPTION(iterations, "1 or more", "multiplies the length of torture tests",
       runner_option_iterations);

static void
runner_command(int argc, char **argv)
{
    runner_run(argc > 1 ? argv[1] : "*");
}

MONITOR_COMMAND(test, "[GLOB[,GLOB...]]", "run tests by name", runner_command);
