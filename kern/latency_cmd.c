/* SPDX-License-Identifier: MIT */
/*
 * The longest stretches with interrupts or preemption off: report, command.
 */
#include <arch/clock.h>
#include <arch/latency.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/irq.h>
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
        console_printf(" %s+%#lx %s:%u", entry.name, entry.offset,
                       entry.file != NULL ? entry.file : "?", entry.line);
    } else {
        console_printf(" %#lx", pc);
    }
}

static void
latency_print_stretch(const char *name, enum latency_list list,
                      const struct latency_stretch *stretch)
{
    const char *handler;

    console_printf("# latency %s %lu cpu %u:", name, stretch->ticks,
                   stretch->cpu);
    if (stretch->vector != 0) {
        handler = irq_name(stretch->vector);
        console_printf(" interrupt %#x %s,", stretch->vector,
                       handler != NULL ? handler : "of nobody");
    }
    latency_print_place(stretch->from);
    console_printf(" to");
    latency_print_place(stretch->to);
    if (list == LATENCY_EXCUSED) {
        console_printf(", excused: %s", stretch->excuse);
    } else if (list == LATENCY_DOUBTFUL) {
        console_printf(", doubtful");
    }
    console_printf("\n");
}

/* Returns: the longest */
static uint64_t
latency_print_list(enum latency_kind kind, enum latency_list list)
{
    struct latency_stretch top[LATENCY_TOP];
    unsigned i;

    latency_collect(kind, list, top);
    for (i = 0; i < LATENCY_TOP && top[i].ticks != 0; i++) {
        latency_print_stretch(latency_names[kind], list, &top[i]);
    }
    return top[0].ticks;
}

/* What counts comes last. */
static void
latency_print_all(void)
{
    uint64_t max[LATENCY_NR_KINDS];
    unsigned kind, list;

    latency_stop();
    console_printf("# latency: %s%s\n",
                   clock_counts_instructions() ? "instructions" : "ticks",
                   latency_is_own() ? ", each CPU's own" : "");
    for (list = LATENCY_NR_LISTS; list > 0; list--) {
        for (kind = 0; kind < LATENCY_NR_KINDS; kind++) {
            max[kind] = latency_print_list(kind, list - 1);
        }
    }
    for (kind = 0; kind < LATENCY_NR_KINDS; kind++) {
        console_printf("BENCH latency.%s.max %lu insns n=1 min=%lu\n",
                       latency_names[kind], max[kind], max[kind]);
    }
    latency_resume();
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
