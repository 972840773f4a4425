/* SPDX-License-Identifier: MIT */
/*
 * Monitor command: memory objects.
 */
#include <kern/command.h>
#include <kern/console.h>
#include <vm/object.h>

static void
object_cmd_objects(int argc __unused, char **argv __unused)
{
    struct object_info info;

    console_printf("%-32s %-10s %12s %12s %8s %-24s\n", "name", "kind", "KiB",
                   "resident", "mappings", "container");
    for (size_t i = 0; object_info_get(i, &info); i++) {
        console_printf("%-32s %-10s %12lu %12lu %8lu %-24s", info.name,
                       info.kind, info.nr_pages << (PAGE_SHIFT - 10),
                       info.nr_resident << (PAGE_SHIFT - 10), info.nr_mappings,
                       info.container);
        if (info.phys != PADDR_NONE) {
            console_printf(" at 0x%lx", info.phys);
        }
        console_printf("\n");
    }
}

MONITOR_COMMAND(objects, "", "memory objects: size, memory, who pays",
                object_cmd_objects);
