/* SPDX-License-Identifier: MIT */
/*
 * The log: a ring of records in memory, printed on the consoles as they come.
 *
 * A record is one line.  It goes to the consoles when its level is at most
 * loglevel=; the ring keeps all until it wraps.  Usable from the first
 * instruction in C, in interrupts and under any lock but the console's.
 *
 * Records reach the consoles in the order of their sequence numbers: one thread
 * at a time prints, also what others append in the meantime.  So log_write()
 * waits for nobody else's output, and may return before the line is visible;
 * where it may not wait, the console thread prints.
 */
#ifndef KERN_LOG_H
#define KERN_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

enum log_level {
    LOG_LEVEL_PANIC = 0,
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

/* Longest text of a record, bytes; the rest of a longer one is cut. */
#define LOG_LINE_MAX 240

/*
 * Append a record and print what waits to be printed.
 *
 * @format  as for fmt_vsnprintf(); the text begins "module: ".  Control
 *          characters, newlines among them, become blanks; trailing ones go
 *
 * Context: any but NMI; uses 1 KiB of the stack
 * Locks:   takes and drops LOCK_LOG, then LOCK_CONSOLE
 */
void log_write(enum log_level level, const char *format, ...) __printf(2, 3);

/*
 * Same as log_write(), with the arguments in a list.
 */
void log_vwrite(enum log_level level, const char *format, va_list args);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * A record as log_read() returns it.
 */
struct log_record {
    uint64_t sequence; /* number of the record since boot */
    uint64_t time;     /* nanoseconds since boot */
    enum log_level level;
    size_t size; /* of the text, bytes */
    char text[LOG_LINE_MAX + 1];
};

/* Size of a buffer for any record as a line, bytes. */
#define LOG_FORMAT_SIZE (LOG_LINE_MAX + 32)

/*
 * Copy the record with the smallest sequence number >= @sequence.  Reading
 * all records in order costs constant time for each.
 *
 * Context: any but NMI
 * Locks:   takes and drops LOCK_LOG
 * Returns: false when there is none yet, and nothing was written
 */
bool log_read(uint64_t sequence, struct log_record *record);

/*
 * The sequence number that the next record will get.
 *
 * Context:  any
 * Ordering: a record that was printed before the call counts
 */
uint64_t log_next_sequence(void);

/*
 * Make a line of a record, "[    0.012345] text" and a newline.
 *
 * @line  of LOG_FORMAT_SIZE bytes
 *
 * Returns: the length of the line, bytes
 */
size_t log_format_record(const struct log_record *record, char *line);

/*
 * Print a record as a line on the consoles, whatever its level.
 *
 * Locks: takes and drops LOCK_CONSOLE
 */
void log_print_record(const struct log_record *record);

/*
 * Choose which records go to the consoles from now on: those up to a level.
 *
 * @level  0 (only panics) to 7 (debug); greater means 7
 */
void log_set_level(unsigned level);

/*
 * The level of log_set_level(), LOG_LEVEL_INFO by default.
 */
unsigned log_level(void);

/* Print what waits, unless somebody does.  Context: may wait for consoles */
void log_print(void);

/*
 * Wait until all that was appended before is on the consoles, for those who
 * are about to switch the machine off.
 *
 * Context: any but NMI
 * Blocks:  bounded, when the CPU that prints was stopped
 */
void log_flush(void);

/*
 * From now on append and print without locks; what waits is printed.  Called
 * by console_enter_panic().
 */
void log_enter_panic(void);

#endif /* KERN_LOG_H */
