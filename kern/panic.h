/* SPDX-License-Identifier: MIT */
/*
 * The end: a bug of the kernel's own was found.
 *
 * The CPU that panics stops the others by NMI, then prints the reason, its
 * registers, the last log lines and the backtraces of all CPUs on every
 * console.  A second panic, of another CPU or inside the first, never
 * recurses: it stops its CPU.
 */
#ifndef KERN_PANIC_H
#define KERN_PANIC_H

#include <stdbool.h>
#include <stdint.h>

#include <lib/macros.h>

struct trap_frame;

enum panic_action {
    PANIC_HALT,
    PANIC_REBOOT,
    PANIC_EXIT,
};

/*
 * Stop the system with a reason.
 *
 * Context: any
 */
__noreturn __cold void panic(const char *format, ...) __printf(1, 2);

/* The same for a trap of the kernel: its registers are shown. */
__noreturn __cold void panic_trap(const struct trap_frame *frame,
                                  const char *format, ...) __printf(2, 3);

/* What to do when all is said; panic=. */
void panic_set_action(enum panic_action action);

/* Whether some CPU panics. */
bool panic_is_active(void);

/*
 * This CPU was stopped by NMI for a panic: leave the trace for the CPU that
 * prints, and stop.
 */
__noreturn void panic_cpu_stopped(const struct trap_frame *frame);

#define BUG() panic("bug at %s:%d", __FILE__, __LINE__)

#endif /* KERN_PANIC_H */
