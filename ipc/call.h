/* SPDX-License-Identifier: MIT */
/*
 * System calls: the table by number, and what is known of each call for those
 * who print them.  Both are made of ipc/syscalls.tbl.
 */
#ifndef IPC_CALL_H
#define IPC_CALL_H

#include <stdint.h>

#include <arch/user.h>
#include <portolan/call_nr.h>

/* Arguments of a call, at most. */
#define CALL_NR_ARGUMENTS 6

/* What an argument is; the letters of the table. */
enum call_argument_kind {
    CALL_ARG_RIGHT,
    CALL_ARG_INT,
    CALL_ARG_LONG,
    CALL_ARG_U32,
    CALL_ARG_U64,
    CALL_ARG_SIZE,
    CALL_ARG_ADDR,
    CALL_ARG_FLAGS,
    CALL_ARG_IN,
    CALL_ARG_OUT,
    CALL_ARG_INOUT,
};

/* What a call returns, if it is not an error. */
enum call_result_kind {
    CALL_RESULT_NONE,
    CALL_RESULT_INT,
    CALL_RESULT_LONG,
    CALL_RESULT_SIZE,
    CALL_RESULT_RIGHT,
    CALL_RESULT_TIME,
    CALL_RESULT_ADDR,
    CALL_RESULT_NEVER,
};

struct call_argument {
    const char *name;
    enum call_argument_kind kind;
    int size; /* the argument that says how much memory it is, or -1 */
};

struct call_description {
    const char *name; /* NULL: there is no such call */
    enum call_result_kind result;
    unsigned int nr_arguments;
    struct call_argument arguments[CALL_NR_ARGUMENTS];
};

/* By number; call_none() where there is no call yet. */
extern const user_call_fn_t call_table[PORTOLAN_NR_CALLS];

extern const struct call_description call_descriptions[PORTOLAN_NR_CALLS];

/*
 * The call that does not exist.
 *
 * Context: that of any call
 * Returns: USER_NO_CALL
 */
long call_none(unsigned long a, unsigned long b, unsigned long c,
               unsigned long d, unsigned long e, unsigned long f);

#endif /* IPC_CALL_H */
