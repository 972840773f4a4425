/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/backtrace.h>
#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/sanitizer.h>

/* [a] */
static _Atomic uint64_t sanitizer_count;

uint64_t
sanitizer_nr_reports(void)
{
    return atomic_load_explicit(&sanitizer_count, memory_order_relaxed);
}

void
sanitizer_report(const char *format, ...)
{
    struct backtrace trace;
    va_list args;

    atomic_fetch_add_explicit(&sanitizer_count, 1, memory_order_relaxed);
    va_start(args, format);
    log_vwrite(LOG_LEVEL_ERROR, format, args);
    va_end(args);
    backtrace_take(&trace, 0, cpu_frame());
    backtrace_print(&trace, cpu_id());
}
