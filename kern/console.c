/* SPDX-License-Identifier: MIT */
/*
 * Consoles: a list of drivers for output, a ring of keys for input.
 *
 * Invariant: a console gets each record of the log at most once, in order.
 * console_register() replays records without the lock, since it reads the log
 * under a lock of smaller rank; the console joins only when, under the lock,
 * no record exists that it has not seen.  A CPU that still has an older record
 * to print finds it below the console's log_sequence and skips the console.
 *
 * LOCK_CONSOLE protects the list and what drivers do in write() and poll(),
 * LOCK_CONSOLE_INPUT the ring.  console_panic makes both ineffective: it is
 * set once, by the last CPU that runs.
 */
#include <stdatomic.h>

#include <lib/fmt.h>
#include <lib/string.h>

#include <arch/cpu.h>

#include <kern/console.h>
#include <kern/log.h>
#include <kern/option.h>
#include <kern/spinlock.h>

#define CONSOLE_NR_KEYS       256
#define CONSOLE_SELECTION_MAX 63

/* What console= may name. */
static const char *const console_names[] = { "serial", "vga", "fb" };

static struct spinlock console_lock =
    SPINLOCK_INITIALIZER(LOCK_CONSOLE, "console");
static struct list console_list = LIST_INITIALIZER(console_list);
static char console_selection[CONSOLE_SELECTION_MAX + 1]; /* "": all */
static atomic_bool console_panic;

/*
 * Keys: [I] lock
 */
static struct {
    struct spinlock lock;           /* rank LOCK_CONSOLE_INPUT */
    uint16_t keys[CONSOLE_NR_KEYS]; /* [I] */
    unsigned head;                  /* [I] counts keys put in */
    unsigned tail;                  /* [I] counts keys taken out */
} console_keys = {
    .lock = SPINLOCK_INITIALIZER(LOCK_CONSOLE_INPUT, "console input"),
};

static bool
console_is_panic(void)
{
    return atomic_load_explicit(&console_panic, memory_order_relaxed);
}

static uint64_t
console_lock_irqsave(struct spinlock *lock)
{
    if (console_is_panic()) {
        return cpu_irq_save();
    }

    return spinlock_lock_irqsave(lock);
}

static void
console_unlock_irqrestore(struct spinlock *lock, uint64_t flags)
{
    if (console_is_panic()) {
        cpu_irq_restore(flags);
        return;
    }

    spinlock_unlock_irqrestore(lock, flags);
}

/* Whether the word of @size bytes at @word is @name. */
static bool
console_name_matches(const char *name, const char *word, size_t size)
{
    return strlen(name) == size && memcmp(name, word, size) == 0;
}

/* The length of the first word of a list separated by commas. */
static size_t
console_word_size(const char *list)
{
    const char *comma;

    comma = strchr(list, ',');
    return comma == NULL ? strlen(list) : (size_t)(comma - list);
}

/* The word after one of @size bytes, "" at the end. */
static const char *
console_word_next(const char *word, size_t size)
{
    return word[size] == ',' ? word + size + 1 : word + size;
}

static bool
console_is_selected(const struct console *console)
{
    const char *word;
    size_t size;

    if (console->write == NULL || console_selection[0] == '\0') {
        return true;
    }

    for (word = console_selection; *word != '\0';
         word = console_word_next(word, size)) {
        size = console_word_size(word);
        if (console_name_matches(console->name, word, size)) {
            return true;
        }
    }

    return false;
}

static bool
console_takes_output(const struct console *console)
{
    return console->enabled && console->replayed && console->write != NULL;
}

static void
console_write_locked(uint64_t sequence, const char *text, size_t size)
{
    struct console *console;

    list_for_each_entry (&console_list, console, node) {
        if (console_takes_output(console) &&
            sequence >= console->log_sequence) {
            console->write(console, text, size);
        }
    }
}

/* Print the records from @sequence on; returns the first that is missing. */
static uint64_t
console_replay(struct console *console, uint64_t sequence)
{
    struct log_record record;
    char line[LOG_FORMAT_SIZE];
    size_t size;

    while (log_read(sequence, &record)) {
        sequence = record.sequence + 1;
        if ((unsigned)record.level <= log_level()) {
            size = log_format_record(&record, line);
            console->write(console, line, size);
        }
    }

    return sequence;
}

/* Let a console join unless there are records that it has not replayed. */
static bool
console_join(struct console *console, uint64_t sequence)
{
    uint64_t flags;
    bool joined;

    flags = console_lock_irqsave(&console_lock);
    joined = !console->enabled || console->write == NULL ||
             log_next_sequence() == sequence;
    console->replayed = joined;
    console->log_sequence = sequence;
    console_unlock_irqrestore(&console_lock, flags);
    return joined;
}

void
console_register(struct console *console)
{
    uint64_t flags, sequence;

    console->replayed = false;
    console->log_sequence = 0;

    flags = console_lock_irqsave(&console_lock);
    console->enabled = console_is_selected(console);
    list_insert_tail(&console_list, &console->node);
    console_unlock_irqrestore(&console_lock, flags);

    sequence = 0;
    do {
        if (console->enabled && console->write != NULL) {
            sequence = console_replay(console, sequence);
        }
    } while (!console_join(console, sequence));
}

