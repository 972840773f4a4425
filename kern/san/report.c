/* SPDX-License-Identifier: MIT */
/*
 * Reports of the sanitizers.
 *
 * A record belongs to whoever moves its state away from FREE or from READY, by
 * compare and swap.  One thread prints at a time, and only where it may wait
 * for consoles, so that its lines stay together: else the console thread does
 * it.  A report in the course of printing is left to the printer.
 *
 * This folder is compiled without sanitizers.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/percpu.h>
#include <kern/sanitizer.h>
#include <lib/fmt.h>
#include <lib/string.h>

#include "report.h"

#define SANITIZER_NR_RECORDS 16

/* Reports inside of reports are counted only. */
#define SANITIZER_DEPTH_MAX 2

enum sanitizer_state {
    SANITIZER_FREE,
    SANITIZER_FILLING,
    SANITIZER_READY,
    SANITIZER_PRINTING,
};

/*
 * Keys: [a] atomic   [O] who moved the state
 */
struct sanitizer_record {
    atomic_uint state;                /* [a] enum sanitizer_state */
    struct sanitizer_trace traces[2]; /* [O] */
    size_t nr_traces;                 /* [O] */
    char text[LOG_LINE_MAX + 1];      /* [O] */
    char detail[LOG_LINE_MAX + 1];    /* [O] */
};

static struct sanitizer_record sanitizer_records[SANITIZER_NR_RECORDS];
static _Atomic uint64_t sanitizer_count;    /* [a] */
static _Atomic uint64_t sanitizer_lost;     /* [a] not put on record */
static _Atomic uint64_t sanitizer_expected; /* [a] */
static atomic_bool sanitizer_expects;       /* [a] */
static atomic_bool sanitizer_is_printing;   /* [a] somebody prints */

/* [O] who counted the first one */
static char sanitizer_text[LOG_LINE_MAX + 1];

static PERCPU(uint32_t, sanitizer_depth);

uint64_t
sanitizer_nr_reports(void)
{
    return atomic_load_explicit(&sanitizer_count, memory_order_relaxed);
}

bool
sanitizer_is_expecting(void)
{
    return atomic_load_explicit(&sanitizer_expects, memory_order_relaxed);
}

void
sanitizer_report_again(void)
{
    atomic_fetch_add_explicit(&sanitizer_count, 1, memory_order_relaxed);
}

/* A record in state @from, now in state @to; NULL when there is none. */
static struct sanitizer_record *
sanitizer_record_claim(enum sanitizer_state from, enum sanitizer_state to)
{
    for (size_t i = 0; i < ARRAY_SIZE(sanitizer_records); i++) {
        unsigned int state = from;

        /* Pairs with the store in sanitizer_record_pass(). */
        if (atomic_compare_exchange_strong_explicit(&sanitizer_records[i].state,
                                                    &state, to,
                                                    memory_order_acquire,
                                                    memory_order_relaxed)) {
            return &sanitizer_records[i];
        }
    }
    return NULL;
}

static void
sanitizer_record_pass(struct sanitizer_record *record,
                      enum sanitizer_state state)
{
    /* Pairs with the acquire in sanitizer_record_claim(). */
    atomic_store(&record->state, state);
}

static void
sanitizer_record_print(const struct sanitizer_record *record)
{
    log_error("%s", record->text);
    if (record->detail[0] != '\0') {
        log_error("%s", record->detail);
    }
    for (size_t i = 0; i < record->nr_traces; i++) {
        backtrace_print(&record->traces[i].trace, record->traces[i].cpu);
    }
}

static void
sanitizer_print_all(void)
{
    struct sanitizer_record *record;
    uint64_t nr_lost;

    while ((record = sanitizer_record_claim(SANITIZER_READY,
                                            SANITIZER_PRINTING)) != NULL) {
        sanitizer_record_print(record);
        sanitizer_record_pass(record, SANITIZER_FREE);
    }
    nr_lost =
        atomic_exchange_explicit(&sanitizer_lost, 0, memory_order_relaxed);
    if (nr_lost != 0) {
        log_error("sanitizer: %lu more reports were lost", nr_lost);
    }
}

static bool
sanitizer_has_ready(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(sanitizer_records); i++) {
        if (atomic_load(&sanitizer_records[i].state) == SANITIZER_READY) {
            return true;
        }
    }
    return false;
}

void
sanitizer_flush(void)
{
    /* Who finds a printer leaves it a record, so the printer looks again. */
    while (sanitizer_has_ready() &&
           !atomic_exchange(&sanitizer_is_printing, true)) {
        sanitizer_print_all();
        atomic_store(&sanitizer_is_printing, false);
    }
}

/* Put a finding on record; @text has been expected or is to be printed. */
static void
sanitizer_record_fill(struct sanitizer_record *record,
                      const struct sanitizer_place *place)
{
    record->nr_traces = 1;
    record->traces[0].cpu = cpu_id();
    backtrace_take(&record->traces[0].trace, place->pc, place->frame);
    if (place->other != NULL) {
        record->nr_traces = 2;
        record->traces[1] = *place->other;
    }
}

static void
sanitizer_vreport(const struct sanitizer_place *place, const char *detail,
                  const char *format, va_list args)
{
    struct sanitizer_record *record;

    if (sanitizer_is_expecting()) {
        if (atomic_fetch_add_explicit(&sanitizer_expected, 1,
                                      memory_order_relaxed) == 0) {
            fmt_vsnprintf(sanitizer_text, sizeof(sanitizer_text), format, args);
        }
        return;
    }

    atomic_fetch_add_explicit(&sanitizer_count, 1, memory_order_relaxed);
    record = percpu_read(sanitizer_depth) <= SANITIZER_DEPTH_MAX
                 ? sanitizer_record_claim(SANITIZER_FREE, SANITIZER_FILLING)
                 : NULL;
    if (record == NULL) {
        atomic_fetch_add_explicit(&sanitizer_lost, 1, memory_order_relaxed);
        return;
    }
    sanitizer_record_fill(record, place);
    fmt_vsnprintf(record->text, sizeof(record->text), format, args);
    strlcpy(record->detail, detail, sizeof(record->detail));
    sanitizer_record_pass(record, SANITIZER_READY);
}

void
sanitizer_report(const struct sanitizer_place *place, const char *detail,
                 const char *format, ...)
{
    uint64_t flags;
    va_list args;

    flags = cpu_irq_save();
    percpu_add(sanitizer_depth, 1);
    va_start(args, format);
    sanitizer_vreport(place, detail, format, args);
    va_end(args);
    percpu_add(sanitizer_depth, -1);
    cpu_irq_restore(flags);
    if (console_may_print()) {
        sanitizer_flush();
    } else {
        console_wake();
    }
}

void
sanitizer_expect_begin(void)
{
    sanitizer_text[0] = '\0';
    atomic_store_explicit(&sanitizer_expected, 0, memory_order_relaxed);
    atomic_store_explicit(&sanitizer_expects, true, memory_order_relaxed);
}

uint64_t
sanitizer_expect_end(void)
{
    atomic_store_explicit(&sanitizer_expects, false, memory_order_relaxed);
    return sanitizer_nr_expected();
}

uint64_t
sanitizer_nr_expected(void)
{
    return atomic_load_explicit(&sanitizer_expected, memory_order_relaxed);
}

const char *
sanitizer_expected_text(void)
{
    return sanitizer_text;
}
