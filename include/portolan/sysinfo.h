/* SPDX-License-Identifier: MIT */
/*
 * The machine and the kernel: what sysinfo() tells.  Types only.
 */
#ifndef PORTOLAN_SYSINFO_H
#define PORTOLAN_SYSINFO_H

#include <stdint.h>

#include <portolan/types.h>

struct portolan_sysinfo {
    uint32_t nr_cpus;    /* that run */
    uint32_t nr_modules; /* of the boot loader */
    uint64_t memory;     /* bytes */
    uint64_t memory_used;
    uint64_t uptime;        /* nanoseconds */
    uint64_t tsc_frequency; /* Hz; 0: not constant, or not known */
    uint32_t nr_tasks;
    uint32_t nr_threads;
    char version[64];
};

#endif /* PORTOLAN_SYSINFO_H */
