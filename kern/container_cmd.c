/* SPDX-License-Identifier: MIT */
/*
 * Monitor command: resource containers.
 */
#include <kern/command.h>
#include <kern/console.h>
#include <kern/container.h>
#include <lib/fmt.h>

/* "used", or "used/limit". */
static void
container_cmd_print_sum(const struct container_info *info,
                        enum container_kind kind)
{
    char text[48];

    fmt_snprintf(text, sizeof(text), "%lu", info->used[kind]);
    if (info->limits[kind] != CONTAINER_UNLIMITED) {
        fmt_snprintf(text, sizeof(text), "%lu/%lu", info->used[kind],
                     info->limits[kind]);
    }
    console_printf(" %16s", text);
}

static void
container_cmd_containers(int argc __unused, char **argv __unused)
{
    struct container_info info;

    console_printf("%-32s %16s %16s %16s %16s %16s\n", "name", "pages",
                   "tables", "object bytes", "rights", "threads");
    for (size_t i = 0; container_info_get(i, &info); i++) {
        console_printf("%*s%-*s", (int)info.depth, "", 32 - (int)info.depth,
                       info.name);
        for (size_t k = 0; k < CONTAINER_NR_KINDS; k++) {
            container_cmd_print_sum(&info, (enum container_kind)k);
        }
        console_printf("\n");
    }
}

MONITOR_COMMAND(containers, "", "resource containers: what is used, and limits",
                container_cmd_containers);
