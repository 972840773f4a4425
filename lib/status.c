/* SPDX-License-Identifier: MIT */
/*
 * The texts of the status codes, from the list that defines them.
 */
#include <lib/macros.h>
#include <lib/status.h>

#define STATUS_TEXT(name, text) [name] = (text),

static const char *const status_texts[STATUS_NR] = { STATUS_LIST(STATUS_TEXT) };

const char *
status_string(status_t status)
{
    if ((unsigned int)status >= ARRAY_SIZE(status_texts)) {
        return "unknown status";
    }
    return status_texts[status];
}
