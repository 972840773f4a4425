/* SPDX-License-Identifier: MIT */
/*
 * Workloads for the measurement of sharing: write SHARE(module, operation)
 * { ... } with one loop SHARE_LOOP(s) around the operation, in a file
 * test/sharing/NAME_share.c.
 *
 * The body runs on several CPUs at the same time; what stands before and
 * behind the loop is not measured.  The CPUs begin the counted passes
 * together.  doc/sharing.md says what is done with it.
 */
#ifndef TEST_SHARING_SHARE_H
#define TEST_SHARING_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include <lib/macros.h>
#include <portolan/marker.h>

/* Passes of each CPU. */
#define SHARE_WARM_UP UINT64_C(200)
#define SHARE_COUNTED UINT64_C(1000)

/* A workload runs on 2, 4, ... CPUs, up to so many. */
#define SHARE_CPUS_MAX 8

/*
 * One tag for all: it is part of the instruction, and reset in between.  The
 * other one is for what precedes; its figures are thrown away, but the CPUs
 * are kept at one pace already.
 */
#define SHARE_TAG         1
#define SHARE_TAG_WARM_UP 2

struct share_run;

/*
 * A workload that runs, as one CPU sees it; in memory of its own.
 */
struct share {
    struct share_run *run;
    uint32_t index;    /* 0 to nr_cpus - 1 */
    uint32_t nr_cpus;  /* that run it */
    uint64_t nr_begun; /* passes, warm-up included */
};

struct share_case {
    const char *name; /* "module.operation" */
    void (*fn)(struct share *s);
};

#define SHARE(module, operation)                                               \
    static void module##_##operation##_share(struct share *s);                 \
    static const struct share_case module##_##operation##_share_case = {       \
        .name = #module "." #operation,                                        \
        .fn = module##_##operation##_share,                                    \
    };                                                                         \
    SECTION_ENTRY(share, module##_##operation##_share_case);                   \
    static void module##_##operation##_share(struct share *s)

/* Repeat the statement that follows. */
#define SHARE_LOOP(s) while (share_next(s))

/*
 * Wait until all CPUs have come here.
 */
void share_meet(struct share *s);

static __always_inline bool
share_next(struct share *s)
{
    uint64_t n;

    n = s->nr_begun++;
    if (n < SHARE_WARM_UP) {
        return true;
    }
    if (n == SHARE_WARM_UP) {
        share_meet(s);
        MARKER(MARKER_BEGIN, SHARE_TAG);
        MARKER(MARKER_END, SHARE_TAG_WARM_UP);
        return true;
    }

    MARKER(MARKER_OP, SHARE_TAG);
    if (n < SHARE_WARM_UP + SHARE_COUNTED) {
        return true;
    }
    MARKER(MARKER_END, SHARE_TAG);
    share_meet(s);
    return false;
}

#endif /* TEST_SHARING_SHARE_H */
