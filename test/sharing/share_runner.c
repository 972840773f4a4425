/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/main.h>
#include <kern/option.h>
#include <lib/glob.h>
#include <lib/string.h>
#include <test/sharing/share.h>

SECTION_DECLARE(share, const struct share_case);

/*
 * Keys: [c] constant   [a] atomic
 */
struct share_run {
    const struct share_case *share_case; /* [c] */
    uint32_t nr_cpus;                    /* [c] */
    atomic_uint nr_met;                  /* [a] arrivals at all meetings */
};

/* From the option; constant once stages run. */
static char share_pattern[OPTION_VALUE_MAX];
static bool share_is_wanted;

void
share_meet(struct share *s)
{
    unsigned int met, all;

    met = atomic_fetch_add(&s->run->nr_met, 1) + 1;
    all = DIV_ROUND_UP(met, s->nr_cpus) * s->nr_cpus;
    while (atomic_load(&s->run->nr_met) < all) {
        cpu_pause();
    }
}

/* How many CPUs with smaller numbers run. */
static uint32_t
share_index(void)
{
    uint32_t cpu, n;

    n = 0;
    cpu_for_each (cpu) {
        n += cpu < cpu_id();
    }
    return n;
}

static void
share_run_cpu(void *arg)
{
    struct share_run *run;
    struct share s;

    run = arg;
    s = (struct share){
        .run = run,
        .index = share_index(),
        .nr_cpus = run->nr_cpus,
    };
    if (s.index >= s.nr_cpus) {
        return;
    }

    MARKER(MARKER_BEGIN, SHARE_TAG_WARM_UP);
    run->share_case->fn(&s);
}

/* Have each CPU call share_run_cpu(), outside of interrupt context. */
static void
share_run_on_cpus(struct share_run *run)
{
    all_cpus_run(share_run_cpu, run);
}

static void
share_run_case(const struct share_case *share_case, uint32_t nr_cpus)
{
    struct share_run run = {
        .share_case = share_case,
        .nr_cpus = nr_cpus,
    };

    MARKER(MARKER_RESET, SHARE_TAG);
    share_run_on_cpus(&run);
    MARKER(MARKER_REPORT, SHARE_TAG);
    MARKER(MARKER_RESET, SHARE_TAG_WARM_UP);
    console_printf("SHARE %s cpus=%u ops=%lu\n", share_case->name, nr_cpus,
                   nr_cpus * SHARE_COUNTED);
}

/* For who wants to tell per-CPU variables by their addresses. */
static void
share_print_areas(void)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        console_printf("SHARE-AREA cpu=%u offset=%#lx\n", cpu,
                       percpu_offsets[cpu]);
    }
}

static void
share_run(const char *pattern)
{
    const struct share_case *const *entry;
    uint32_t n, nr_online;

    nr_online = MIN(cpu_nr_online(), (uint32_t)SHARE_CPUS_MAX);
    if (nr_online < 2) {
        console_printf("share: needs two CPUs\n");
        return;
    }

    share_print_areas();
    for (n = 2; n <= nr_online; n *= 2) {
        section_for_each (share, entry) {
            if (glob_match_list(pattern, (*entry)->name)) {
                share_run_case(*entry, n);
            }
        }
    }
}

static bool
share_stage(void)
{
    if (share_is_wanted) {
        share_run(share_pattern);
    }
    return true;
}

MAIN_STAGE(MAIN_BENCHMARKS, share_stage);

static status_t
share_option(const char *value)
{
    share_is_wanted = true;
    strlcpy(share_pattern, value[0] != '\0' ? value : "*",
            sizeof(share_pattern));
    return OK;
}

OPTION(share, "GLOB[,GLOB...] or nothing", "run the sharing workloads",
       share_option);

static void
share_command(int argc, char **argv)
{
    share_run(argc > 1 ? argv[1] : "*");
}

MONITOR_COMMAND(share, "[GLOB[,GLOB...]]",
                "run sharing workloads for tools/lineshare", share_command);
