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
 * The list, and what drivers do in write() and poll(), belong to the printer:
 * who has set console_printing.  LOCK_CONSOLE protects the ring of texts,
 * LOCK_CONSOLE_INPUT the ring of keys.  Texts in the ring have a header with
 * the sequence number of their record; the printer alone takes out.  No text
 * is left behind: who ceases to be the printer looks at the ring again, and who
 * has put text in tries to become the printer.
 *
 * console_panic makes all that ineffective: it is set once, by the last CPU
 * that runs.
 */
#include <stdatomic.h>

#include <lib/fmt.h>
#include <lib/string.h>

#include <arch/cpu.h>

#include <kern/console.h>
#include <kern/log.h>
#include <kern/option.h>
#include <kern/preempt.h>
#include <kern/spinlock.h>

#define CONSOLE_NR_KEYS       256
#define CONSOLE_SELECTION_MAX 63

/* What console= may name. */
static const char *const console_names[] = { "serial", "vga", "fb" };

/* Text that waits for the printer, bytes; the longest that stays whole. */
#define CONSOLE_RING_SIZE KIB(32)
#define CONSOLE_TEXT_MAX  KIB(1)

/* Bytes that a driver gets at once. */
#define CONSOLE_PIECE_MAX 16

/* How often console_flush() looks before it gives up, a second or so. */
#define CONSOLE_FLUSH_TRIES 10000000

struct console_header {
    uint64_t sequence; /* of the record, UINT64_MAX for other text */
    uint32_t size;
};

struct console_piece {
    uint64_t sequence;
    size_t size;
    char text[CONSOLE_PIECE_MAX];
};

/*
 * Keys: [C] lock   [P] the printer
 */
static struct {
    struct spinlock lock; /* rank LOCK_CONSOLE */
    uint64_t head;        /* [C] counts bytes put in */
    uint64_t tail;        /* [C] counts bytes taken out */
    uint64_t nr_lost;     /* [C] bytes that found no room */
    uint64_t sequence;    /* [P] of the text that is being taken out */
    uint32_t left;        /* [P] its bytes that are still in */
} console_out = {
    .lock = SPINLOCK_INITIALIZER(LOCK_CONSOLE, "console"),
};

static char console_ring[CONSOLE_RING_SIZE]; /* [C] */

static atomic_bool console_printing;                              /* [a] */
static struct list console_list = LIST_INITIALIZER(console_list); /* [P] */
static char console_selection[CONSOLE_SELECTION_MAX + 1]; /* [P] "": all */
static atomic_bool console_panic;

/* NULL until there are threads. */
static _Atomic(const struct console_threads *) console_threads;

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
console_write_all(uint64_t sequence, const char *text, size_t size)
{
    struct console *console;

    list_for_each_entry (&console_list, console, node) {
        if (console_takes_output(console) &&
            sequence >= console->log_sequence) {
            console->write(console, text, size);
        }
    }
}

/* ------------------------------------------------------------ the printer */

bool
console_may_print(void)
{
    return atomic_load_explicit(&console_threads, memory_order_relaxed) ==
               NULL ||
           (cpu_irq_is_enabled() && preempt_is_enabled());
}

void
console_relax(void)
{
    const struct console_threads *threads;

    threads = atomic_load(&console_threads);
    if (threads != NULL && console_may_print()) {
        threads->relax();
    } else {
        cpu_pause();
    }
}

void
console_wake(void)
{
    const struct console_threads *threads;

    threads = atomic_load(&console_threads);
    if (threads != NULL) {
        threads->wake();
    }
}

static void
console_ring_put(uint64_t position, const void *bytes, size_t size)
{
    size_t offset, first;

    offset = position % CONSOLE_RING_SIZE;
    first = MIN(size, CONSOLE_RING_SIZE - offset);
    memcpy(&console_ring[offset], bytes, first);
    memcpy(console_ring, (const char *)bytes + first, size - first);
}

static void
console_ring_get(void *bytes, size_t size)
{
    size_t offset, first;

    offset = console_out.tail % CONSOLE_RING_SIZE;
    first = MIN(size, CONSOLE_RING_SIZE - offset);
    memcpy(bytes, &console_ring[offset], first);
    memcpy((char *)bytes + first, console_ring, size - first);
    console_out.tail += size;
}

/* Returns: false when there is no room */
static bool
console_append(const struct console_header *header, const char *text)
{
    uint64_t flags;
    bool fits;

    flags = console_lock_irqsave(&console_out.lock);
    fits = console_out.head - console_out.tail + sizeof(*header) +
               header->size <=
           CONSOLE_RING_SIZE;
    if (fits) {
        console_ring_put(console_out.head, header, sizeof(*header));
        console_ring_put(console_out.head + sizeof(*header), text,
                         header->size);
        console_out.head += sizeof(*header) + header->size;
    }
    console_unlock_irqrestore(&console_out.lock, flags);
    return fits;
}

