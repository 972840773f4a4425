/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line: words, options key=value, and after the word --
 * the arguments of the first program.
 *
 * Words are separated by white space; double quotes group.  Quotes around a
 * whole word or a whole value are dropped, others are ordinary characters;
 * one that is not closed reaches to the end.  A backslash before a quote or a
 * backslash makes it an ordinary character; cmdline_word_copy() drops it.
 * Results point into the text, which the caller keeps and which is not
 * written.
 */
#ifndef LIB_CMDLINE_H
#define LIB_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/status.h>

/* A position in a command line. */
struct cmdline_iter {
    const char *next;
    const char *end;
};

/* A part of the text, not terminated. */
struct cmdline_word {
    const char *text;
    size_t length;
};

/* An option; its value's text is NULL when there is no =, and may be empty. */
struct cmdline_option {
    struct cmdline_word word; /* the whole option, for reports */
    struct cmdline_word key;
    struct cmdline_word value;
};

/*
 * Begin at the start of @text.
 *
 * @text  terminated, kept and not changed while @it is in use
 */
void cmdline_iter_init(struct cmdline_iter *it, const char *text);

/*
 * Take the next word, whatever it is.
 *
 * @word  without the quotes around it; written only on success
 *
 * Returns: false at the end
 */
bool cmdline_next_word(struct cmdline_iter *it, struct cmdline_word *word);

/*
 * Take the next option.  At the word -- it stops and skips that word, so
 * that cmdline_next_word() then gives the words behind it.
 *
 * @option  written only on success
 *
 * Returns: false at -- or at the end
 */
bool cmdline_next(struct cmdline_iter *it, struct cmdline_option *option);

/*
 * The words behind the first --.
 *
 * Returns: a part of @text, empty when there is no --
 */
const char *cmdline_arguments(const char *text);

/*
 * Whether @word is exactly @text.
 */
bool cmdline_word_is(const struct cmdline_word *word, const char *text);

/*
 * Copy a word into a buffer, terminated.
 *
 * @size  of the buffer, bytes, at least 1
 *
 * Returns: OK; ERR_OVERFLOW, and @buf holds the start of it;
 *          ERR_NOT_FOUND, an option without value, and @buf is empty
 */
status_t cmdline_word_copy(const struct cmdline_word *word, char *buf,
                           size_t size);

/*
 * Parse a word as a number, as string_to_u64() does with base 0.
 *
 * @out  written only on success
 *
 * Returns: OK; ERR_INVALID, none or not a number; ERR_RANGE, above 64 bits
 */
status_t cmdline_word_to_u64(const struct cmdline_word *word, uint64_t *out);

#endif /* LIB_CMDLINE_H */
