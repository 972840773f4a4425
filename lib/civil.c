/* SPDX-License-Identifier: MIT */
#include <lib/assert.h>
#include <lib/civil.h>

#define CIVIL_FIRST_YEAR 1970
#define CIVIL_LAST_YEAR  9999

static bool
civil_is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t
civil_month_days(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && civil_is_leap(year) ? 1 : 0);
}

bool
civil_is_valid(const struct civil_time *time)
{
    return time->year >= CIVIL_FIRST_YEAR && time->year <= CIVIL_LAST_YEAR &&
           time->month >= 1 && time->month <= 12 && time->day >= 1 &&
           time->day <= civil_month_days(time->year, time->month) &&
           time->hour < 24 && time->minute < 60 && time->second < 60;
}

/* Leap years before a year, since year 0. */
static uint32_t
civil_leaps(uint32_t year)
{
    return (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
}

uint64_t
civil_to_seconds(const struct civil_time *time)
{
    uint64_t days = (time->year - CIVIL_FIRST_YEAR) * UINT64_C(365) +
                    civil_leaps(time->year) - civil_leaps(CIVIL_FIRST_YEAR);

    assert(civil_is_valid(time));
    for (uint32_t month = 1; month < time->month; month++) {
        days += civil_month_days(time->year, month);
    }
    days += time->day - 1;
    return ((days * 24 + time->hour) * 60 + time->minute) * 60 + time->second;
}
