/* SPDX-License-Identifier: MIT */
#include <arch/rtc.h>
#include <kern/clock.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/walltime.h>

#define WALLTIME_NS_PER_SECOND UINT64_C(1000000000)

/* Constant after init. */
static uint64_t walltime_at_0;

uint64_t
walltime_offset(void)
{
    return walltime_at_0;
}

static status_t
walltime_setup(void)
{
    struct civil_time time;

    if (!rtc_read(&time)) {
        log_warning("walltime: the machine does not tell");
        return OK;
    }
    walltime_at_0 = civil_to_seconds(&time) * WALLTIME_NS_PER_SECOND -
                    clock_now();
    log_info("walltime: %04u-%02u-%02u %02u:%02u:%02u UTC", time.year,
             time.month, time.day, time.hour, time.minute, time.second);
    return OK;
}

INIT_OP(walltime_setup, INIT_BOOT_CPU, AFTER(clock_setup));
