/* SPDX-License-Identifier: MIT */
/*
 * Consoles: where the kernel's text goes and where lines for the monitor come
 * from.
 *
 * A driver registers a struct console; from then on it gets what is printed,
 * beginning with what the log holds already, if console= allows it.  Output is
 * serialised by one lock, so whole lines never mix.  In a panic the lock is
 * ignored: drivers must not take locks of their own in write(), nor allocate,
 * nor wait without a bound.
 */
#ifndef KERN_CONSOLE_H
#define KERN_CONSOLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/list.h>
#include <lib/macros.h>

/*
 * Keys: [c] constant   [C] console lock
 */
struct console {
    struct list node; /* [C] in the list of all */
    const char *name; /* [c] "serial", "vga", "fb": for console= */
    bool enabled;     /* [C] selected by console= */

    /* Print bytes; "\n" moves to the beginning of the next line. */
    void (*write)(struct console *console, const char *text, size_t size);

    /*
     * Look for input without interrupts; NULL if the driver has none.
     * Returns: a character, or -1
     */
    int (*poll)(struct console *console);
};

/* Keys that are no characters, as console_input() takes them. */
enum console_key {
    CONSOLE_KEY_UP = 0x100,
    CONSOLE_KEY_DOWN,
    CONSOLE_KEY_RIGHT,
    CONSOLE_KEY_LEFT,
    CONSOLE_KEY_HOME,
    CONSOLE_KEY_END,
    CONSOLE_KEY_DELETE,
    CONSOLE_KEY_PAGE_UP,
    CONSOLE_KEY_PAGE_DOWN,
};

/* Add a console; replays what the log holds at the console's level. */
void console_register(struct console *console);

/* Take a console out again. */
void console_unregister(struct console *console);

/*
 * Print text on all enabled consoles in one piece.
 *
 * Context: any
 * Locks:   takes and drops LOCK_CONSOLE
 */
void console_write(const char *text, size_t size);

/* Print a formatted text of at most 1,023 bytes in one piece. */
void console_printf(const char *format, ...) __printf(1, 2);

/* Same, with the arguments in a list. */
void console_vprintf(const char *format, va_list args);

/*
 * A driver received a character or a key (enum console_key).
 *
 * Context: interrupt or polling; dropped when 256 wait
 */
void console_input(int key);

/*
 * Take the next character or key.
 *
 * Context: thread, interrupts enabled
 * Blocks:  until there is one
 * Returns: a character 0..255, or an enum console_key
 */
int console_read_key(void);

/* Like console_read_key(), but -1 at once when nothing waits. */
int console_try_read_key(void);

/* From now on print without the lock and poll: this CPU is the last one. */
void console_enter_panic(void);

/* Select consoles by the text of console=, "serial,vga,fb". */
void console_select(const char *names);

#endif /* KERN_CONSOLE_H */
