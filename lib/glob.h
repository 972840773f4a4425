/* SPDX-License-Identifier: MIT */
/*
 * Patterns over names: * any characters, ? one, [a-z] one of a set, [!a-z]
 * one not of it.  There is no escape; a [ that is not closed is itself.
 */
#ifndef LIB_GLOB_H
#define LIB_GLOB_H

#include <stdbool.h>

/*
 * Whether the whole of @text matches @pattern.
 *
 * Takes at most their lengths' product in steps, and no stack.
 */
bool glob_match(const char *pattern, const char *text);

/*
 * Whether the whole of @text matches one of several patterns.
 *
 * @patterns  separated by commas, which always separate; an empty one
 *            matches nothing
 */
bool glob_match_list(const char *patterns, const char *text);

#endif /* LIB_GLOB_H */
