/* SPDX-License-Identifier: MIT */
/*
 * The log: a ring of bytes that holds records of variable size.
 *
 * Positions count bytes since boot and are taken modulo the ring's size, so
 * records wrap like any other bytes.  Invariant: tail <= head <= tail +
 * LOG_RING_SIZE, both are at the beginning of a record, and the sequence
 * numbers of the records between them are consecutive.
 *
 * Who appends while nobody prints becomes the printer and prints until nothing
 * waits; LOCK_LOG is not held meanwhile.  The time is read under the lock, so
 * time and sequence agree.  A record that is overwritten before it was printed
 * is only counted: log_print_lost() tells.
 */
#include <stdatomic.h>

#include <lib/fmt.h>
#include <lib/string.h>

#include <arch/cpu.h>

#include <kern/clock.h>
#include <kern/console.h>
#include <kern/log.h>
#include <kern/option.h>
#include <kern/spinlock.h>

#define LOG_RING_SIZE KIB(128)

/* How often log_flush() looks before it gives up, a second or so. */
#define LOG_FLUSH_TRIES 10000000

/* Records looked at while the lock is held. */
#define LOG_SEARCH_MAX 8

#define LOG_NS_PER_SECOND UINT64_C(1000000000)
#define LOG_NS_PER_US     UINT64_C(1000)

/* What is before the text of a record in the ring. */
struct log_header {
    uint64_t sequence;
    uint64_t time;
    uint16_t size; /* of the text, bytes */
    uint16_t level;
};

/*
 * Keys: [L] lock   [a] atomic, written under the lock
 */
static struct {
    struct spinlock lock;     /* rank LOCK_LOG */
    uint64_t head;            /* [L] position behind the newest record */
    uint64_t tail;            /* [L] position of the oldest record */
    _Atomic uint64_t next;    /* [a] sequence number of the next record */
    uint64_t hint_position;   /* [L] of the record found last */
    uint64_t hint_sequence;   /* [L] its sequence number */
    _Atomic uint64_t printed; /* [a] first record not taken by the printer */
    atomic_bool printing;     /* [a] somebody is the printer */
} log_state = {
    .lock = SPINLOCK_INITIALIZER(LOCK_LOG, "log"),
};

static char log_ring[LOG_RING_SIZE]; /* [L]; apart, it needs no room on disk */

static atomic_uint log_console_level = LOG_LEVEL_INFO;
static atomic_bool log_panic;

static uint64_t
log_lock(void)
{
    if (atomic_load_explicit(&log_panic, memory_order_relaxed)) {
        return cpu_irq_save();
    }

    return spinlock_lock_irqsave(&log_state.lock);
}

static void
log_unlock(uint64_t flags)
{
    if (atomic_load_explicit(&log_panic, memory_order_relaxed)) {
        cpu_irq_restore(flags);
        return;
    }

    spinlock_unlock_irqrestore(&log_state.lock, flags);
}

static void
log_ring_put(uint64_t position, const void *bytes, size_t size)
{
    size_t offset, first;

    offset = position % LOG_RING_SIZE;
    first = MIN(size, LOG_RING_SIZE - offset);
    memcpy(&log_ring[offset], bytes, first);
    memcpy(log_ring, (const char *)bytes + first, size - first);
}

static void
log_ring_get(uint64_t position, void *bytes, size_t size)
{
    size_t offset, first;

    offset = position % LOG_RING_SIZE;
    first = MIN(size, LOG_RING_SIZE - offset);
    memcpy(bytes, &log_ring[offset], first);
    memcpy((char *)bytes + first, log_ring, size - first);
}

static uint64_t
log_record_end(uint64_t position, const struct log_header *header)
{
    return position + sizeof(*header) + header->size;
}

/* Forget the oldest records until @size bytes fit. */
static void
log_make_room(size_t size)
{
    struct log_header header;

    while (log_state.head + size - log_state.tail > LOG_RING_SIZE) {
        log_ring_get(log_state.tail, &header, sizeof(header));
        log_state.tail = log_record_end(log_state.tail, &header);
    }
}

