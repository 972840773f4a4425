/* SPDX-License-Identifier: MIT */
/*
 * Consoles: where the kernel's text goes and where lines for the monitor come
 * from.
 *
 * A driver registers a struct console; from then on it gets what is printed,
 * beginning with what the log holds already, if console= allows it.
 *
 * Devices are slow, so nobody waits for one with interrupts or preemption off.
 * What is printed goes into a ring as a whole, so lines never mix; one thread
 * at a time is the printer and gives the drivers what the ring holds, in small
 * pieces and preemptible.  Who prints becomes the printer if it may be
 * preempted and there is none; else the console thread does it.  Before there
 * are threads, and in a panic, text is written at once.
 *
 * In a panic nothing is locked: drivers must not take locks of their own in
 * write(), nor allocate, nor wait without a bound.
 *
 * Drivers hand over what is typed from their interrupt handlers; those without
 * an interrupt are polled by whoever waits for a key.
 */
#ifndef KERN_CONSOLE_H
#define KERN_CONSOLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/console_key.h>
#include <lib/list.h>
#include <lib/macros.h>
#include <lib/status.h>

/*
 * Keys: [c] constant   [C] the printer   [D] driver, once, before keys come
 */
struct console {
    struct list node;      /* [C] in the list of all */
    const char *name;      /* [c] "serial", "vga", "fb": for console= */
    bool enabled;          /* [C] selected by console= */
    bool replayed;         /* [C] has got what the log held */
    uint64_t log_sequence; /* [C] first record that was not replayed */
    bool has_interrupt;    /* [D] calls console_input(), need not be polled */

    /*
     * Print bytes; "\n" moves to the beginning of the next line.  NULL if the
     * console has keys only; console= does not apply to it then.
     */
    void (*write)(struct console *console, const char *text, size_t size);

    /*
     * Look for input without interrupts; NULL if the driver has none.
     * Returns: a character, or -1
     */
    int (*poll)(struct console *console);
};

/* Longest text that console_printf() prints, bytes; the rest is cut. */
#define CONSOLE_PRINTF_MAX 1023

/*
 * Add a console; replays what the log holds up to the level of log_set_level().
 *
 * @console  kept by reference until console_unregister()
 *
 * Context: any but NMI
 * Locks:   takes and drops LOCK_LOG and LOCK_CONSOLE
 */
void console_register(struct console *console);

/*
 * Take a console out again; when this returns the driver is no longer called.
 *
 * Locks: takes and drops LOCK_CONSOLE
 */
void console_unregister(struct console *console);

/*
 * Print text on all enabled consoles in one piece, if it has at most 1 KiB.
 *
 * Context: any but NMI
 * Locks:   takes and drops LOCK_CONSOLE
 * Blocks:  while the ring is full, where that is allowed; else text is lost
 */
void console_write(const char *text, size_t size);

/*
 * Print a record of the log on all enabled consoles that have not got it by
 * replay yet.
 *
 * @sequence  number of the record
 *
 * Context: any but NMI
 * Locks:   takes and drops LOCK_CONSOLE
 */
void console_write_log(uint64_t sequence, const char *text, size_t size);

/*
 * Print a formatted text in one piece.
 *
 * @format  as for fmt_vsnprintf(); at most CONSOLE_PRINTF_MAX bytes are printed
 *
 * Context: any but NMI; uses 1 KiB of the stack
 * Locks:   takes and drops LOCK_CONSOLE
 */
void console_printf(const char *format, ...) __printf(1, 2);

/*
 * Same as console_printf(), with the arguments in a list.
 */
void console_vprintf(const char *format, va_list args);

/*
 * A driver received a character or a key.  Dropped when 256 wait already.
 *
 * @key  a character 0..255, or an enum console_key
 *
 * Context: interrupt or thread
 * Locks:   takes and drops LOCK_CONSOLE_INPUT
 */
void console_input(int key);

/*
 * Have a function called whenever a key has come, so that a thread can wait
 * for one; NULL for nobody.
 *
 * @fn  called in the context of console_input(), no lock held
 */
void console_set_listener(void (*fn)(void));

/*
 * Take the next character or key if there is one.  Consoles without an
 * interrupt are polled; in a panic, all are.
 *
 * @pollingp  set to whether a console has to be polled: then nobody is told
 *            of its keys
 *
 * Context: any but NMI
 * Locks:   takes and drops LOCK_CONSOLE, LOCK_CONSOLE_INPUT
 * Returns: a character 0..255, an enum console_key, or -1
 */
int console_try_read_key(bool *pollingp);

/*
 * Wait until all that was printed is on the consoles, or print it.
 *
 * Context: any but NMI
 * Blocks:  bounded, when the printer was stopped
 */
void console_flush(void);

/* Whether the caller may be the printer: it may wait, or there is no thread. */
bool console_may_print(void);

/* Have the console thread print.  Context: any but NMI */
void console_wake(void);

/* Wait a little for another thread, where that is allowed. */
void console_relax(void);

/*
 * What threads do for consoles; all that includes this would else depend on
 * all that threads need.
 */
struct console_threads {
    void (*wake)(void);  /* the console thread; any context but NMI */
    void (*relax)(void); /* wait a little */
};

/* Begin to use threads.  Context: boot CPU, once */
void console_use_threads(const struct console_threads *threads);

/*
 * From now on print and read without locks.  What the log has not printed yet
 * is printed.  When console= left no console for output, all are enabled.
 *
 * Context: any; the CPU that panics, the others are stopped or about to be
 */
void console_enter_panic(void);

/*
 * Select consoles, also those that register later.
 *
 * @names  "serial,vga,fb" or a part of it; copied
 *
 * Context: any but NMI
 * Locks:   takes and drops LOCK_CONSOLE
 * Returns: OK; ERR_INVALID, a word is none of the three, or there is none;
 *          ERR_OVERFLOW, the list is too long; then nothing has changed
 */
status_t console_select(const char *names) __must_check;

#endif /* KERN_CONSOLE_H */
