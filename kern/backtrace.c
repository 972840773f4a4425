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
    size_t first;

    first = pc != 0;
    trace->pcs[0] = pc;
    trace->nr_pcs = trace_collect(trace->pcs + first, BACKTRACE_MAX - first,
                                  frame, &trace->exact);
    trace->nr_pcs += first;
    trace->exact = (trace->exact << first) | first;
}

bool
backtrace_find(const struct backtrace *trace, size_t i,
               struct symtab_entry *entry)
{
    uintptr_t back;

    /* A return address may lie behind the end of a noreturn caller. */
    back = !((trace->exact >> i) & 1);
    if (!symtab_lookup(trace->pcs[i] - back, entry)) {
        return false;
    }

    entry->offset += back;
    return true;
}

void
backtrace_print(const struct backtrace *trace, uint32_t cpu)
{
    struct symtab_entry entry;
    uintptr_t pc;
    size_t i;

    for (i = 0; i < trace->nr_pcs; i++) {
        pc = trace->pcs[i];
        if (!backtrace_find(trace, i, &entry)) {
            console_printf("cpu %u: #%zu 0x%016lx ?\n", cpu, i, pc);
            continue;
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
