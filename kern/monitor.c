/* SPDX-License-Identifier: MIT */
/*
 * Kernel shell.
 *
 * Commands are in a linker section, in no order, and few; so each time they
 * are to be shown in order the next name is searched for.
 *
 * One thread at a time is in monitor_run(): the line and its history belong
 * to it.
 */
#include <lib/string.h>

#include <kern/console.h>
#include <kern/console_wait.h>
#include <kern/lineedit.h>
#include <kern/log.h>
#include <kern/monitor.h>
#include <kern/thread.h>

#define MONITOR_PROMPT      "portolan> "
#define MONITOR_PROMPT_SIZE (sizeof(MONITOR_PROMPT) - 1)

/* Longest name that monitor_closest() compares, bytes. */
#define MONITOR_NAME_MAX 31

/* Widths of the columns of help. */
#define MONITOR_USAGE_WIDTH 28

SECTION_DECLARE(monitor, const struct monitor_command);

static struct lineedit monitor_edit;

static const struct monitor_command *
monitor_find(const char *name)
{
    const struct monitor_command *const *entry;

    section_for_each (monitor, entry) {
        if (strcmp((*entry)->name, name) == 0) {
            return *entry;
        }
    }

    return NULL;
}

static bool
monitor_has_prefix(const struct monitor_command *command, const char *prefix)
{
    return strncmp(command->name, prefix, strlen(prefix)) == 0;
}

/*
 * The first command, by name, behind @name that begins with a prefix.
 *
 * @name  "" for the very first
 */
static const struct monitor_command *
monitor_next(const char *name, const char *prefix)
{
    const struct monitor_command *const *entry, *next;

    next = NULL;
    section_for_each (monitor, entry) {
        if (monitor_has_prefix(*entry, prefix) &&
            strcmp((*entry)->name, name) > 0 &&
            (next == NULL || strcmp((*entry)->name, next->name) < 0)) {
            next = *entry;
        }
    }

    return next;
}

/*
 * How many letters must be inserted, removed or replaced to make one word of
 * another.  The row is that of the usual matrix for the letters of @a so far.
 */
static unsigned
monitor_distance(const char *a, const char *b)
{
    unsigned row[MONITOR_NAME_MAX + 1];
    unsigned diagonal, next_diagonal, above;
    size_t i, j, size;

    size = strlen(b);
    if (size > MONITOR_NAME_MAX) {
        return MONITOR_NAME_MAX;
    }
    for (j = 0; j <= size; j++) {
        row[j] = (unsigned)j;
    }

    for (i = 0; a[i] != '\0'; i++) {
        diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (j = 0; j < size; j++) {
            above = row[j + 1];
            next_diagonal = above;
            above = MIN(above, row[j]) + 1;
            row[j + 1] = MIN(above, diagonal + (a[i] != b[j]));
            diagonal = next_diagonal;
        }
    }

    return row[size];
}

const struct monitor_command *
monitor_closest(const char *word)
{
    const struct monitor_command *command, *closest;
    unsigned distance, least;

    /* More than a third of the letters wrong is another word. */
    least = (unsigned)strlen(word) / 3 + 2;
    closest = NULL;
    for (command = monitor_next("", ""); command != NULL;
         command = monitor_next(command->name, "")) {
        distance = monitor_distance(word, command->name);
        if (distance < least) {
            least = distance;
            closest = command;
        }
    }

    return closest;
}

/* Take a word, without its quotes; returns the end, NULL for an open quote. */
static char *
monitor_take_word(char *in)
{
    char *out, quote;

    out = in;
    quote = '\0';
    for (; *in != '\0' && (quote != '\0' || *in != ' '); in++) {
        if (*in == quote) {
            quote = '\0';
        } else if (quote == '\0' && (*in == '"' || *in == '\'')) {
            quote = *in;
        } else {
            *out++ = *in;
        }
    }
    if (quote != '\0') {
        return NULL;
    }

    if (*in != '\0') {
        in++;
    }
    *out = '\0';
    return in;
}

