/* SPDX-License-Identifier: MIT */
/*
 * Runs tests on the host and reports as KTAP version 1.
 *
 * Usage: host_test [GLOB[,GLOB...]], over names module.fact.  The exit status
 * is 0 only if at least one test ran and none failed.  The environment's SEED
 * and ITERATIONS stand for the kernel's seed= and iterations=.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/assert.h>
#include <lib/glob.h>
#include <lib/hash.h>
#include <lib/macros.h>
#include <lib/rand.h>
#include <test/test.h>

#define HOST_TEST_MAX 4096

struct host_plan {
    const struct test_case *cases[HOST_TEST_MAX];
    size_t nr_cases;
    size_t nr_failed;
    size_t nr_skipped;
};

SECTION_DECLARE(test, const struct test_case);

static struct host_plan host_plan;

void
assert_fail(const char *expr, const char *file, int line, const char *function)
{
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function,
            expr);
    abort();
}

void
test_fail(struct test *t, const char *file, int line, const char *format, ...)
{
    va_list args;

    printf("# %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    t->nr_failures++;
}

void
test_expect_eq(struct test *t, const char *file, int line, const char *text,
               const uint64_t pair[2])
{
    if (pair[0] != pair[1]) {
        test_fail(t, file, line, "%s is %lld, expected %lld", text,
                  (long long)pair[0], (long long)pair[1]);
    }
}

void
test_expect_streq(struct test *t, const char *file, int line, const char *text,
                  const char *const pair[2])
{
    const char *value = pair[0] != NULL ? pair[0] : "(null)";
    const char *expected = pair[1] != NULL ? pair[1] : "(null)";

    if (strcmp(value, expected) != 0) {
        test_fail(t, file, line, "%s is \"%s\", expected \"%s\"", text, value,
                  expected);
    }
}

void
test_cleanup(struct test *t, test_cleanup_fn_t fn, void *arg)
{
    verify(t->nr_cleanups < TEST_CLEANUP_MAX);

    t->cleanups[t->nr_cleanups].fn = fn;
    t->cleanups[t->nr_cleanups].arg = arg;
    t->nr_cleanups++;
}

static int
host_plan_compare(const void *a, const void *b)
{
    const struct test_case *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

static void
host_plan_make(struct host_plan *plan, const char *patterns)
{
    const struct test_case *const *entry;

    section_for_each (test, entry) {
        if (glob_match_list(patterns, (*entry)->name)) {
            verify(plan->nr_cases < HOST_TEST_MAX);
            plan->cases[plan->nr_cases++] = *entry;
        }
    }
    qsort(plan->cases, plan->nr_cases, sizeof(plan->cases[0]),
          host_plan_compare);
}

/* A number from the environment, or @otherwise. */
static uint64_t
host_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void
host_run(struct host_plan *plan, size_t number)
{
    const struct test_case *test_case = plan->cases[number - 1];
    struct test t = {
        .test_case = test_case,
        .iterations = host_number("ITERATIONS", 1),
    };

    rand_init(&t.rand, host_number("SEED", 1) ^ hash_string(test_case->name));
    test_case->fn(&t);
    while (t.nr_cleanups != 0) {
        t.nr_cleanups--;
        t.cleanups[t.nr_cleanups].fn(t.cleanups[t.nr_cleanups].arg);
    }

    printf("%s %zu %s", t.nr_failures == 0 ? "ok" : "not ok", number,
           test_case->name);
    if (t.nr_failures != 0) {
        plan->nr_failed++;
    } else if (t.skip_reason != NULL) {
        printf(" # SKIP %s", t.skip_reason);
        plan->nr_skipped++;
    }
    printf("\n");
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    struct host_plan *plan = &host_plan;

    host_plan_make(plan, argc > 1 ? argv[1] : "*");
    printf("KTAP version 1\n1..%zu\n", plan->nr_cases);
    for (size_t number = 1; number <= plan->nr_cases; number++) {
        host_run(plan, number);
    }
    printf("# done: %zu passed, %zu failed, %zu skipped\n",
           plan->nr_cases - plan->nr_failed - plan->nr_skipped, plan->nr_failed,
           plan->nr_skipped);
    return plan->nr_failed != 0 || plan->nr_cases == 0;
}
