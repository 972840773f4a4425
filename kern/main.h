/* SPDX-License-Identifier: MIT */
/*
 * What the kernel does once it is initialised: stages, one after the other,
 * then the monitor.
 */
#ifndef KERN_MAIN_H
#define KERN_MAIN_H

#include <stdbool.h>

#include <lib/macros.h>

/* Stages run in this order. */
enum main_order {
    MAIN_THREADS, /* of the kernel, now that all CPUs are up */
    MAIN_TESTS,
    MAIN_BENCHMARKS,
    MAIN_FIRST_PROGRAM, /* until it ends */
    MAIN_REPORTS,
    MAIN_NR_STAGES,
};

struct main_stage {
    enum main_order order;
    /* Returns: whether all went well; part of the exit status. */
    bool (*fn)(void);
};

/* Announce a stage; what is above kern is called this way. */
#define MAIN_STAGE(order_, fn_)                                                \
    static const struct main_stage main_stage_##fn_ = {                        \
        .order = (order_),                                                     \
        .fn = (fn_),                                                           \
    };                                                                         \
    SECTION_ENTRY(stage, main_stage_##fn_)

/* The version, from the build. */
extern const char main_version[];

/*
 * Start the other CPUs, run the stages, then exit or run the monitor.
 *
 * Context: boot CPU, after init_run()
 */
__noreturn void main_run(void);

#endif /* KERN_MAIN_H */
