/* SPDX-License-Identifier: MIT */
/*
 * Commands about code: what a CPU executes, what is at an address.
 */
#include <arch/sample.h>
#include <kern/backtrace.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/symtab.h>
#include <lib/glob.h>
#include <lib/string.h>

static void
backtrace_print_cpu(uint32_t cpu)
{
    struct backtrace trace;
    status_t status;

    status = sample_backtrace(cpu, &trace);
    if (status != OK) {
        console_printf("cpu %u: %s\n", cpu, status_string(status));
        return;
    }
    backtrace_print(&trace, cpu);
}

static void
backtrace_command(int argc, char **argv)
{
    uint64_t number;
    uint32_t cpu;

    if (argc > 1) {
        if (string_to_u64(argv[1], 0, &number) != OK ||
            number >= cpu_nr_possible) {
            console_printf("bt: there is no CPU %s\n", argv[1]);
            return;
        }
        backtrace_print_cpu((uint32_t)number);
        return;
    }

    cpu_for_each (cpu) {
        backtrace_print_cpu(cpu);
    }
}

MONITOR_COMMAND(bt, "[CPU]", "backtrace of a CPU, or of all",
                backtrace_command);

static void
backtrace_print_address(uint64_t addr)
{
    struct symtab_entry entry;

    if (!symtab_lookup(addr, &entry)) {
        console_printf("%#lx is no symbol's\n", addr);
        return;
    }
    console_printf("%#lx is %s+0x%lx", addr, entry.name, entry.offset);
    if (entry.file != NULL) {
        console_printf(" %s:%u", entry.file, entry.line);
    }
    console_printf("\n");
}

static void
backtrace_symbols_command(int argc, char **argv)
{
    const char *name;
    uintptr_t addr;
    uint64_t number;
    size_t i;

    if (argc < 2) {
        console_printf("%zu symbols; give an address or a pattern\n",
                       symtab_nr_symbols());
        return;
    }
    if (string_to_u64(argv[1], 0, &number) == OK) {
        backtrace_print_address(number);
        return;
    }

    for (i = 0; i < symtab_nr_symbols(); i++) {
        name = symtab_get(i, &addr);
        if (name != NULL && name[0] != '\0' && glob_match(argv[1], name)) {
            console_printf("%#lx %s\n", addr, name);
        }
    }
}

MONITOR_COMMAND(symbols, "[ADDRESS|GLOB]", "names of addresses",
                backtrace_symbols_command);
