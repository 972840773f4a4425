/* SPDX-License-Identifier: MIT */
/*
 * Reports of the sanitizers.
 *
 * A record belongs to whoever moves its state away from FREE or from READY, by
 * compare and swap.  One CPU prints at a time, and not while the locks of the
 * log and of the consoles may be its own: it waits for them for a while, and
 * if they do not become free, the record stays for later.  A report in the
 * course of printing is left to the printer.
 *
 * This folder is compiled without sanitizers.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/backtrace.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/percpu.h>
#include <kern/sanitizer.h>
#include <lib/fmt.h>
#include <lib/string.h>

#define SANITIZER_NR_RECORDS 8

/* How often locks are looked at before printing is put off. */
#define SANITIZER_TRIES 1000000

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
    atomic_uint state;      /* [a] enum sanitizer_state */
    uint32_t cpu;           /* [O] */
    struct backtrace trace; /* [O] */
    char text[LOG_LINE_MAX + 1];
    char detail[LOG_LINE_MAX + 1];
};

static struct sanitizer_record sanitizer_records[SANITIZER_NR_RECORDS];
static _Atomic uint64_t sanitizer_count;    /* [a] */
static _Atomic uint64_t sanitizer_lost;     /* [a] not put on record */
static _Atomic uint64_t sanitizer_expected; /* [a] */
static atomic_bool sanitizer_expects;       /* [a] */
static atomic_bool sanitizer_is_printing;   /* [a] somebody prints */

/* [O] the test that expects */
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

        /* Pairs with the release in sanitizer_record_pass(). */
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
    atomic_store_explicit(&record->state, state, memory_order_release);
}

static void
sanitizer_record_print(const struct sanitizer_record *record)
{
    log_error("%s", record->text);
    if (record->detail[0] != '\0') {
        log_error("%s", record->detail);
    }
    backtrace_print(&record->trace, record->cpu);
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

/* Whether nobody holds the locks that printing takes, this CPU least of all. */
static bool
sanitizer_can_print(void)
{
    for (unsigned int i = 0; i < SANITIZER_TRIES; i++) {
        if (!log_is_locked() && !console_is_locked()) {
            return true;
        }
        cpu_pause();
    }
    return false;
}

void
sanitizer_flush(void)
{
    if (!sanitizer_can_print() ||
        atomic_exchange_explicit(&sanitizer_is_printing, true,
                                 memory_order_acquire)) {
        return;
    }
    sanitizer_print_all();
    atomic_store_explicit(&sanitizer_is_printing, false, memory_order_release);
}

/* Put a finding on record; @text has been expected or is to be printed. */
static void
sanitizer_record_fill(struct sanitizer_record *record,
                      const struct sanitizer_place *place)
{
    record->cpu = cpu_id();
    backtrace_take(&record->trace, place->pc, place->frame);
}

static void
sanitizer_vreport(const struct sanitizer_place *place, const char *detail,
                  const char *format, va_list args)
{
    struct sanitizer_record *record;

    if (sanitizer_is_expecting()) {
        fmt_vsnprintf(sanitizer_text, sizeof(sanitizer_text), format, args);
        atomic_fetch_add_explicit(&sanitizer_expected, 1, memory_order_relaxed);
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
    if (percpu_read(sanitizer_depth) == 1) {
        sanitizer_flush();
    }
    percpu_add(sanitizer_depth, -1);
    cpu_irq_restore(flags);
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
    return atomic_load_explicit(&sanitizer_expected, memory_order_relaxed);
}

const char *
sanitizer_expected_text(void)
{
    return sanitizer_text;
}