void
console_unregister(struct console *console)
{
    uint64_t flags;

    flags = console_lock_irqsave(&console_lock);
    list_remove(&console->node);
    console_unlock_irqrestore(&console_lock, flags);
}

void
console_write(const char *text, size_t size)
{
    console_write_log(UINT64_MAX, text, size);
}

void
console_write_log(uint64_t sequence, const char *text, size_t size)
{
    uint64_t flags;

    flags = console_lock_irqsave(&console_lock);
    console_write_locked(sequence, text, size);
    console_unlock_irqrestore(&console_lock, flags);
}

void
console_vprintf(const char *format, va_list args)
{
    char text[CONSOLE_PRINTF_MAX + 1];

    fmt_vsnprintf(text, sizeof(text), format, args);
    console_write(text, strlen(text));
}

void
console_printf(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    console_vprintf(format, args);
    va_end(args);
}

bool
console_is_locked(void)
{
    return !console_is_panic() && spinlock_is_locked(&console_lock);
}

/* [a] who wants to know of keys, or NULL. */
static void (*_Atomic console_listener)(void);

void
console_input(int key)
{
    void (*listener)(void);
    uint64_t flags;

    assert(key >= 0 && key <= CONSOLE_KEY_PAGE_DOWN);

    flags = console_lock_irqsave(&console_keys.lock);
    if (console_keys.head - console_keys.tail < CONSOLE_NR_KEYS) {
        console_keys.keys[console_keys.head % CONSOLE_NR_KEYS] = (uint16_t)key;
        console_keys.head++;
    }
    console_unlock_irqrestore(&console_keys.lock, flags);

    /* Pairs with the release in console_set_listener(). */
    listener = atomic_load_explicit(&console_listener, memory_order_acquire);
    if (listener != NULL) {
        listener();
    }
}

/* Take a key from the ring, -1 when it is empty. */
static int
console_take_key(void)
{
    uint64_t flags;
    int key;

    key = -1;
    flags = console_lock_irqsave(&console_keys.lock);
    if (console_keys.head != console_keys.tail) {
        key = console_keys.keys[console_keys.tail % CONSOLE_NR_KEYS];
        console_keys.tail++;
    }
    console_unlock_irqrestore(&console_keys.lock, flags);
    return key;
}

static bool
console_must_poll(const struct console *console)
{
    return console->enabled && console->poll != NULL &&
           (!console->has_interrupt || console_is_panic());
}

/*
 * Ask the consoles that have to be asked; returns a key or -1.
 *
 * @pollingp  set to whether there was any
 */
static int
console_poll_key(bool *pollingp)
{
    struct console *console;
    uint64_t flags;
    int key;

    key = -1;
    *pollingp = false;
    flags = console_lock_irqsave(&console_lock);
    list_for_each_entry (&console_list, console, node) {
        if (key < 0 && console_must_poll(console)) {
            *pollingp = true;
            key = console->poll(console);
        }
    }
    console_unlock_irqrestore(&console_lock, flags);
    return key;
}

int
console_try_read_key(bool *pollingp)
{
    int key;

    *pollingp = false;
    key = console_take_key();
    return key >= 0 ? key : console_poll_key(pollingp);
}

void
console_set_listener(void (*fn)(void))
{
    /* Pairs with the acquire in console_input(). */
    atomic_store_explicit(&console_listener, fn, memory_order_release);
}

void
console_enter_panic(void)
{
    struct console *console;
    unsigned nr_outputs;

    atomic_store_explicit(&console_panic, true, memory_order_relaxed);

    nr_outputs = 0;
    list_for_each_entry (&console_list, console, node) {
        console->replayed = true;
        nr_outputs += console_takes_output(console);
    }

    list_for_each_entry (&console_list, console, node) {
        console->enabled = console->enabled || nr_outputs == 0;
    }

    log_enter_panic();
}

/* Whether each word of a list is the name of a driver. */
static bool
console_names_are_valid(const char *names)
{
    const char *word;
    size_t i, size;

    for (word = names; *word != '\0'; word = console_word_next(word, size)) {
        size = console_word_size(word);
        for (i = 0; i < ARRAY_SIZE(console_names); i++) {
            if (console_name_matches(console_names[i], word, size)) {
                break;
            }
        }
        if (i == ARRAY_SIZE(console_names)) {
            return false;
        }
    }

    return names[0] != '\0';
}

status_t
console_select(const char *names)
{
    struct console *console;
    uint64_t flags;

    if (!console_names_are_valid(names)) {
        return ERR_INVALID;
    }
    if (strlen(names) > CONSOLE_SELECTION_MAX) {
        return ERR_OVERFLOW;
    }

    flags = console_lock_irqsave(&console_lock);
    strlcpy(console_selection, names, sizeof(console_selection));
    list_for_each_entry (&console_list, console, node) {
        console->enabled = console_is_selected(console);
    }
    console_unlock_irqrestore(&console_lock, flags);
    return OK;
}

OPTION(console, "a list of serial, vga, fb", "which consoles to use",
       console_select);
