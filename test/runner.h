/* SPDX-License-Identifier: MIT */
#ifndef TEST_RUNNER_H
#define TEST_RUNNER_H

#include <stdbool.h>

/*
 * Run the tests whose name matches one of the comma separated patterns.
 *
 * Context: thread on the boot CPU
 * Returns: whether none failed
 */
bool runner_run(const char *pattern);

#endif /* TEST_RUNNER_H */
