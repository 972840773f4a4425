/* SPDX-License-Identifier: MIT */
/*
 * Runs the scenarios of one program and reports as KTAP version 1.
 *
 * usage: NAME_explore [--schedules N] [--accesses N] [--seed N] [--replay]
 *        [--trace N] [--strategy bounded|pct|walk] [--steps N] [--list] [GLOB]
 *
 * --accesses limits what a scenario may take in all, as schedules are guessed
 * to be long: so it is a number of schedules, the same in each run.
 *
 * Schedule number i has the seed SEED + i, which alone decides it, so that
 * --seed of a failure with --replay makes it again, and prints it.  The exit
 * status is 0 only if a scenario ran and none failed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <lib/glob.h>
#include "engine.h"

/* Schedules that find out how long one is; their failures do not count. */
#define MAIN_PILOTS 24

/* Seconds without an access that mean an endless loop. */
#define MAIN_PATIENCE 5

struct main_options {
    const char *glob;
    uint64_t schedules;
    uint64_t accesses;
    uint64_t seed;
    size_t trace;
    bool replay;
    bool list;
};

SECTION_DECLARE(explore, const struct explore_case);

static struct main_options main_options = {
    .glob = "*",
    .schedules = 100000,
    .accesses = UINT64_MAX,
    .seed = 1,
    .trace = 150,
};

static double
main_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
main_on_fault(int signal_number)
{
    if (!engine.active) {
        signal(signal_number, SIG_DFL);
        return;
    }
    explore_fail("access to memory that is not there, or a stack overflow");
}

/* No access for a while is a loop that the explorer does not see. */
static void
main_on_alarm(int signal_number __unused)
{
    static uint64_t steps, schedule_steps;
    static bool suspected;

    if (engine.active && engine.steps == steps &&
        schedule_steps == engine.length + engine.skew) {
        if (suspected) {
            suspected = false;
            explore_fail("livelock: a loop without any shared access");
        }
        suspected = true;
    } else {
        suspected = false;
    }
    steps = engine.steps;
    schedule_steps = engine.length + engine.skew;
}

static void
main_catch(void)
{
    static char stack[KIB(64)];
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
    struct sigaction action = { .sa_flags = SA_ONSTACK | SA_NODEFER };
    struct itimerval patience = {
        .it_interval = { .tv_sec = MAIN_PATIENCE },
        .it_value = { .tv_sec = MAIN_PATIENCE },
    };

    sigaltstack(&alternate, NULL);
    action.sa_handler = main_on_fault;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    action.sa_handler = main_on_alarm;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &patience, NULL);
}

/* How many accesses a schedule has; the same for each run of a program. */
static void
main_measure(const struct explore_case *scenario)
{
    uint64_t seed, sum;
    unsigned nr;

    engine.length = 200;
    sum = 10;
    nr = 1;
    for (seed = 0; seed < MAIN_PILOTS; seed++) {
        if (engine_run(scenario, seed ^ UINT64_C(0x5eed5eed5eed))) {
            sum += engine.steps;
            nr++;
        }
    }
    engine.length = sum / nr * 5 / 4;
}

/* The same schedule, recorded.  Returns: it did not fail */
static bool
main_trace(const struct explore_case *scenario, uint64_t seed)
{
    bool good;

    engine.tracing = true;
    good = engine_run(scenario, seed);
    trace_finish();
    engine.tracing = false;
    return good;
}

/*
 * Whether a seed alone decides a schedule, recorded or not.  One that fails may
 * have read anything before.
 */
static bool
main_is_repeatable(const struct explore_case *scenario)
{
    uint64_t seed, steps;

    for (seed = 0; seed < MAIN_PILOTS; seed++) {
        if (!engine_run(scenario, seed)) {
            continue;
        }
        steps = engine.steps;
        main_trace(scenario, seed);
        if (engine.steps != steps) {
            printf("# %s: seed %lu: %lu accesses, then %lu: the explorer "
                   "itself is broken\n",
                   scenario->name, (unsigned long)seed, (unsigned long)steps,
                   (unsigned long)engine.steps);
            return false;
        }
    }
    return true;
}

static void
main_show(const struct explore_case *scenario, uint64_t seed)
{
    bool good;

    good = main_trace(scenario, seed);
    printf("# schedule of %s, seed %lu, strategy %s%s:\n", scenario->name,
           (unsigned long)seed, strategy_name(engine.strategy),
           engine.sc ? ", no store buffers" : "");
    trace_print(main_options.trace);
    printf("# %s\n", good ? "no failure" : engine.message);
}

