/* SPDX-License-Identifier: MIT */
/*
 * Line editor.
 *
 * Invariants: cursor <= size <= LINEEDIT_MAX, text[size] is NUL, the line has
 * only printable ASCII.  The history is a ring indexed by the number of the
 * line; looking at it copies into the line, so old lines never change.
 */
#include <lib/assert.h>
#include <lib/fmt.h>
#include <lib/string.h>

#include <kern/console_key.h>
#include <kern/lineedit.h>

#define CONTROL(letter) ((letter) & 0x1f)

/* The keys of a terminal that has only letters. */
static int
lineedit_translate(int key)
{
    switch (key) {
    case CONTROL('A'):
        return CONSOLE_KEY_HOME;
    case CONTROL('B'):
        return CONSOLE_KEY_LEFT;
    case CONTROL('D'):
        return CONSOLE_KEY_DELETE;
    case CONTROL('E'):
        return CONSOLE_KEY_END;
    case CONTROL('F'):
        return CONSOLE_KEY_RIGHT;
    case CONTROL('N'):
        return CONSOLE_KEY_DOWN;
    case CONTROL('P'):
        return CONSOLE_KEY_UP;
    default:
        return key;
    }
}

static bool
lineedit_is_printable(int key)
{
    return key >= ' ' && key < 0x7f;
}

static void
lineedit_set_text(struct lineedit *edit, const char *text)
{
    strlcpy(edit->text, text, sizeof(edit->text));
    edit->size = (unsigned)strlen(edit->text);
    edit->cursor = edit->size;
}

/* Remove the bytes from @first to before @end; the cursor goes there. */
static enum lineedit_event
lineedit_remove(struct lineedit *edit, unsigned first, unsigned end)
{
    assert(first <= end && end <= edit->size);

    if (first == end) {
        return LINEEDIT_NOTHING;
    }

    memmove(&edit->text[first], &edit->text[end], edit->size - end + 1);
    edit->size -= end - first;
    edit->cursor = first;
    return LINEEDIT_CHANGED;
}

static bool
lineedit_insert_char(struct lineedit *edit, char c)
{
    if (edit->size == LINEEDIT_MAX) {
        return false;
    }

    memmove(&edit->text[edit->cursor + 1], &edit->text[edit->cursor],
            edit->size - edit->cursor + 1);
    edit->text[edit->cursor] = c;
    edit->size++;
    edit->cursor++;
    return true;
}

static enum lineedit_event
lineedit_type(struct lineedit *edit, char c)
{
    if (!lineedit_insert_char(edit, c)) {
        return LINEEDIT_NOTHING;
    }

    return edit->cursor == edit->size ? LINEEDIT_APPENDED : LINEEDIT_CHANGED;
}

static enum lineedit_event
lineedit_move(struct lineedit *edit, unsigned cursor)
{
    if (cursor == edit->cursor) {
        return LINEEDIT_NOTHING;
    }

    edit->cursor = cursor;
    return LINEEDIT_CHANGED;
}

/* Where the word before the cursor begins. */
static unsigned
lineedit_word_begin(const struct lineedit *edit)
{
    unsigned i;

    i = edit->cursor;
    while (i > 0 && edit->text[i - 1] == ' ') {
        i--;
    }
    while (i > 0 && edit->text[i - 1] != ' ') {
        i--;
    }

    return i;
}

/* Show a line of the history, or with age 0 what was typed before. */
static enum lineedit_event
lineedit_browse(struct lineedit *edit, unsigned age)
{
    const char *line;

    line = age == 0 ? edit->draft : lineedit_history(edit, age);
    if (line == NULL || age == edit->age) {
        return LINEEDIT_NOTHING;
    }

    if (edit->age == 0) {
        memcpy(edit->draft, edit->text, sizeof(edit->draft));
    }
    edit->age = age;
    lineedit_set_text(edit, line);
    return LINEEDIT_CHANGED;
}

static bool
lineedit_is_blank(const struct lineedit *edit)
{
    unsigned i;

    for (i = 0; edit->text[i] == ' '; i++) {
    }

    return edit->text[i] == '\0';
}

