/* SPDX-License-Identifier: MIT */
/*
 * The end: a bug of the kernel's own was found.
 *
 * The CPU that panics stops the others by NMI, then prints the reason, its
 * registers, the backtraces of all CPUs and the last log lines on every
 * console.  A second panic never recurses: of another CPU, it stops that one;
 * inside the first, it ends the first.
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

/* What to do when all is said, unless panic= tells. */
void panic_set_default(enum panic_action action);

/* Whether some CPU panics. */
bool panic_is_active(void);

/*
 * Look whether an NMI is that of a panic: if so, leave the trace for the CPU
 * that prints, and stop.
 *
 * Context: NMI
 * Returns: only if no other CPU panics
 */
void panic_handle_nmi(const struct trap_frame *frame);

#define BUG() panic("bug at %s:%d", __FILE__, __LINE__)

#endif /* KERN_PANIC_H */
