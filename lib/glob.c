/* SPDX-License-Identifier: MIT */
/*
 * Patterns over names.
 *
 * Only the last star is ever retried: what matches between two stars may be
 * matched as early as possible, for a later match leaves less text for the
 * rest.  That is why no recursion is needed and why the time is bounded.
 */
#include <stdbool.h>
#include <stddef.h>

#include <lib/glob.h>
#include <lib/string.h>

/* The bracket that closes the set at @set, which may begin with it, or NULL. */
static const char *
glob_set_end(const char *set, const char *end)
{
    const char *first = set + 1;

    if (first < end && *first == '!') {
        first++;
    }
    if (first >= end) {
        return NULL;
    }
    return memchr(first + 1, ']', (size_t)(end - first - 1));
}

/* Whether @c is in the set of characters between brackets. */
static bool
glob_set_has(const char *set, const char *set_end, char c)
{
    unsigned char byte = (unsigned char)c;
    bool negated = set[1] == '!';
    bool found = false;

    for (set += negated ? 2 : 1; set < set_end; set++) {
        if (set_end - set >= 3 && set[1] == '-') {
            found |= byte >= (unsigned char)set[0] &&
                     byte <= (unsigned char)set[2];
            set += 2;
        } else {
            found |= *set == c;
        }
    }
    return found != negated;
}

/*
 * Match one character, which no star does; returns what follows in the
 * pattern, or NULL for no match.
 */
static const char *
glob_match_one(const char *pattern, const char *end, char c)
{
    const char *set_end;

    if (pattern == end) {
        return NULL;
    }
    if (*pattern == '?') {
        return pattern + 1;
    }
    if (*pattern == '[') {
        set_end = glob_set_end(pattern, end);
        if (set_end != NULL) {
            return glob_set_has(pattern, set_end, c) ? set_end + 1 : NULL;
        }
    }
    return *pattern == c ? pattern + 1 : NULL;
}

static bool
glob_match_bounded(const char *pattern, const char *end, const char *text)
{
    const char *star = NULL, *star_text = NULL;

    while (*text != '\0') {
        if (pattern < end && *pattern == '*') {
            pattern++;
            star = pattern;
            star_text = text;
            continue;
        }

        pattern = glob_match_one(pattern, end, *text);
        if (pattern != NULL) {
            text++;
            continue;
        }

        if (star == NULL) {
            return false;
        }
        star_text++;
        pattern = star;
        text = star_text;
    }

    while (pattern < end && *pattern == '*') {
        pattern++;
    }
    return pattern == end;
}

bool
glob_match(const char *pattern, const char *text)
{
    return glob_match_bounded(pattern, pattern + strlen(pattern), text);
}

bool
glob_match_list(const char *patterns, const char *text)
{
    const char *end;

    for (;;) {
        end = strchr(patterns, ',');
        if (end == NULL) {
            end = patterns + strlen(patterns);
        }
        if (end != patterns && glob_match_bounded(patterns, end, text)) {
            return true;
        }
        if (*end == '\0') {
            return false;
        }
        patterns = end + 1;
    }
}
