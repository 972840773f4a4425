/* SPDX-License-Identifier: MIT */
/*
 * The machine's clock that runs while it is off.
 */
#ifndef ARCH_RTC_H
#define ARCH_RTC_H

#include <stdbool.h>

#include <lib/civil.h>

/*
 * Read the clock; what it shows is taken for UTC.
 *
 * @time  written only on success; valid
 *
 * Context: boot CPU, while it initialises
 * Returns: false: there is none, or it shows no date
 */
bool rtc_read(struct civil_time *time);

#endif /* ARCH_RTC_H */
