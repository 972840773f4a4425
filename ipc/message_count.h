/* SPDX-License-Identifier: MIT */
/*
 * How often messages go the fast path, and why not: for the monitor.
 */
#ifndef IPC_MESSAGE_COUNT_H
#define IPC_MESSAGE_COUNT_H

#include <stdint.h>

#include <kern/percpu.h>

/* What is counted, and what the monitor says of it. */
#define MESSAGE_COUNTS(X)                                                      \
    X(FAST_SEND, "sent in line")                                               \
    X(FAST_RECEIVE, "received in line")                                        \
    X(FAST_REPLY, "replied in line")                                           \
    X(LONG, "not sent so: long, many parts, or options")                       \
    X(NO_RECEIVER, "not sent so: nobody waited on this CPU")                   \
    X(NO_EQUAL, "not so: not held, or of another priority or weight")          \
    X(NO_PAGE, "not so: a page was not there, or a long reply")                \
    X(NO_NUMBER, "not sent so: another slot of receive ids was due")

#define MESSAGE_COUNT_ENUM(name, text) MESSAGE_##name,
enum message_counter {
    MESSAGE_COUNTS(MESSAGE_COUNT_ENUM) MESSAGE_NR_COUNTS
};

/* Per CPU, since boot; each CPU counts its own. */
extern uint64_t message_counts[MESSAGE_NR_COUNTS];

/* Count one, in one instruction. */
static inline void
message_count(enum message_counter what)
{
    percpu_count(message_counts[what]);
}

#endif /* IPC_MESSAGE_COUNT_H */
