/* SPDX-License-Identifier: MIT */
/*
 * Assertions: assert() states what the compiler cannot see and costs nothing
 * in release builds, verify() is checked in every build.
 */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

#include <lib/macros.h>

/*
 * Report a violated assertion and stop.  The kernel panics, host programs
 * abort.
 *
 * @expr  text of the violated condition
 */
__noreturn __cold void assert_fail(const char *expr, const char *file, int line,
                                   const char *function);

#define verify(expr)                                                           \
    ((expr) ? (void)0 : assert_fail(#expr, __FILE__, __LINE__, __func__))

#ifdef CONFIG_DEBUG
#define assert(expr) verify(expr)
#else
#define assert(expr) ((void)sizeof(!(expr)))
#endif

#endif /* LIB_ASSERT_H */
