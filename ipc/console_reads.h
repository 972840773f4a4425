/* SPDX-License-Identifier: MIT */
/*
 * Reads of the console that wait for a line, in the order in which they came.
 *
 * A client that goes, or whose time is over, does not say so; its number just
 * means nothing any more.  So that programs cannot fill memory with such reads,
 * those are looked for each time when there are twice as many as were left the
 * last time: there are at most about twice as many as threads that wait.
 *
 * May run concurrently: one thread that adds, one that takes.
 * Lock rank: LOCK_WAITQ.
 */
#ifndef IPC_CONSOLE_READS_H
#define IPC_CONSOLE_READS_H

#include <stdint.h>

#include <kern/waitq.h>
#include <lib/list.h>
#include <lib/macros.h>

/* So many are not worth a look. */
#define CONSOLE_READS_MIN 64

/*
 * Keys: [W] lock of the queue   [A] the thread that adds
 */
struct console_reads {
    struct waitq queue; /* the thread that takes waits there */
    struct list list;   /* [W] struct console_read */
    uint32_t nr;        /* [W] in the list */
    uint32_t limit;     /* [A] how many there are to be before a look */
};

/* Make a list without reads. */
void console_reads_init(struct console_reads *reads);

/*
 * Have a read wait.
 *
 * @rcvid  of a message to a port of the kernel
 *
 * Context: thread, preemptible
 * Returns: 0; CALL_ENOMEM
 */
long console_reads_add(struct console_reads *reads,
                       uint32_t rcvid) __must_check;

/*
 * Take the oldest read; wait until there is one.
 *
 * Context: thread, preemptible
 * Returns: its number, which may mean nothing any more
 */
uint32_t console_reads_next(struct console_reads *reads);

#endif /* IPC_CONSOLE_READS_H */
