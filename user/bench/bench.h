/* SPDX-License-Identifier: MIT */
/*
 * Benchmarks as programs: what an operation costs in ticks of the counter,
 * which an instruction-counting emulator makes instructions.
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <portolan/calls.h>

#define BENCH_WARM_UP 200
#define BENCH_COUNTED 10000

/* What is measured, with what it needs; false: it failed, errno says why. */
typedef int (*bench_fn_t)(void *arg);

static inline int
bench_nothing(void *arg)
{
    (void)arg;
    return 1;
}

/* Ticks of one operation, UINT64_MAX if it failed. */
static inline uint64_t
bench_time(bench_fn_t fn, void *arg)
{
    uint64_t before = __builtin_ia32_rdtsc();
    int is_good = fn(arg);
    uint64_t after = __builtin_ia32_rdtsc();

    return is_good ? after - before : UINT64_MAX;
}

/* The least that measuring itself takes. */
static inline uint64_t
bench_overhead(void)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < BENCH_WARM_UP; i++) {
        uint64_t ticks = bench_time(bench_nothing, NULL);

        least = ticks < least ? ticks : least;
    }
    return least;
}

/* Measure @count operations and print the result; or why there is none. */
static inline void
bench_count(const char *name, bench_fn_t fn, void *arg, unsigned int count)
{
    uint64_t overhead = bench_overhead();
    uint64_t sum = 0, least = UINT64_MAX;

    for (unsigned int i = 0; i < BENCH_WARM_UP + count; i++) {
        uint64_t ticks = bench_time(fn, arg);

        if (ticks == UINT64_MAX) {
            printf("# %s: %s\n", name, strerror(errno));
            return;
        }
        ticks = ticks > overhead ? ticks - overhead : 0;
        if (i >= BENCH_WARM_UP) {
            sum += ticks;
            least = ticks < least ? ticks : least;
        }
    }
    printf("BENCH %s %" PRIu64 " insns n=%u min=%" PRIu64 "\n", name,
           (sum + count / 2) / count, count, least);
}

static inline void
bench_run(const char *name, bench_fn_t fn, void *arg)
{
    bench_count(name, fn, arg, BENCH_COUNTED);
}

/* The result of a call as that of a benchmark. */
static inline int
bench_result(long result)
{
    if (result < 0) {
        errno = (int)-result;
    }
    return result >= 0;
}

/* Have the calling thread run on a CPU only. */
static inline void
bench_pin(unsigned int cpu)
{
    unsigned long mask[8] = { 0 };

    mask[cpu / 64] = 1UL << cpu % 64;
    portolan_thread_set_affinity(PORTOLAN_SELF, 0, mask, sizeof(mask));
}

#endif /* BENCH_H */
