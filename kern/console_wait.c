/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include <kern/clock.h>
#include <kern/console.h>
#include <kern/console_wait.h>
#include <kern/thread.h>
#include <lib/macros.h>

/* How often consoles without an interrupt are looked at. */
#define CONSOLE_POLL_NS 10000000

/* Who is told of keys; written by threads that begin to read. */
static struct thread *console_reader;

static void
console_wake_reader(void)
{
    struct thread *reader = READ_ONCE(console_reader);

    if (reader != NULL) {
        thread_unpark(reader);
    }
}

void
console_begin_reading(void)
{
    WRITE_ONCE(console_reader, thread_self());
    console_set_listener(console_wake_reader);
}

int
console_read_key(void)
{
    bool polling;
    int key;

    for (;;) {
        key = console_try_read_key(&polling);
        if (key >= 0) {
            return key;
        }
        thread_park(polling ? clock_now() + CONSOLE_POLL_NS : CLOCK_NEVER);
    }
}
