/* SPDX-License-Identifier: MIT */
/*
 * The longest stretches with interrupts or preemption off: report, command.
 */
#include <arch/latency.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/latency.h>
#include <kern/main.h>
#include <kern/option.h>
#include <kern/symtab.h>
#include <lib/string.h>

static const char *const latency_names[LATENCY_NR_KINDS] = {
    [LATENCY_IRQS_OFF] = "irqs_off",
    [LATENCY_PREEMPT_OFF] = "preempt_off",
};

static bool latency_is_wanted;

static void
latency_print_place(uintptr_t pc)
{
    struct symtab_entry entry;

    if (symtab_lookup(pc - 1, &entry)) {
        console_printf(" %s %s:%u", entry.name,
                       entry.file != NULL ? entry.file : "?", entry.line);
    } else {
        console_printf(" %#lx", pc);
    }
}

static void
latency_print(enum latency_kind kind)
{
    struct latency_stretch top[LATENCY_TOP];
    unsigned i;

    latency_collect(kind, top);
    for (i = 0; i < LATENCY_TOP && top[i].ticks != 0; i++) {
        console_printf("# latency %s %lu cpu %u:", latency_names[kind],
                       top[i].ticks, top[i].cpu);
        latency_print_place(top[i].from);
        console_printf(" to");
        latency_print_place(top[i].to);
        console_printf("\n");
    }
    console_printf("BENCH latency.%s.max %lu insns n=1 min=%lu\n",
                   latency_names[kind], top[0].ticks, top[0].ticks);
}

static void
latency_print_all(void)
{
    unsigned kind;

    latency_stop();
    for (kind = 0; kind < LATENCY_NR_KINDS; kind++) {
        latency_print(kind);
    }
    latency_start();
}

static bool
latency_stage(void)
{
    if (latency_is_wanted) {
        latency_print_all();
    }
    return true;
}

MAIN_STAGE(MAIN_REPORTS, latency_stage);

static status_t
latency_option(const char *value)
{
    if (value[0] != '\0') {
        return ERR_INVALID;
    }

    latency_is_wanted = true;
    return OK;
}

OPTION(latency, "nothing", "report the longest stretches", latency_option);

static void
latency_command(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "reset") == 0) {
        latency_reset();
        return;
    }
    latency_print_all();
}

MONITOR_COMMAND(latency, "[reset]",
                "longest stretches with interrupts or preemption off",
                latency_command);
