/* SPDX-License-Identifier: MIT */
/*
 * A line of text that is edited key by key, with a history of lines.
 *
 * Pure: keys go in, an event comes out, and the owner prints.  No lock, no
 * device.
 */
#ifndef KERN_LINEEDIT_H
#define KERN_LINEEDIT_H

#include <stdbool.h>
#include <stddef.h>

/* Longest line, bytes. */
#define LINEEDIT_MAX 255

/* Lines that are remembered. */
#define LINEEDIT_NR_HISTORY 32

/* Width of the screen that lineedit_render() assumes, columns. */
#define LINEEDIT_COLUMNS 80

/* Longest prompt, bytes. */
#define LINEEDIT_PROMPT_MAX 40

/* Size of the buffer of lineedit_render(), bytes. */
#define LINEEDIT_RENDER_SIZE (LINEEDIT_COLUMNS + LINEEDIT_PROMPT_MAX + 24)

enum lineedit_event {
    LINEEDIT_NOTHING,  /* the key changed nothing */
    LINEEDIT_APPENDED, /* it is now the last character: echo suffices */
    LINEEDIT_CHANGED,  /* line or cursor changed: render */
    LINEEDIT_DONE,     /* the line is complete, and in the history */
    LINEEDIT_CANCELLED,
    LINEEDIT_COMPLETE, /* Tab */
    LINEEDIT_CLEAR,    /* the screen is to be cleared */
};

/*
 * All zero is the initial state: no history, an empty line.
 */
struct lineedit {
    char text[LINEEDIT_MAX + 1];  /* the line, terminated */
    unsigned size;                /* of the line, bytes */
    unsigned cursor;              /* 0..size */
    char draft[LINEEDIT_MAX + 1]; /* the line before history was looked at */
    unsigned age;                 /* 0: the draft, n: n-th latest line */
    unsigned nr_lines;            /* ever remembered */
    char history[LINEEDIT_NR_HISTORY][LINEEDIT_MAX + 1];
};

/*
 * Begin an empty line; the history stays.
 */
void lineedit_start(struct lineedit *edit);

/*
 * Take a key.
 *
 * @key  a character 0..255, or an enum console_key
 *
 * Returns: what happened
 */
enum lineedit_event lineedit_feed(struct lineedit *edit, int key);

/*
 * Insert text at the cursor, as much as fits.
 */
void lineedit_insert(struct lineedit *edit, const char *text);

/*
 * What to print in order to show prompt, line and cursor on one row.  A line
 * that is too long is shown around its cursor.
 *
 * @prompt  1 to LINEEDIT_PROMPT_MAX bytes
 * @out     LINEEDIT_RENDER_SIZE bytes
 *
 * Returns: the length of the text in @out
 */
size_t lineedit_render(const struct lineedit *edit, const char *prompt,
                       char *out);

/*
 * Whether the line and a prompt of @prompt_size bytes fit in a row, the cursor
 * included.
 */
bool lineedit_fits(const struct lineedit *edit, size_t prompt_size);

/*
 * A line of the history.
 *
 * @age  1 for the latest
 *
 * Returns: the line, or NULL when there is none as old as that
 */
const char *lineedit_history(const struct lineedit *edit, unsigned age);

#endif /* KERN_LINEEDIT_H */
