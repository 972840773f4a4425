/* SPDX-License-Identifier: MIT */
/*
 * Completions: wait for something that happens once.
 *
 * A completion may be on the stack of the only thread that waits: after the
 * wait nobody touches it any more.
 */
#ifndef KERN_COMPLETION_H
#define KERN_COMPLETION_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/waitq.h>
#include <lib/status.h>

/*
 * Keys: [W] lock of @queue
 */
struct completion {
    struct waitq queue;
    bool is_done; /* [W] */
};

/* Make a completion that has not happened. */
void completion_init(struct completion *completion);

/*
 * Wait until it has happened.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context:  thread, no spin lock held
 * Blocks:   until completion_signal() or the deadline
 * Ordering: acquire, of what was before completion_signal()
 * Returns:  OK or ERR_TIMEOUT
 */
status_t completion_wait_until(struct completion *completion,
                               uint64_t deadline) __must_check;

/* Wait, however long it takes. */
void completion_wait(struct completion *completion);

/* Whether it has happened.  Context: any but NMI */
bool completion_is_done(struct completion *completion);

/*
 * Let it happen: all who wait, or will, go on.
 *
 * Context:  any but NMI
 * Ordering: release
 */
void completion_signal(struct completion *completion);

#endif /* KERN_COMPLETION_H */
