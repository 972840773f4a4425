/* SPDX-License-Identifier: MIT */
/*
 * What the instrumented builds found.
 */
#ifndef KERN_SANITIZER_H
#define KERN_SANITIZER_H

#include <stdint.h>

/* Reports of undefined behaviour and of bad accesses since boot. */
uint64_t sanitizer_nr_reports(void);

/*
 * Begin a report: one line "SAN: ..." with the place, and count it.
 */
void sanitizer_report(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif /* KERN_SANITIZER_H */
