/* SPDX-License-Identifier: MIT */
/*
 * The keys of a console, apart from it for those who only decode or edit.
 */
#ifndef KERN_CONSOLE_KEY_H
#define KERN_CONSOLE_KEY_H

/* Keys that are no characters, as console_try_read_key() returns them. */
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

#endif /* KERN_CONSOLE_KEY_H */
