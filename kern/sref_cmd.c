/* SPDX-License-Identifier: MIT */
/*
 * Monitor command: scalable references.
 */
#include <kern/command.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/sref.h>
#include <kern/sref_epoch.h>

static void
sref_command(int argc __unused, char **argv __unused)
{
    struct sref_stats stats;
    uint32_t cpu;

    console_printf("epoch %lu, %zu bytes of nodes\n", sref_epoch_now(),
                   sref_epoch_tree_size());
    console_printf("%4s %6s %8s %6s %9s %9s %8s %8s %8s %7s %8s\n", "cpu",
                   "member", "rounds", "joins", "flushed", "evicted",
                   "bypassed", "queued", "dirty", "revived", "dead");
    cpu_for_each (cpu) {
        sref_stats_get(cpu, &stats);
        console_printf("%4u %6s %8lu %6lu %9lu %9lu %8lu %8lu %8lu %7lu %8lu\n",
                       cpu, sref_cpu_is_member(cpu) ? "yes" : "no",
                       stats.nr_rounds, stats.nr_joins, stats.nr_flushed,
                       stats.nr_evicted, stats.nr_bypassed, stats.nr_queued,
                       stats.nr_dirty, stats.nr_revived, stats.nr_dead);
    }
}

MONITOR_COMMAND(srefs, "", "epochs of scalable references, by CPU",
                sref_command);