/* Remember the line unless it is blank or was the last one too. */
static void
lineedit_remember(struct lineedit *edit)
{
    const char *last;

    last = lineedit_history(edit, 1);
    if (lineedit_is_blank(edit) ||
        (last != NULL && strcmp(last, edit->text) == 0)) {
        return;
    }

    memcpy(edit->history[edit->nr_lines % LINEEDIT_NR_HISTORY], edit->text,
           sizeof(edit->text));
    edit->nr_lines++;
}

/* Keys that move in the line or in the history. */
static enum lineedit_event
lineedit_navigate(struct lineedit *edit, int key)
{
    switch (key) {
    case CONSOLE_KEY_LEFT:
        return lineedit_move(edit, edit->cursor - (edit->cursor > 0));
    case CONSOLE_KEY_RIGHT:
        return lineedit_move(edit, edit->cursor + (edit->cursor < edit->size));
    case CONSOLE_KEY_HOME:
        return lineedit_move(edit, 0);
    case CONSOLE_KEY_END:
        return lineedit_move(edit, edit->size);
    case CONSOLE_KEY_UP:
        return lineedit_browse(edit, edit->age + 1);
    case CONSOLE_KEY_DOWN:
        return lineedit_browse(edit, edit->age - (edit->age > 0));
    default:
        return LINEEDIT_NOTHING;
    }
}

/* Keys that remove. */
static enum lineedit_event
lineedit_erase(struct lineedit *edit, int key)
{
    unsigned cursor;

    cursor = edit->cursor;
    switch (key) {
    case '\b':
        return lineedit_remove(edit, cursor - (cursor > 0), cursor);
    case CONSOLE_KEY_DELETE:
        return lineedit_remove(edit, cursor, cursor + (cursor < edit->size));
    case CONTROL('K'):
        return lineedit_remove(edit, cursor, edit->size);
    case CONTROL('U'):
        return lineedit_remove(edit, 0, cursor);
    case CONTROL('W'):
        return lineedit_remove(edit, lineedit_word_begin(edit), cursor);
    default:
        return lineedit_navigate(edit, key);
    }
}

void
lineedit_start(struct lineedit *edit)
{
    edit->age = 0;
    lineedit_set_text(edit, "");
}

enum lineedit_event
lineedit_feed(struct lineedit *edit, int key)
{
    if (lineedit_is_printable(key)) {
        return lineedit_type(edit, (char)key);
    }

    switch (key) {
    case '\n':
    case '\r':
        lineedit_remember(edit);
        return LINEEDIT_DONE;
    case '\t':
        return LINEEDIT_COMPLETE;
    case CONTROL('C'):
        return LINEEDIT_CANCELLED;
    case CONTROL('L'):
        return LINEEDIT_CLEAR;
    default:
        return lineedit_erase(edit, lineedit_translate(key));
    }
}

void
lineedit_insert(struct lineedit *edit, const char *text)
{
    while (*text != '\0' && lineedit_insert_char(edit, *text)) {
        text++;
    }
}

bool
lineedit_fits(const struct lineedit *edit, size_t prompt_size)
{
    return prompt_size + edit->size < LINEEDIT_COLUMNS;
}

size_t
lineedit_render(const struct lineedit *edit, const char *prompt, char *out)
{
    size_t prompt_size, room, first, column;

    prompt_size = strlen(prompt);
    assert(prompt_size > 0 && prompt_size <= LINEEDIT_PROMPT_MAX);

    room = LINEEDIT_COLUMNS - 1 - prompt_size;
    first = edit->cursor <= room ? 0 : edit->cursor - room;
    column = prompt_size + edit->cursor - first;
    fmt_snprintf(out, LINEEDIT_RENDER_SIZE, "\r%s%.*s\033[K\r\033[%uC", prompt,
                 (int)room, &edit->text[first], (unsigned)column);
    return strlen(out);
}

const char *
lineedit_history(const struct lineedit *edit, unsigned age)
{
    if (age == 0 || age > LINEEDIT_NR_HISTORY || age > edit->nr_lines) {
        return NULL;
    }

    return edit->history[(edit->nr_lines - age) % LINEEDIT_NR_HISTORY];
}