/* The printer takes a little out; returns false when there is nothing. */
static bool
console_take_piece(struct console_piece *piece)
{
    struct console_header header;
    uint64_t flags;
    bool found;

    flags = console_lock_irqsave(&console_out.lock);
    found = console_out.head != console_out.tail;
    if (found && console_out.left == 0) {
        console_ring_get(&header, sizeof(header));
        console_out.sequence = header.sequence;
        console_out.left = header.size;
    }
    if (found) {
        piece->sequence = console_out.sequence;
        piece->size = MIN(console_out.left, (uint32_t)CONSOLE_PIECE_MAX);
        console_ring_get(piece->text, piece->size);
        console_out.left -= (uint32_t)piece->size;
    }
    console_unlock_irqrestore(&console_out.lock, flags);
    return found;
}

static bool
console_has_waiting(void)
{
    uint64_t flags;
    bool has_some;

    flags = console_lock_irqsave(&console_out.lock);
    has_some = console_out.head != console_out.tail;
    console_unlock_irqrestore(&console_out.lock, flags);
    return has_some;
}

/* Become the printer, if there is none; sequentially consistent. */
static bool
console_try_own(void)
{
    return !atomic_exchange(&console_printing, true);
}

/* Print what waits unless somebody else does. */
static void
console_print_waiting(void)
{
    struct console_piece piece;

    while (console_has_waiting() && console_try_own()) {
        while (console_take_piece(&piece)) {
            console_write_all(piece.sequence, piece.text, piece.size);
        }
        atomic_store(&console_printing, false);
    }
}

/* Become the printer, for what is the printer's; not in a panic. */
static void
console_own(void)
{
    while (!console_is_panic() && !console_try_own()) {
        console_relax();
    }
}

static void
console_disown(void)
{
    if (console_is_panic()) {
        return;
    }
    atomic_store(&console_printing, false);
    console_print_waiting();
}

void
console_flush(void)
{
    unsigned i;

    if (console_is_panic()) {
        return;
    }
    for (i = 0; i < CONSOLE_FLUSH_TRIES; i++) {
        console_print_waiting();
        if (!atomic_load(&console_printing) && !console_has_waiting()) {
            return;
        }
        console_relax();
    }
}

void
console_use_threads(const struct console_threads *threads)
{
    atomic_store(&console_threads, threads);
}

/* -------------------------------------------------------------- the list */

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
    bool joined;

    console_own();
    joined = !console->enabled || console->write == NULL ||
             log_next_sequence() == sequence;
    console->replayed = joined;
    console->log_sequence = sequence;
    console_disown();
    return joined;
}

void
console_register(struct console *console)
{
    uint64_t sequence;

    console->replayed = false;
    console->log_sequence = 0;

    console_own();
    console->enabled = console_is_selected(console);
    list_insert_tail(&console_list, &console->node);
    console_disown();

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
    console_own();
    list_remove(&console->node);
    console_disown();
}

void
console_write(const char *text, size_t size)
{
    console_write_log(UINT64_MAX, text, size);
}

/* Put text into the ring, in a context that may be any. */
static void
console_put(uint64_t sequence, const char *text, size_t size)
{
    struct console_header header = { sequence, (uint32_t)size };
    uint64_t flags;

    while (!console_append(&header, text)) {
        if (console_may_print()) {
            console_flush();
            continue;
        }
        flags = console_lock_irqsave(&console_out.lock);
        console_out.nr_lost += size;
        console_unlock_irqrestore(&console_out.lock, flags);
        return;
    }
}

void
console_write_log(uint64_t sequence, const char *text, size_t size)
{
    size_t part;

    if (console_is_panic()) {
        console_write_all(sequence, text, size);
        return;
    }
    for (; size > 0; text += part, size -= part) {
        part = MIN(size, (size_t)CONSOLE_TEXT_MAX);
        console_put(sequence, text, part);
    }
    if (console_may_print()) {
        console_print_waiting();
    } else {
        console_wake();
    }
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
    int key;

    key = -1;
    if (!console_is_panic() && !console_try_own()) {
        /* Who prints may be long about it. */
        *pollingp = true;
        return -1;
    }

    *pollingp = false;
    list_for_each_entry (&console_list, console, node) {
        if (key < 0 && console_must_poll(console)) {
            *pollingp = true;
            key = console->poll(console);
        }
    }
    console_disown();
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

/* The others are stopped; the printer may be one of them. */
static void
console_print_rest(void)
{
    struct console_piece piece;
    unsigned n;

    for (n = 0; n < CONSOLE_RING_SIZE && console_take_piece(&piece); n++) {
        console_write_all(piece.sequence, piece.text, piece.size);
    }
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

    console_print_rest();
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

    if (!console_names_are_valid(names)) {
        return ERR_INVALID;
    }
    if (strlen(names) > CONSOLE_SELECTION_MAX) {
        return ERR_OVERFLOW;
    }

    console_own();
    strlcpy(console_selection, names, sizeof(console_selection));
    list_for_each_entry (&console_list, console, node) {
        console->enabled = console_is_selected(console);
    }
    console_disown();
    return OK;
}

OPTION(console, "a list of serial, vga, fb", "which consoles to use",
       console_select);