static char *
monitor_skip_blanks(char *text)
{
    while (*text == ' ') {
        text++;
    }

    return text;
}

status_t
monitor_split(char *line, int *argcp, char **argv)
{
    int argc;

    argc = 0;
    for (line = monitor_skip_blanks(line); *line != '\0';
         line = monitor_skip_blanks(line)) {
        if (argc == MONITOR_ARGS_MAX) {
            return ERR_OVERFLOW;
        }

        argv[argc++] = line;
        line = monitor_take_word(line);
        if (line == NULL) {
            return ERR_FORMAT;
        }
    }

    argv[argc] = NULL;
    *argcp = argc;
    return OK;
}

static void
monitor_report_unknown(const char *name)
{
    const struct monitor_command *closest;

    closest = monitor_closest(name);
    if (closest != NULL) {
        console_printf("%s: no such command; did you mean %s?\n", name,
                       closest->name);
    } else {
        console_printf("%s: no such command; try help\n", name);
    }
}

status_t
monitor_execute(char *line)
{
    const struct monitor_command *command;
    char *argv[MONITOR_ARGS_MAX + 1];
    status_t status;
    int argc;

    status = monitor_split(line, &argc, argv);
    if (status != OK) {
        console_printf("%s\n", status == ERR_FORMAT ? "a quote is not closed"
                                                    : "too many words");
        return status;
    }
    if (argc == 0) {
        return OK;
    }

    command = monitor_find(argv[0]);
    if (command == NULL) {
        monitor_report_unknown(argv[0]);
        return ERR_NOT_FOUND;
    }

    command->fn(argc, argv);
    return OK;
}

static void
monitor_show_line(void)
{
    char text[LINEEDIT_RENDER_SIZE];
    size_t size;

    size = lineedit_render(&monitor_edit, MONITOR_PROMPT, text);
    console_write(text, size);
}

/* How many letters the commands that begin with @prefix have in common. */
static size_t
monitor_common_size(const char *prefix)
{
    const struct monitor_command *first, *command;
    size_t i, size;

    first = monitor_next("", prefix);
    size = strlen(first->name);
    for (command = first; command != NULL;
         command = monitor_next(command->name, prefix)) {
        for (i = 0; i < size && command->name[i] == first->name[i]; i++) {
        }
        size = i;
    }

    return size;
}

static void
monitor_list_prefix(const char *prefix)
{
    const struct monitor_command *command;

    console_write("\n", 1);
    for (command = monitor_next("", prefix); command != NULL;
         command = monitor_next(command->name, prefix)) {
        console_printf("%s  ", command->name);
    }
    console_write("\n", 1);
}

/* Complete the command before the cursor, or list those it may become. */
static void
monitor_complete(void)
{
    const struct monitor_command *first;
    char prefix[LINEEDIT_MAX + 1], more[LINEEDIT_MAX + 1];
    size_t common;

    strlcpy(prefix, monitor_edit.text, monitor_edit.cursor + 1);
    first = monitor_next("", prefix);
    if (first == NULL || strlen(first->name) >= sizeof(more)) {
        return;
    }

    common = monitor_common_size(prefix);
    if (common > monitor_edit.cursor) {
        strlcpy(more, first->name + monitor_edit.cursor,
                common - monitor_edit.cursor + 1);
        lineedit_insert(&monitor_edit, more);
    }
    if (monitor_next(first->name, prefix) == NULL) {
        lineedit_insert(&monitor_edit, " ");
    } else if (common == strlen(prefix)) {
        monitor_list_prefix(prefix);
    }
    monitor_show_line();
}

