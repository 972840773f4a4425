/* SPDX-License-Identifier: MIT */
/*
 * What functions return that can fail for more than one reason.
 */
#ifndef LIB_STATUS_H
#define LIB_STATUS_H

#include <lib/macros.h>

#define STATUS_LIST(X)                                                         \
    X(OK, "success")                                                           \
    X(ERR_NO_MEMORY, "out of memory")                                          \
    X(ERR_INVALID, "invalid argument")                                         \
    X(ERR_RANGE, "out of range")                                               \
    X(ERR_NOT_FOUND, "not found")                                              \
    X(ERR_EXISTS, "exists already")                                            \
    X(ERR_BUSY, "busy")                                                        \
    X(ERR_TIMEOUT, "timed out")                                                \
    X(ERR_CLOSED, "closed")                                                    \
    X(ERR_STATE, "not in this state")                                          \
    X(ERR_OVERFLOW, "does not fit")                                            \
    X(ERR_TRUNCATED, "truncated")                                              \
    X(ERR_CHECKSUM, "wrong checksum")                                          \
    X(ERR_FORMAT, "malformed")                                                 \
    X(ERR_UNSUPPORTED, "not supported")                                        \
    X(ERR_IO, "input/output error")                                            \
    X(ERR_FAULT, "bad address")                                                \
    X(ERR_ACCESS, "permission denied")                                         \
    X(ERR_AGAIN, "try again")                                                  \
    X(ERR_INTERRUPTED, "interrupted")

#define STATUS_ENUM(name, text) name,
typedef enum {
    STATUS_LIST(STATUS_ENUM) STATUS_NR
} status_t;

/*
 * The text of a status, for people.
 *
 * Returns: a constant string, "unknown status" for a value out of range
 */
const char *status_string(status_t status);

#endif /* LIB_STATUS_H */