static void
main_report(const struct explore_case *scenario, uint64_t number)
{
    char message[sizeof(engine.message)];
    uint64_t seed;

    seed = main_options.seed + number;
    memcpy(message, engine.message, sizeof(message));
    printf("# %s: %s\n", scenario->name, message);
    printf("# found: schedule %lu strategy %s seed %lu\n",
           (unsigned long)number + 1, strategy_name(engine.strategy),
           (unsigned long)seed);
    if (main_options.trace == 0) {
        return;
    }
    main_show(scenario, seed);
    if (strcmp(message, engine.message) != 0) {
        printf("# the replay differs: the explorer itself is broken\n");
    }
    printf("# again: --replay --seed %lu %s\n", (unsigned long)seed,
           scenario->name);
}

/* All schedules of one scenario.  Returns: none failed */
static bool
main_explore(const struct explore_case *scenario)
{
    uint64_t i, nr, longest, steps;
    double start, seconds;

    nr = MAX(main_options.accesses / engine.length, UINT64_C(1));
    nr = MIN(nr, main_options.schedules);
    longest = 0;
    steps = 0;
    start = main_clock();
    for (i = 0; i < nr; i++) {
        if (!engine_run(scenario, main_options.seed + i)) {
            main_report(scenario, i);
            return false;
        }
        longest = MAX(longest, engine.steps);
        steps += engine.steps;
    }
    seconds = main_clock() - start;
    printf("# %s: %lu schedules, %.0f a second, %lu accesses each, at most "
           "%lu\n",
           scenario->name, (unsigned long)i, (double)i / seconds,
           (unsigned long)(steps / MAX(i, UINT64_C(1))),
           (unsigned long)longest);
    return true;
}

static bool
main_scenario(const struct explore_case *scenario)
{
    main_measure(scenario);
    if (main_options.replay) {
        main_show(scenario, main_options.seed);
        return !engine.failed;
    }
    return main_is_repeatable(scenario) && main_explore(scenario);
}

static int
main_compare(const void *a, const void *b)
{
    return strcmp((*(const struct explore_case *const *)a)->name,
                  (*(const struct explore_case *const *)b)->name);
}

static int
main_run(void)
{
    const struct explore_case *const *entry;
    const struct explore_case *chosen[256];
    unsigned nr, i, nr_failed;
    bool good;

    nr = 0;
    section_for_each (explore, entry) {
        if (nr < ARRAY_SIZE(chosen) &&
            glob_match(main_options.glob, (*entry)->name)) {
            chosen[nr++] = *entry;
        }
    }
    qsort(chosen, nr, sizeof(chosen[0]), main_compare);
    if (main_options.list) {
        for (i = 0; i < nr; i++) {
            printf("%s\n", chosen[i]->name);
        }
        return nr == 0;
    }

    printf("KTAP version 1\n1..%u\n", nr);
    nr_failed = 0;
    for (i = 0; i < nr; i++) {
        good = main_scenario(chosen[i]);
        nr_failed += !good;
        printf("%sok %u %s\n", good ? "" : "not ", i + 1, chosen[i]->name);
        fflush(stdout);
    }
    printf("# done: %u passed, %u failed, 0 skipped\n", nr - nr_failed,
           nr_failed);
    return nr == 0 || nr_failed > 0;
}

static __noreturn void
main_usage(void)
{
    fprintf(stderr,
            "usage: NAME_explore [--schedules N] [--accesses N] [--seed N]\n"
            "       [--replay] [--trace N] [--strategy bounded|pct|walk]\n"
            "       [--steps N] [--list] [GLOB]\n");
    exit(4);
}

static void
main_parse_value(const char *name, const char *value)
{
    if (value == NULL) {
        main_usage();
    }
    if (strcmp(name, "--schedules") == 0) {
        main_options.schedules = strtoull(value, NULL, 0);
    } else if (strcmp(name, "--accesses") == 0) {
        main_options.accesses = strtoull(value, NULL, 0);
    } else if (strcmp(name, "--seed") == 0) {
        main_options.seed = strtoull(value, NULL, 0);
    } else if (strcmp(name, "--trace") == 0) {
        main_options.trace = strtoull(value, NULL, 0);
    } else if (strcmp(name, "--steps") == 0) {
        engine.step_limit = strtoull(value, NULL, 0);
    } else if (strcmp(name, "--strategy") == 0 && strategy_find(value) >= 0) {
        engine.forced_strategy = strategy_find(value);
    } else {
        main_usage();
    }
}

static void
main_parse(char **argv)
{
    for (argv++; *argv != NULL; argv++) {
        if (strcmp(*argv, "--replay") == 0) {
            main_options.replay = true;
        } else if (strcmp(*argv, "--list") == 0) {
            main_options.list = true;
        } else if (strncmp(*argv, "--", 2) == 0) {
            main_parse_value(argv[0], argv[1]);
            argv++;
        } else {
            main_options.glob = *argv;
        }
    }
}

int
main(int argc __unused, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    main_parse(argv);
    memory_setup();
    main_catch();
    return main_run();
}
