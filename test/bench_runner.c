/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/clock.h>
#include <arch/types.h>
#include <kern/bootmem.h>
#include <kern/clock.h>
#include <kern/console.h>
#include <kern/main.h>
#include <kern/command.h>
#include <kern/option.h>
#include <kern/page.h>
#include <ipc/first.h>
#include <lib/glob.h>
#include <lib/string.h>
#include <test/bench.h>

SECTION_DECLARE(bench, const struct bench_case);

/* From the options; constant once stages run. */
static char bench_pattern[OPTION_VALUE_MAX];
static bool bench_is_wanted;

/* Nanoseconds that benchmarks took; of the thread that runs the stages. */
static uint64_t bench_time;

bool
bench_end_pass(struct bench *b, uint64_t ticks)
{
    b->nr_begun++;
    /* The first call ends nothing. */
    if (b->nr_begun > BENCH_WARM_UP + 1) {
        ticks = ticks > b->overhead ? ticks - b->overhead : 0;
        b->sum += ticks;
        b->min = MIN(b->min, ticks);
        b->nr_counted++;
    }
    return b->nr_counted < BENCH_COUNTED;
}

void
bench_report(const char *name, uint64_t value, const char *unit)
{
    console_printf("BENCH %s %lu %s n=1 min=%lu\n", name, value, unit, value);
}

static uint64_t
bench_measure_overhead(void)
{
    struct bench b = { .min = UINT64_MAX };

    BENCH_LOOP(&b)
    {
        barrier();
    }
    return b.min;
}

static void
bench_run_case(const struct bench_case *bench_case, uint64_t overhead)
{
    struct bench b = { .min = UINT64_MAX, .overhead = overhead };

    bench_case->fn(&b);
    console_printf("BENCH %s %lu insns n=%lu min=%lu\n", bench_case->name,
                   b.sum / MAX(b.nr_counted, UINT64_C(1)), b.nr_counted, b.min);
}

static void
bench_run(const char *pattern)
{
    const struct bench_case *const *entry;
    uint64_t overhead;

    overhead = bench_measure_overhead();
    section_for_each (bench, entry) {
        if (glob_match_list(pattern, (*entry)->name)) {
            bench_run_case(*entry, overhead);
        }
    }
}

/* Memory that the machine has and nobody can allocate any more. */
static uint64_t
bench_used_bytes(void)
{
    return bootmem_ram_size() - page_nr_free() * PAGE_SIZE;
}

/* What the start has cost, but for benchmarks. */
static void
bench_report_boot(void)
{
    uint64_t ticks = clock_ns_to_ticks(clock_now() - bench_time);
    uint64_t used = bench_used_bytes();

    if (glob_match_list(bench_pattern, "boot.to_init")) {
        bench_report("boot.to_init", ticks, "insns");
    }
    if (glob_match_list(bench_pattern, "mem.after_boot")) {
        bench_report("mem.after_boot", used / 1024, "KiB");
    }
}

/* If there is no first program, the kernel's own start ends here. */
static bool
bench_stage(void)
{
    uint64_t start;

    if (!bench_is_wanted) {
        return true;
    }
    if (first_is_wanted()) {
        first_watch(bench_report_boot);
    } else {
        bench_report_boot();
    }
    start = clock_now();
    bench_run(bench_pattern);
    bench_time = clock_now() - start;
    return true;
}

MAIN_STAGE(MAIN_BENCHMARKS, bench_stage);

static status_t
bench_option(const char *value)
{
    bench_is_wanted = true;
    strlcpy(bench_pattern, value[0] != '\0' ? value : "*",
            sizeof(bench_pattern));
    return OK;
}

OPTION(bench, "GLOB[,GLOB...] or nothing", "run the benchmarks that match",
       bench_option);

static void
bench_command(int argc, char **argv)
{
    bench_run(argc > 1 ? argv[1] : "*");
}

MONITOR_COMMAND(bench, "[GLOB[,GLOB...]]", "run benchmarks by name",
                bench_command);
