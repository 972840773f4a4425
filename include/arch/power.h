/* SPDX-License-Identifier: MIT */
/*
 * Leaving: reboot, power off, and the exits of emulators.
 */
#ifndef ARCH_POWER_H
#define ARCH_POWER_H

#include <lib/macros.h>

/* Results of a run, as isa-debug-exit reports them. */
enum power_result {
    POWER_PASSED = 0x10,
    POWER_FAILED = 0x11,
    POWER_PANIC = 0x12,
};

/* Reset the machine by every means that it may have. */
__noreturn void power_reboot(void);

/* Switch the machine off; halts with a message if it cannot be. */
__noreturn void power_off(void);

/*
 * Leave with a result: through isa-debug-exit if present, else power off.
 */
__noreturn void power_exit(enum power_result result);

/* End a panic; @action is enum panic_action. */
__noreturn void power_exit_after_panic(unsigned action);

#endif /* ARCH_POWER_H */
