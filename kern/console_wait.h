/* SPDX-License-Identifier: MIT */
/*
 * Waiting for keys, by one thread at a time.
 */
#ifndef KERN_CONSOLE_WAIT_H
#define KERN_CONSOLE_WAIT_H

/*
 * From now on the calling thread is told of keys, and no other one.
 *
 * Context: thread
 */
void console_begin_reading(void);

/*
 * Wait for a key, on whatever CPU; interrupts of consoles may come to another.
 *
 * Context: thread after console_begin_reading(), preemptible
 * Returns: a character 0..255, or an enum console_key
 */
int console_read_key(void);

#endif /* KERN_CONSOLE_WAIT_H */
