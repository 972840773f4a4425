/* SPDX-License-Identifier: MIT */
/*
 * The clock of the PC, a Motorola MC146818 and its successors.
 *
 * It must not be read while it advances, for which it has a flag; that may
 * come on between two reads, so it is read until it says the same twice.  Where
 * there is no such chip all reads give the same byte, which is no date.
 *
 * Source: Intel 7 Series PCH datasheet, "Real Time Clock Registers".
 */
#include <arch/rtc.h>
#include <lib/string.h>

#include "io.h"

#define RTC_INDEX 0x70
#define RTC_DATA  0x71

#define RTC_STATUS_A          0x0a
#define RTC_STATUS_A_ADVANCES 0x80
#define RTC_STATUS_B          0x0b
#define RTC_STATUS_B_24       0x02
#define RTC_STATUS_B_BINARY   0x04

#define RTC_HOUR_PM 0x80

/* Reads before it is given up; an advance takes 2 ms. */
#define RTC_TRIES 10000

/* Two digits mean a year from here on. */
#define RTC_FIRST_YEAR 1970

/* Registers of a time, in the order of struct rtc_raw. */
static const uint8_t rtc_registers[] = { 0x00, 0x02, 0x04, 0x07, 0x08, 0x09 };

struct rtc_raw {
    uint8_t second;
    uint8_t minute;
    uint8_t hour;
    uint8_t day;
    uint8_t month;
    uint8_t year;
};

static_assert(sizeof(struct rtc_raw) == sizeof(rtc_registers), "one for each");

static uint8_t
rtc_register(uint8_t index)
{
    outb(RTC_INDEX, index);
    return inb(RTC_DATA);
}

/* Returns: false: it advances */
static bool
rtc_read_raw(struct rtc_raw *raw)
{
    uint8_t *to = (uint8_t *)raw;

    if (rtc_register(RTC_STATUS_A) & RTC_STATUS_A_ADVANCES) {
        return false;
    }
    for (size_t i = 0; i < sizeof(rtc_registers); i++) {
        to[i] = rtc_register(rtc_registers[i]);
    }
    return true;
}

/* Read the same twice.  Returns: false: it does not stand still */
static bool
rtc_read_stable(struct rtc_raw *raw)
{
    struct rtc_raw other;

    for (unsigned int i = 0; i < RTC_TRIES; i++) {
        if (rtc_read_raw(raw) && rtc_read_raw(&other) &&
            memcmp(raw, &other, sizeof(other)) == 0) {
            return true;
        }
    }
    return false;
}

/* Two decimal digits; 0xff, which no register may have, if they are none. */
static uint8_t
rtc_decimal(uint8_t digits)
{
    if (digits % 16 > 9 || digits / 16 > 9) {
        return 0xff;
    }
    return (uint8_t)(digits / 16 * 10 + digits % 16);
}

static void
rtc_to_binary(struct rtc_raw *raw)
{
    uint8_t pm = raw->hour & RTC_HOUR_PM;

    raw->hour &= (uint8_t)~RTC_HOUR_PM;
    for (size_t i = 0; i < sizeof(*raw); i++) {
        ((uint8_t *)raw)[i] = rtc_decimal(((uint8_t *)raw)[i]);
    }
    raw->hour |= pm;
}

/* 12 at night is 0, 1 in the afternoon 13. */
static uint32_t
rtc_hour_of_12(uint8_t hour)
{
    return (hour & ~RTC_HOUR_PM) % 12 + ((hour & RTC_HOUR_PM) ? 12U : 0U);
}

bool
rtc_read(struct civil_time *time)
{
    struct civil_time found;
    struct rtc_raw raw;
    uint8_t status;

    if (!rtc_read_stable(&raw)) {
        return false;
    }
    status = rtc_register(RTC_STATUS_B);
    if (!(status & RTC_STATUS_B_BINARY)) {
        rtc_to_binary(&raw);
    }
    found = (struct civil_time){
        .year = RTC_FIRST_YEAR + (raw.year + 100U - RTC_FIRST_YEAR % 100) % 100,
        .month = raw.month,
        .day = raw.day,
        .hour = (status & RTC_STATUS_B_24) ? raw.hour
                                           : rtc_hour_of_12(raw.hour),
        .minute = raw.minute,
        .second = raw.second,
    };
    if (!civil_is_valid(&found)) {
        return false;
    }
    *time = found;
    return true;
}
