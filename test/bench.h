/* SPDX-License-Identifier: MIT */
/*
 * Benchmarks in the kernel: write BENCH(module, operation) { ... } with one
 * loop BENCH_LOOP(b) around the operation, in a file test/.../NAME_bench.c.
 *
 * Each pass of the loop is timed by itself, in ticks of the counter, which an
 * instruction-counting emulator makes instructions; what an empty pass costs
 * is subtracted.
 */
#ifndef TEST_BENCH_H
#define TEST_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/clock.h>
#include <lib/macros.h>

#define BENCH_WARM_UP UINT64_C(200)
#define BENCH_COUNTED UINT64_C(10000)

/*
 * A benchmark that runs.
 */
struct bench {
    uint64_t nr_begun; /* passes begun, warm-up included */
    uint64_t last;     /* counter when this pass began */
    uint64_t overhead; /* of an empty pass */
    uint64_t sum;      /* of the counted passes */
    uint64_t min;
    uint64_t nr_counted;
};

struct bench_case {
    const char *name; /* "module.operation" */
    void (*fn)(struct bench *b);
};

#define BENCH(module, operation)                                               \
    BENCH_NAMED(module##_##operation, #module "." #operation)

/* The same for a name that is no identifier, as "vm.map_unmap.1". */
#define BENCH_NAMED(id, name_)                                                 \
    static void id##_bench(struct bench *b);                                   \
    static const struct bench_case id##_bench_case = {                         \
        .name = (name_),                                                       \
        .fn = id##_bench,                                                      \
    };                                                                         \
    SECTION_ENTRY(bench, id##_bench_case);                                     \
    static void id##_bench(struct bench *b)

/* Repeat the statement that follows, timed. */
#define BENCH_LOOP(b) while (bench_next(b))

/*
 * End a pass.
 *
 * Returns: whether there is another one
 */
bool bench_end_pass(struct bench *b, uint64_t ticks);

static __always_inline bool
bench_next(struct bench *b)
{
    bool more;

    more = bench_end_pass(b, clock_counter() - b->last);
    b->last = clock_counter();
    return more;
}

/*
 * Print a result that is not the mean of a loop: "BENCH name value unit n=1
 * min=value".
 */
void bench_report(const char *name, uint64_t value, const char *unit);

#endif /* TEST_BENCH_H */
