/* SPDX-License-Identifier: MIT */
/*
 * Which CPU runs, and for how long.
 *
 * bounded  a CPU runs until it waits, but for one to five preemptions at
 *          random accesses: most bugs need few.  Musuvathi and Qadeer,
 *          "Iterative Context Bounding", PLDI 2007.
 * pct      random priorities, the highest runs, and at one to five random
 *          accesses the running CPU becomes the lowest: finds a bug of depth d
 *          with a probability of at least 1/(n k^(d-1)).  Burckhardt et al.,
 *          "A Randomized Scheduler with Probabilistic Guarantees of Finding
 *          Bugs", ASPLOS 2010.
 * walk     a switch at any access with the same probability.
 *
 * A CPU that pauses gives way to all others, and in pct becomes the lowest.
 */
#include <string.h>

#include "engine.h"

static const char *const strategy_names[] = {
    [STRATEGY_BOUNDED] = "bounded",
    [STRATEGY_PCT] = "pct",
    [STRATEGY_WALK] = "walk",
};

const char *
strategy_name(enum strategy_kind kind)
{
    return strategy_names[kind];
}

int
strategy_find(const char *name)
{
    int i;

    for (i = 0; i < STRATEGY_NR_KINDS; i++) {
        if (strcmp(name, strategy_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* Random steps, in ascending order. */
static void
strategy_choose_points(unsigned nr)
{
    uint64_t point;
    unsigned i, j;

    for (i = 0; i < nr; i++) {
        point = 1 + rand_below(&engine.rand, engine.length);
        for (j = i; j > 0 && engine.points[j - 1] > point; j--) {
            engine.points[j] = engine.points[j - 1];
        }
        engine.points[j] = point;
    }
    engine.nr_points = nr;
    engine.next_point = 0;
}

/* How long stores stay in their buffers. */
static void
strategy_choose_buffers(void)
{
    static const unsigned chances[] = { 0, 1, 4, 12 };

    engine.sc = rand_below(&engine.rand, 4) == 0;
    engine.drain_chance = chances[rand_below(&engine.rand, 4)];
    engine.buffer_limit = 1 +
                          (unsigned)rand_below(&engine.rand, ENGINE_BUFFER_MAX);
}

static void
strategy_choose_walk(void)
{
    engine.nr_points = 1;
    engine.next_point = 0;
    engine.points[0] = engine.steps + 1 +
                       rand_below(&engine.rand, 2 * engine.walk_mean);
}

void
strategy_begin(void)
{
    unsigned i;

    engine.strategy =
        (enum strategy_kind)rand_below(&engine.rand, STRATEGY_NR_KINDS);
    if (engine.forced_strategy >= 0) {
        engine.strategy = (enum strategy_kind)engine.forced_strategy;
    }
    engine.woken = false;
    engine.avoided = NULL;
    engine.reuses = rand_below(&engine.rand, 2) == 0;
    strategy_choose_buffers();
    engine.lowest_priority = 0;
    for (i = 0; i < EXPLORE_CPUS_MAX; i++) {
        engine.cpus[i].priority =
            (int64_t)(rand_u64(&engine.rand) >> 2) / 8 * 8 + (int64_t)i;
    }
    if (engine.strategy == STRATEGY_WALK) {
        engine.walk_mean = UINT64_C(2) << rand_below(&engine.rand, 6);
        strategy_choose_walk();
        return;
    }
    strategy_choose_points(1 + (unsigned)rand_below(&engine.rand, 5));
}

uint64_t
strategy_next_step(void)
{
    return engine.next_point < engine.nr_points
               ? engine.points[engine.next_point]
               : ENGINE_NEVER;
}

static bool
strategy_is_highest(const struct sim_cpu *cpu)
{
    unsigned i;

    for (i = 0; i < engine.nr_cpus; i++) {
        if (engine_is_ready(&engine.cpus[i]) &&
            engine.cpus[i].priority > cpu->priority) {
            return false;
        }
    }
    return true;
}

/* A CPU that paused may look again. */
static void
strategy_end_pauses(void)
{
    unsigned i;

    for (i = 0; i < engine.nr_cpus; i++) {
        engine.cpus[i].yielded = false;
    }
}

bool
strategy_preempts(void)
{
    bool due, woken;

    due = engine.steps >= strategy_next_step();
    woken = engine.woken;
    engine.woken = false;
    if (engine.strategy == STRATEGY_PCT) {
        if (due) {
            strategy_end_pauses();
            engine.next_point++;
            engine.cpu->priority = --engine.lowest_priority;
        }
        return (due || woken) && !strategy_is_highest(engine.cpu);
    }
    if (!due) {
        /* To run a CPU that wakes up is no preemption that counts. */
        due = woken && rand_below(&engine.rand, 4) == 0;
        if (due) {
            engine.avoided = engine.cpu;
        }
        return due;
    }

    if (engine.strategy == STRATEGY_WALK) {
        strategy_choose_walk();
    } else {
        engine.next_point++;
    }
    strategy_end_pauses();
    engine.avoided = engine.cpu;
    return true;
}

static struct sim_cpu *
strategy_pick_highest(uint32_t ready)
{
    struct sim_cpu *best;
    unsigned i;

    best = NULL;
    for (i = 0; i < engine.nr_cpus; i++) {
        if ((ready & (UINT32_C(1) << i)) != 0 &&
            (best == NULL || engine.cpus[i].priority > best->priority)) {
            best = &engine.cpus[i];
        }
    }
    return best;
}

struct sim_cpu *
strategy_pick(uint32_t ready)
{
    uint32_t others;
    uint64_t n;

    if (engine.strategy == STRATEGY_PCT) {
        return strategy_pick_highest(ready);
    }

    others = ready;
    if (engine.avoided != NULL) {
        others &= ~(UINT32_C(1) << engine_cpu_id(engine.avoided));
    }
    if (others == 0) {
        others = ready;
    }
    n = rand_below(&engine.rand, (uint64_t)__builtin_popcount(others));
    for (; n > 0; n--) {
        others &= others - 1;
    }
    return &engine.cpus[__builtin_ctz(others)];
}

void
strategy_pause(struct sim_cpu *cpu)
{
    cpu->priority = --engine.lowest_priority;
}
