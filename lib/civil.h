/* SPDX-License-Identifier: MIT */
/*
 * Dates of the Gregorian calendar.
 */
#ifndef LIB_CIVIL_H
#define LIB_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

/* A time of day, without time zone. */
struct civil_time {
    uint32_t year;
    uint32_t month; /* from 1 */
    uint32_t day;   /* from 1 */
    uint32_t hour;
    uint32_t minute;
    uint32_t second;
};

/* Whether there is such a time, from 1970 to 9999. */
bool civil_is_valid(const struct civil_time *time);

/* Seconds since the beginning of 1970, of a valid time. */
uint64_t civil_to_seconds(const struct civil_time *time);

#endif /* LIB_CIVIL_H */