static void
log_append(enum log_level level, const char *text, size_t size)
{
    struct log_header header;
    uint64_t flags;

    flags = log_lock();
    header.sequence = log_next_sequence();
    header.time = clock_now();
    header.size = (uint16_t)size;
    header.level = (uint16_t)level;

    log_make_room(sizeof(header) + size);
    log_ring_put(log_state.head, &header, sizeof(header));
    log_ring_put(log_state.head + sizeof(header), text, size);
    log_state.head = log_record_end(log_state.head, &header);

    /* Pairs with the acquire in log_next_sequence(). */
    atomic_store_explicit(&log_state.next, header.sequence + 1,
                          memory_order_release);
    log_unlock(flags);
}

/* Whether nobody prints what waits; then the caller has to. */
static bool
log_become_printer(void)
{
    uint64_t flags;
    bool is_printer;

    flags = log_lock();
    is_printer =
        atomic_load_explicit(&log_state.printed, memory_order_relaxed) !=
            log_next_sequence() &&
        !atomic_exchange_explicit(&log_state.printing, true,
                                  memory_order_relaxed);
    log_unlock(flags);
    return is_printer;
}

/* How far a search has come; it goes on where it was when the lock was free. */
enum log_search {
    LOG_FOUND,
    LOG_NOT_FOUND,
    LOG_GO_ON,
};

/*
 * Find the first record from @sequence on, looking at a bounded number.
 *
 * @positionp  where to begin, 0 at first; then where it is, or to go on
 */
static enum log_search
log_find_locked(uint64_t sequence, struct log_header *header,
                uint64_t *positionp)
{
    uint64_t position;
    unsigned n;

    position = MAX(*positionp, log_state.tail);
    if (log_state.hint_sequence <= sequence) {
        position = MAX(position, log_state.hint_position);
    }

    for (n = 0; n < LOG_SEARCH_MAX && position < log_state.head; n++) {
        log_ring_get(position, header, sizeof(*header));
        if (header->sequence >= sequence) {
            log_state.hint_position = position;
            log_state.hint_sequence = header->sequence;
            *positionp = position;
            return LOG_FOUND;
        }
        position = log_record_end(position, header);
    }

    *positionp = position;
    return position < log_state.head ? LOG_GO_ON : LOG_NOT_FOUND;
}

static enum log_search
log_read_locked(uint64_t sequence, struct log_record *record,
                uint64_t *positionp)
{
    struct log_header header;
    enum log_search search;

    if (sequence >= log_next_sequence()) {
        return LOG_NOT_FOUND;
    }

    search = log_find_locked(sequence, &header, positionp);
    if (search != LOG_FOUND) {
        return search;
    }

    record->sequence = header.sequence;
    record->time = header.time;
    record->level = header.level;
    record->size = header.size;
    log_ring_get(*positionp + sizeof(header), record->text, header.size);
    record->text[header.size] = '\0';
    return LOG_FOUND;
}

/*
 * Take the next record for the consoles.  Without one the caller ceases to be
 * the printer; that is decided under the lock, so no record is left behind.
 *
 * @lostp  set to the number of records that were overwritten unprinted
 */
static bool
log_take_record(struct log_record *record, uint64_t *lostp)
{
    uint64_t flags, printed, position;
    enum log_search search;

    position = 0;
    do {
        flags = log_lock();
        printed =
            atomic_load_explicit(&log_state.printed, memory_order_relaxed);
        search = log_read_locked(printed, record, &position);
        if (search == LOG_FOUND) {
            *lostp = record->sequence - printed;
            atomic_store_explicit(&log_state.printed, record->sequence + 1,
                                  memory_order_relaxed);
        } else if (search == LOG_NOT_FOUND) {
            /* Pairs with the acquire in log_flush(). */
            atomic_store_explicit(&log_state.printing, false,
                                  memory_order_release);
        }
        log_unlock(flags);
    } while (search == LOG_GO_ON);
    return search == LOG_FOUND;
}

static void
log_print_lost(uint64_t nr_lost)
{
    if (nr_lost != 0) {
        console_printf("[ log: %llu lines lost ]\n",
                       (unsigned long long)nr_lost);
    }
}

/* Be the printer. */
static void
log_print_waiting(void)
{
    struct log_record record;
    char line[LOG_FORMAT_SIZE];
    uint64_t nr_lost;
    size_t size;

    while (log_take_record(&record, &nr_lost)) {
        log_print_lost(nr_lost);
        if ((unsigned)record.level <= log_level()) {
            size = log_format_record(&record, line);
            console_write_log(record.sequence, line, size);
        }
    }
}