/* Show what a key did; returns whether the line is over. */
static bool
monitor_show_event(enum lineedit_event event)
{
    switch (event) {
    case LINEEDIT_APPENDED:
        if (lineedit_fits(&monitor_edit, MONITOR_PROMPT_SIZE)) {
            console_write(&monitor_edit.text[monitor_edit.size - 1], 1);
        } else {
            monitor_show_line();
        }
        return false;
    case LINEEDIT_CHANGED:
        monitor_show_line();
        return false;
    case LINEEDIT_COMPLETE:
        monitor_complete();
        return false;
    case LINEEDIT_CLEAR:
        console_printf("\033[H\033[2J");
        monitor_show_line();
        return false;
    case LINEEDIT_CANCELLED:
        console_printf("^C\n");
        return true;
    case LINEEDIT_DONE:
        console_write("\n", 1);
        return true;
    default:
        return false;
    }
}

/* Read a line into the editor; returns whether it is to be done. */
static bool
monitor_read_line(void)
{
    enum lineedit_event event;

    log_flush();
    lineedit_start(&monitor_edit);
    console_write(MONITOR_PROMPT, MONITOR_PROMPT_SIZE);
    do {
        event = lineedit_feed(&monitor_edit, console_read_key());
    } while (!monitor_show_event(event));

    return event == LINEEDIT_DONE;
}

void
monitor_run(void)
{
    status_t status;

    console_begin_reading();
    for (;;) {
        if (monitor_read_line()) {
            /* The user has been told. */
            status = monitor_execute(monitor_edit.text);
            (void)status;
        }
    }
}

static void
monitor_print_help(const struct monitor_command *command)
{
    int width;

    width = MONITOR_USAGE_WIDTH - (int)strlen(command->name);
    console_printf("%s %-*s %s\n", command->name, MAX(width, 0),
                   command->arguments, command->help);
}

static void
monitor_help(int argc, char **argv)
{
    const struct monitor_command *command;

    if (argc > 1) {
        command = monitor_find(argv[1]);
        if (command == NULL) {
            monitor_report_unknown(argv[1]);
        } else {
            monitor_print_help(command);
        }
        return;
    }

    for (command = monitor_next("", ""); command != NULL;
         command = monitor_next(command->name, "")) {
        monitor_print_help(command);
    }
}

MONITOR_COMMAND(help, "[COMMAND]", "list the commands, or describe one",
                monitor_help);

static void
monitor_history(int argc, char **argv)
{
    const char *line;
    unsigned age;

    (void)argc;
    (void)argv;
    for (age = LINEEDIT_NR_HISTORY; age > 0; age--) {
        line = lineedit_history(&monitor_edit, age);
        if (line != NULL) {
            console_printf("%5u  %s\n", monitor_edit.nr_lines - age + 1, line);
        }
    }
}

MONITOR_COMMAND(history, "", "list the lines entered before", monitor_history);

/* The level that a command was given; false when it is none, and says so. */
static bool
monitor_parse_level(const char *text, uint64_t *levelp)
{
    if (string_to_u64(text, 0, levelp) != OK || *levelp > LOG_LEVEL_DEBUG) {
        console_printf("%s: not a level, 0 to %u\n", text, LOG_LEVEL_DEBUG);
        return false;
    }

    return true;
}

static void
monitor_log(int argc, char **argv)
{
    struct log_record record;
    uint64_t level, sequence, end;

    level = LOG_LEVEL_DEBUG;
    if (argc > 1 && !monitor_parse_level(argv[1], &level)) {
        return;
    }

    end = log_next_sequence();
    for (sequence = 0; sequence < end && log_read(sequence, &record);
         sequence = record.sequence + 1) {
        if ((unsigned)record.level <= level) {
            log_print_record(&record);
        }
    }
}

MONITOR_COMMAND(log, "[LEVEL]", "print the log, up to a level", monitor_log);

static void
monitor_loglevel(int argc, char **argv)
{
    uint64_t level;

    if (argc > 1 && monitor_parse_level(argv[1], &level)) {
        log_set_level((unsigned)level);
    }
    console_printf("records up to level %u go to the consoles\n", log_level());
}

MONITOR_COMMAND(loglevel, "[LEVEL]", "show or set what the consoles get",
                monitor_loglevel);
