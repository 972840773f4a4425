/* SPDX-License-Identifier: MIT */
/*
 * Runs the tests of a program, in the order of files and lines, and is the
 * main program of its peers.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <portolan/calls.h>
#include <portolan/spawn.h>

#include "check.h"

#define CHECK_TESTS 200
#define CHECK_PAGE  4096

extern const struct check_test *const __start_check_tests[];
extern const struct check_test *const __stop_check_tests[];
extern const struct check_peer *const __start_check_peers[];
extern const struct check_peer *const __stop_check_peers[];

/* Name of the boot module that this program is. */
static const char *check_program;

/* Failures of the current test. */
static atomic_uint check_failures;

static const char *
check_base(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash == NULL ? file : slash + 1;
}

bool
check_that(bool is_true, const char *file, int line, const char *what)
{
    if (!is_true) {
        printf("# %s:%d: %s is not so\n", check_base(file), line, what);
        atomic_fetch_add(&check_failures, 1);
    }
    return is_true;
}

bool
check_equal(long actual, long expected, const char *file, int line,
            const char *what)
{
    if (actual != expected) {
        printf("# %s:%d: %s is %ld, expected %ld\n", check_base(file), line,
               what, actual, expected);
        atomic_fetch_add(&check_failures, 1);
    }
    return actual == expected;
}

bool
check_errno(long result, int error, const char *file, int line,
            const char *what)
{
    int seen = errno;

    if (result != -1 || seen != error) {
        printf("# %s:%d: %s is %ld with errno %d, expected -1 with %d, %s\n",
               check_base(file), line, what, result, seen, error,
               strerror(error));
        atomic_fetch_add(&check_failures, 1);
    }
    return result == -1 && seen == error;
}

int
peer_start(const char *who, int coid, const char *arg)
{
    const struct portolan_task_right rights[] = {
        { PORTOLAN_RIGHT_INPUT, PORTOLAN_RIGHT_INPUT, 0 },
        { PORTOLAN_RIGHT_OUTPUT, PORTOLAN_RIGHT_OUTPUT, 0 },
        { PORTOLAN_RIGHT_ERROR, PORTOLAN_RIGHT_ERROR, 0 },
        { coid, PEER_COID, 0 },
    };
    char *argv[] = { (char *)who, (char *)arg, NULL };
    struct portolan_module_info info;
    int memory, task;

    memory =
        portolan_module_find(PORTOLAN_RIGHT_BOOTSTRAP, check_program, &info);
    if (!EXPECT(memory >= 0)) {
        return memory;
    }
    task = portolan_spawn(&(struct portolan_spawn){
        .memory = memory,
        .size = info.size,
        .name = who,
        .argv = argv,
        .rights = rights,
        .nr_rights = sizeof(rights) / sizeof(rights[0]),
        .container = PORTOLAN_SELF,
    });
    portolan_right_close(memory);
    EXPECT(task >= 0);
    return task;
}

void
check_wait_state(int task, int tid, int state)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    struct portolan_thread_info info;
    long result;

    do {
        result = portolan_thread_info(task, tid, &info);
        if (!EXPECT_EQ(result, 0) || info.state == (uint32_t)state) {
            return;
        }
        nanosleep(&pause, NULL);
    } while (info.state != PORTOLAN_THREAD_DEAD);
    EXPECT_EQ(info.state, state);
}

void *
check_page(int protection)
{
    void *page =
        mmap(NULL, CHECK_PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        perror("# check_page");
        exit(EXIT_FAILURE);
    }
    return page;
}

static int
check_compare(const void *left, const void *right)
{
    const struct check_test *a = *(const struct check_test *const *)left;
    const struct check_test *b = *(const struct check_test *const *)right;
    int order = strcmp(a->file, b->file);

    return order != 0 ? order : a->line - b->line;
}

/* Run what a peer is for. */
static int
check_run_peer(int argc, char **argv)
{
    for (const struct check_peer *const *peer = __start_check_peers;
         peer < __stop_check_peers; peer++) {
        if (strcmp((*peer)->name, argv[0]) == 0) {
            return (*peer)->run(argc, argv);
        }
    }
    return -1;
}

/* True if the test has passed. */
static bool
check_run(const struct check_test *test, unsigned int number)
{
    bool is_good;

    atomic_store(&check_failures, 0);
    test->run();
    is_good = atomic_load(&check_failures) == 0;
    printf("%s %u %s\n", is_good ? "ok" : "not ok", number, test->name);
    return is_good;
}

static int
check_run_all(void)
{
    static const struct check_test *tests[CHECK_TESTS];
    size_t nr_tests = (size_t)(__stop_check_tests - __start_check_tests);
    unsigned int passed = 0;

    if (nr_tests > CHECK_TESTS) {
        printf("# CHECK_TESTS is too small\n");
        return EXIT_FAILURE;
    }
    memcpy(tests, __start_check_tests, nr_tests * sizeof(tests[0]));
    qsort(tests, nr_tests, sizeof(tests[0]), check_compare);
    printf("KTAP version 1\n1..%zu\n", nr_tests);
    for (unsigned int i = 0; i < nr_tests; i++) {
        passed += check_run(tests[i], i + 1);
    }
    printf("# done: %u passed, %zu failed, 0 skipped\n", passed,
           nr_tests - passed);
    return passed == nr_tests && passed != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    int result;

    check_program = argc > 0 ? argv[0] : "";
    setvbuf(stdout, NULL, _IOLBF, 0);
    result = argc > 0 ? check_run_peer(argc, argv) : -1;
    return result >= 0 ? result : check_run_all();
}
