/* SPDX-License-Identifier: MIT */
/*
 * Options of the kernel command line.
 *
 * A module announces an option in one place; option_parse() calls its
 * function with the value.  Options that nobody announced and values that
 * are refused are reported in the log and ignored.
 */
#ifndef KERN_OPTION_H
#define KERN_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>

/* Longest value of an option, bytes. */
#define OPTION_VALUE_MAX 1024

struct option {
    const char *name;
    const char *value; /* for help: what the value may be */
    const char *help;
    /* @value is "" when the option was given without one. */
    status_t (*fn)(const char *value);
};

#define OPTION(name_, value_, help_, fn_)                                      \
    static const struct option option_##name_ = {                              \
        .name = #name_,                                                        \
        .value = (value_),                                                     \
        .help = (help_),                                                       \
        .fn = (fn_),                                                           \
    };                                                                         \
    SECTION_ENTRY(option, option_##name_)

/*
 * Read the command line.
 *
 * @text  kept; the words after -- are for the first program
 *
 * Context: boot CPU, before anything is printed
 */
void option_parse(const char *text);

/*
 * Parse a number of an option.
 *
 * Returns: OK, ERR_INVALID, or ERR_RANGE when above @max
 */
status_t option_number(const char *value, uint64_t max, uint64_t *out);

#endif /* KERN_OPTION_H */