void
log_print(void)
{
    if (log_become_printer()) {
        log_print_waiting();
    }
}

/* Whether a byte of eight is below ' '. */
static bool
log_has_control(const char *text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t bytes;

    memcpy(&bytes, text, sizeof(bytes));
    return ((bytes - ones * ' ') & ~bytes & ones * 0x80) != 0;
}

static void
log_clean_bytes(char *text, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ') {
            text[i] = ' ';
        }
    }
}

/* Make a text one line; returns its length. */
static size_t
log_clean_text(char *text, size_t size)
{
    size_t i;

    for (i = 0; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
        if (unlikely(log_has_control(text + i))) {
            log_clean_bytes(text + i, sizeof(uint64_t));
        }
    }
    log_clean_bytes(text + i, size - i);
    while (size > 0 && text[size - 1] == ' ') {
        size--;
    }

    text[size] = '\0';
    return size;
}

/* A function of its own: the text is off the stack when lines are printed. */
__noinline static void
log_vappend(enum log_level level, const char *format, va_list args)
{
    char text[LOG_LINE_MAX + 1];
    size_t size;

    size = fmt_vsnprintf(text, sizeof(text), format, args);
    size = log_clean_text(text, MIN(size, sizeof(text) - 1));
    log_append(level, text, size);
}

void
log_vwrite(enum log_level level, const char *format, va_list args)
{
    log_vappend(level, format, args);
    if (console_may_print() ||
        atomic_load_explicit(&log_panic, memory_order_relaxed)) {
        log_print();
    } else {
        console_wake();
    }
}

void
log_write(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_vwrite(level, format, args);
    va_end(args);
}

bool
log_read(uint64_t sequence, struct log_record *record)
{
    enum log_search search;
    uint64_t flags, position;

    position = 0;
    do {
        flags = log_lock();
        search = log_read_locked(sequence, record, &position);
        log_unlock(flags);
    } while (search == LOG_GO_ON);
    return search == LOG_FOUND;
}

uint64_t
log_next_sequence(void)
{
    /* Pairs with the release in log_append(). */
    return atomic_load_explicit(&log_state.next, memory_order_acquire);
}

size_t
log_format_record(const struct log_record *record, char *line)
{
    uint64_t seconds, microseconds;

    seconds = record->time / LOG_NS_PER_SECOND;
    microseconds = record->time % LOG_NS_PER_SECOND / LOG_NS_PER_US;
    fmt_snprintf(line, LOG_FORMAT_SIZE, "[%5llu.%06llu] %s\n",
                 (unsigned long long)seconds, (unsigned long long)microseconds,
                 record->text);
    return strlen(line);
}

void
log_print_record(const struct log_record *record)
{
    char line[LOG_FORMAT_SIZE];
    size_t size;

    size = log_format_record(record, line);
    console_write(line, size);
}

void
log_set_level(unsigned level)
{
    atomic_store_explicit(&log_console_level,
                          MIN(level, (unsigned)LOG_LEVEL_DEBUG),
                          memory_order_relaxed);
}

unsigned
log_level(void)
{
    return atomic_load_explicit(&log_console_level, memory_order_relaxed);
}

void
log_flush(void)
{
    unsigned i;

    for (i = 0; i < LOG_FLUSH_TRIES; i++) {
        log_print();
        /* Pairs with the release in log_take_record(). */
        if (!atomic_load_explicit(&log_state.printing, memory_order_acquire)) {
            break;
        }
        console_relax();
    }
    console_flush();
}

void
log_enter_panic(void)
{
    atomic_store_explicit(&log_panic, true, memory_order_relaxed);
    atomic_store_explicit(&log_state.printing, true, memory_order_relaxed);
    log_print_waiting();
}

static status_t
log_option_level(const char *value)
{
    status_t status;
    uint64_t level;

    status = option_number(value, LOG_LEVEL_DEBUG, &level);
    if (status == OK) {
        log_set_level((unsigned)level);
    }

    return status;
}

OPTION(loglevel, "0..7", "what the consoles get of the log", log_option_level);
