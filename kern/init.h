/* SPDX-License-Identifier: MIT */
/*
 * Initialisation as a graph: each module states what it needs, the kernel
 * sorts.
 *
 * An operation names, as strings, the operations that must come before it.
 * They are sorted by dependency, then by name, and run in that order on the
 * boot CPU; those marked INIT_EACH_CPU run again, in the same order, on every
 * CPU that is started.  An unknown name, a cycle, or the failure of an
 * operation that another needs panics with the path of names; the failure of
 * one that nobody needs is reported.
 */
#ifndef KERN_INIT_H
#define KERN_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>

enum init_where {
    INIT_BOOT_CPU,
    INIT_EACH_CPU,
};

/*
 * Keys: [c] constant   [B] the boot CPU, while it initialises
 */
struct init_op {
    const char *name;         /* [c] */
    status_t (*fn)(void);     /* [c] */
    enum init_where where;    /* [c] */
    const char *const *after; /* [c] names, NULL ends */
    struct init_op *next;     /* [B] in running order */
    uint64_t duration;        /* [B] TSC ticks it took on the boot CPU */
    uint8_t state;            /* [B] of the sort */
};

#define AFTER(op) #op

/*
 * Announce static status_t fn(void), with any number of AFTER(op).
 */
#define INIT_OP(fn_, where_, ...)                                              \
    static struct init_op init_op_##fn_ = {                                    \
        .name = #fn_,                                                          \
        .fn = (fn_),                                                           \
        .where = (where_),                                                     \
        .after = (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL },     \
    };                                                                         \
    SECTION_ENTRY(init, init_op_##fn_)

/* Bytes that the text of a problem with a graph may need. */
#define INIT_PROBLEM_SIZE 512

/*
 * Sort operations by dependency, then by name.
 *
 * @ops      @count of them, not sorted before; in any order
 * @firstp   receives the first to run, the others follow by their next
 * @problem  INIT_PROBLEM_SIZE bytes, receives what is wrong, with the names
 *
 * Returns: OK; ERR_NOT_FOUND, a name is unknown; ERR_INVALID, there is a cycle
 */
status_t init_sort(struct init_op *const *ops, size_t count,
                   struct init_op **firstp, char *problem) __must_check;

/*
 * Describe who needs an operation.
 *
 * @first    of a sorted list that it is in
 * @problem  INIT_PROBLEM_SIZE bytes; receives "a, needed by b, needed by c"
 *
 * Returns: whether anybody does
 */
bool init_describe_need(const struct init_op *first, const struct init_op *op,
                        char *problem);

/*
 * Sort the operations and run them on the boot CPU.
 *
 * Context: boot CPU, interrupts disabled at entry
 */
void init_run(void);

/*
 * Whether they have all run.  Until then nothing else does, so nobody waits,
 * and interrupts are disabled.
 *
 * Context: any
 */
bool init_is_done(void);

/*
 * Run the operations for each CPU on a CPU that has just been started.
 *
 * Returns: OK, or the status of the operation that failed
 */
status_t init_run_cpu(void);

#endif /* KERN_INIT_H */
