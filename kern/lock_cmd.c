/* SPDX-License-Identifier: MIT */
/*
 * Monitor command of debug builds: spin locks that CPUs hold.
 */
#include <kern/command.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/lock_check.h>

static void
lock_cmd_locks(int argc __unused, char **argv __unused)
{
    struct lock_check_info info;
    unsigned i;
    uint32_t cpu;

    cpu_for_each (cpu) {
        console_printf("cpu %u:\n", cpu);
        for (i = 0; lock_check_info_get(cpu, i, &info); i++) {
            console_printf("    %p rank %u %s\n", info.lock, info.rank,
                           info.name);
        }
    }
}

MONITOR_COMMAND(locks, "", "debug builds: spin locks that CPUs hold",
                lock_cmd_locks);
