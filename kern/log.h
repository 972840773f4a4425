/* SPDX-License-Identifier: MIT */
/*
 * The log: a ring of records in memory, printed on the consoles as they come.
 *
 * A record is one line.  It goes to the consoles when its level is at most
 * loglevel=; the ring keeps all until it wraps.  Usable from the first
 * instruction in C, in interrupts and under any lock but the console's.
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

/* Append a record; the text begins "module: " and has no newline. */
void log_write(enum log_level level, const char *format, ...) __printf(2, 3);

/* Same, with the arguments in a list. */
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

/*
 * Copy the record with the smallest sequence number >= @sequence.
 *
 * Returns: false when there is none yet
 */
bool log_read(uint64_t sequence, struct log_record *record);

/* Sequence number that the next record will get. */
uint64_t log_next_sequence(void);

/* Print a record as a line, "[    0.012345] text". */
void log_print_record(const struct log_record *record);

#endif /* KERN_LOG_H */
