/* SPDX-License-Identifier: MIT */
/*
 * Monitor command: slab caches.
 */

#include <kern/console.h>
#include <kern/monitor.h>
#include <kern/slab.h>
#include <arch/types.h>

static void
slab_cmd_slabs(int argc __unused, char **argv __unused)
{
    struct slab_stats stats;
    size_t nr_pages = 0;

    console_printf("%-24s %8s %8s %8s %8s\n", "name", "size", "used", "room",
                   "KiB");
    for (size_t i = 0; slab_stats_get(i, &stats); i++) {
        console_printf("%-24s %8zu %8zu %8zu %8zu\n", stats.name, stats.size,
                       stats.nr_used, stats.nr_objects,
                       stats.nr_pages << (PAGE_SHIFT - 10));
        nr_pages += stats.nr_pages;
    }
    console_printf("%-24s %35zu\n", "all", nr_pages << (PAGE_SHIFT - 10));
}

MONITOR_COMMAND(slabs, "", "slab caches and their memory", slab_cmd_slabs);
