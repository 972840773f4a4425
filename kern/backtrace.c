/* SPDX-License-Identifier: MIT */
#include <arch/trap.h>
#include <kern/backtrace.h>
#include <kern/console.h>
#include <kern/init.h>
#include <kern/symtab.h>
#include <lib/fmt.h>

void
backtrace_take(struct backtrace *trace, uintptr_t pc, uintptr_t frame)
{
    trace->nr_pcs = 0;
    if (pc != 0) {
        trace->pcs[trace->nr_pcs++] = pc;
    }
    trace->nr_pcs += trace_collect(trace->pcs + trace->nr_pcs,
                                   BACKTRACE_MAX - trace->nr_pcs, frame);
}

void
backtrace_print(const struct backtrace *trace, uint32_t cpu)
{
    struct symtab_entry entry;
    uintptr_t pc;
    size_t i;

    for (i = 0; i < trace->nr_pcs; i++) {
        pc = trace->pcs[i];
        /* A return address may lie behind the end of a noreturn caller. */
        if (!symtab_lookup(i == 0 ? pc : pc - 1, &entry)) {
            console_printf("cpu %u: #%zu 0x%016lx ?\n", cpu, i, pc);
            continue;
        }
        if (i != 0) {
            entry.offset++;
        }
        if (entry.file == NULL) {
            console_printf("cpu %u: #%zu 0x%016lx %s+0x%lx\n", cpu, i, pc,
                           entry.name, entry.offset);
        } else {
            console_printf("cpu %u: #%zu 0x%016lx %s+0x%lx %s:%u\n", cpu, i, pc,
                           entry.name, entry.offset, entry.file, entry.line);
        }
    }
}

static size_t
backtrace_format_symbol(char *buf, size_t size, uintptr_t addr)
{
    struct symtab_entry entry;

    if (!symtab_lookup(addr, &entry)) {
        return (size_t)fmt_snprintf(buf, size, "0x%lx", addr);
    }
    return (size_t)fmt_snprintf(buf, size, "%s+0x%lx", entry.name,
                                entry.offset);
}

static status_t
backtrace_setup(void)
{
    fmt_symbol_hook = backtrace_format_symbol;
    return OK;
}

INIT_OP(backtrace_setup, INIT_BOOT_CPU);
