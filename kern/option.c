/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/log.h>
#include <kern/option.h>
#include <lib/cmdline.h>
#include <lib/string.h>

SECTION_DECLARE(option, const struct option);

static const struct option *
option_find(const struct cmdline_word *key)
{
    const struct option *const *option;

    section_for_each (option, option) {
        if (cmdline_word_is(key, (*option)->name)) {
            return *option;
        }
    }
    return NULL;
}

static void
option_apply(const struct cmdline_option *given)
{
    char value[OPTION_VALUE_MAX];
    const struct option *option;
    status_t status;

    option = option_find(&given->key);
    if (option == NULL) {
        log_warning("option: \"%.*s\" is unknown and ignored",
                    (int)MIN(given->word.length, (size_t)128),
                    given->word.text);
        return;
    }

    status = cmdline_word_copy(&given->value, value, sizeof(value));
    if (status == OK || status == ERR_NOT_FOUND) {
        status = option->fn(value);
    }
    if (status != OK) {
        log_warning("option: \"%.*s\" is ignored, %s wants %s: %s",
                    (int)MIN(given->word.length, (size_t)128), given->word.text,
                    option->name, option->value, status_string(status));
    }
}

void
option_parse(const char *text)
{
    struct cmdline_option given;
    struct cmdline_iter it;

    cmdline_iter_init(&it, text);
    while (cmdline_next(&it, &given)) {
        option_apply(&given);
    }
}

status_t
option_number(const char *value, uint64_t max, uint64_t *out)
{
    status_t status;
    uint64_t number;

    status = string_to_u64(value, 0, &number);
    if (status != OK) {
        return status;
    }
    if (number > max) {
        return ERR_RANGE;
    }

    *out = number;
    return OK;
}
