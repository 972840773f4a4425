/* SPDX-License-Identifier: MIT */
/*
 * What reports are made of.
 */
#ifndef KERN_SAN_REPORT_H
#define KERN_SAN_REPORT_H

#include <stdint.h>

#include <kern/backtrace.h>

/* What a CPU was about. */
struct sanitizer_trace {
    uint32_t cpu;
    struct backtrace trace;
};

#endif /* KERN_SAN_REPORT_H */
