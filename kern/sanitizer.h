/* SPDX-License-Identifier: MIT */
/*
 * What the instrumented builds found.
 *
 * The run-time parts of the sanitizers in kern/san hand their findings in
 * here.  A finding is first put on record, without locks, and then printed as
 * a line of the log and a backtrace: at once if the caller may wait for
 * consoles, else by the console thread.  So a report may be made anywhere,
 * also inside of the log, of a console, or of another report.
 *
 * In builds without sanitizers all of this vanishes.
 */
#ifndef KERN_SANITIZER_H
#define KERN_SANITIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

#ifdef CONFIG_UBSAN
#define SANITIZER_IS_UBSAN true
#else
#define SANITIZER_IS_UBSAN false
#endif

#ifdef CONFIG_KASAN
#define SANITIZER_IS_KASAN true
#else
#define SANITIZER_IS_KASAN false
#endif

#ifdef CONFIG_KCSAN
#define SANITIZER_IS_KCSAN true
#else
#define SANITIZER_IS_KCSAN false
#endif

#define SANITIZER_IS_ANY                                                       \
    (SANITIZER_IS_UBSAN || SANITIZER_IS_KASAN || SANITIZER_IS_KCSAN)

struct sanitizer_trace;

/* Where something was found. */
struct sanitizer_place {
    uintptr_t pc;    /* the instruction */
    uintptr_t frame; /* frame pointer of its function */
    /* Of another CPU that has to do with it, or NULL. */
    const struct sanitizer_trace *other;
};

/* The place that called the function in which this is written. */
#define SANITIZER_CALLER()                                                     \
    ((struct sanitizer_place){                                                 \
        (uintptr_t)__builtin_return_address(0) - SANITIZER_CALL_SIZE,          \
        *(const uintptr_t *)__builtin_frame_address(0),                        \
        NULL,                                                                  \
    })

/* Bytes of a call instruction, so that a place is the call's. */
#define SANITIZER_CALL_SIZE 5

#ifdef CONFIG_SANITIZER

/* Reports since boot, without those that were expected. */
uint64_t sanitizer_nr_reports(void);

/*
 * Report a finding.
 *
 * @place   begins the backtrace; the other CPU's, if there is one, follows
 * @detail  of another line, what is known besides; "" for none
 * @format  of the line, which begins with the name of the sanitizer
 *
 * Context: any
 * Locks:   takes and drops LOCK_LOG and LOCK_CONSOLE if it can
 */
void sanitizer_report(const struct sanitizer_place *place, const char *detail,
                      const char *format, ...) __printf(3, 4);

/*
 * Count a finding at a place that was reported already.
 *
 * Context: any
 */
void sanitizer_report_again(void);

/*
 * Print what could not be printed when it was found.
 *
 * Context: that of log_print(), or a panic
 */
void sanitizer_flush(void);

/*
 * Have reports of any CPU counted apart and not printed, for tests that
 * provoke them.
 *
 * Context: thread; one test at a time
 */
void sanitizer_expect_begin(void);

/*
 * End what sanitizer_expect_begin() began.
 *
 * Returns: how many reports there were in between
 */
uint64_t sanitizer_expect_end(void);

/* How many reports there were since sanitizer_expect_begin(). */
uint64_t sanitizer_nr_expected(void);

/* Whether reports are expected now: also repeated ones count then. */
bool sanitizer_is_expecting(void);

/* The line of the first report that was expected; "" if there was none. */
const char *sanitizer_expected_text(void);

#else

static inline uint64_t
sanitizer_nr_reports(void)
{
    return 0;
}

static inline void
sanitizer_flush(void)
{
}

static inline void
sanitizer_expect_begin(void)
{
}

static inline uint64_t
sanitizer_expect_end(void)
{
    return 0;
}

static inline uint64_t
sanitizer_nr_expected(void)
{
    return 0;
}

static inline const char *
sanitizer_expected_text(void)
{
    return "";
}

#endif /* CONFIG_SANITIZER */

#endif /* KERN_SANITIZER_H */
