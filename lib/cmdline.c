/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line.
 *
 * The boot loader's text is input like any other: each step is bounded by the
 * end that cmdline_iter_init() found, and nothing is copied or allocated.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/cmdline.h>
#include <lib/macros.h>
#include <lib/string.h>

/* Longest number that is worth parsing, with 0x and NUL, bytes. */
#define CMDLINE_NUMBER_SIZE 32

static bool
cmdline_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void
cmdline_iter_init(struct cmdline_iter *it, const char *text)
{
    it->next = text;
    it->end = text + strlen(text);
}

/*
 * GRUB puts a backslash before each quote and backslash of its own accord;
 * the character behind one is nothing but itself.
 */
static bool
cmdline_is_escape(const char *text, const char *end)
{
    return *text == '\\' && end - text > 1 &&
           (text[1] == '\\' || text[1] == '"' || text[1] == '\'');
}

/* The next quote that is not escaped, or NULL. */
static const char *
cmdline_find_quote(const char *text, const char *end)
{
    for (; text < end; text++) {
        if (cmdline_is_escape(text, end)) {
            text++;
        } else if (*text == '"') {
            return text;
        }
    }
    return NULL;
}

/* Take the next word as it stands. */
static bool
cmdline_next_raw(struct cmdline_iter *it, struct cmdline_word *word)
{
    const char *next = it->next;
    bool quoted = false;

    while (next < it->end && cmdline_is_blank(*next)) {
        next++;
    }
    it->next = next;
    if (next == it->end) {
        return false;
    }

    for (; next < it->end && (quoted || !cmdline_is_blank(*next)); next++) {
        if (cmdline_is_escape(next, it->end)) {
            next++;
        } else {
            quoted ^= *next == '"';
        }
    }
    word->text = it->next;
    word->length = (size_t)(next - it->next);
    it->next = next;
    return true;
}

/* Drop quotes around the whole word; the last may be missing. */
static struct cmdline_word
cmdline_unquote(struct cmdline_word word)
{
    const char *close;

    if (word.length == 0 || word.text[0] != '"') {
        return word;
    }

    close = cmdline_find_quote(word.text + 1, word.text + word.length);
    if (close == NULL) {
        close = word.text + word.length;
    } else if (close != word.text + word.length - 1) {
        return word;
    }
    word.text++;
    word.length = (size_t)(close - word.text);
    return word;
}

bool
cmdline_next_word(struct cmdline_iter *it, struct cmdline_word *word)
{
    struct cmdline_word raw;

    if (!cmdline_next_raw(it, &raw)) {
        return false;
    }
    *word = cmdline_unquote(raw);
    return true;
}

bool
cmdline_next(struct cmdline_iter *it, struct cmdline_option *option)
{
    struct cmdline_word raw;
    const char *equals;

    if (!cmdline_next_raw(it, &raw) || cmdline_word_is(&raw, "--")) {
        return false;
    }

    option->word = cmdline_unquote(raw);
    option->key = option->word;
    option->value = (struct cmdline_word){ NULL, 0 };

    equals = memchr(option->key.text, '=', option->key.length);
    if (equals != NULL) {
        option->value.text = equals + 1;
        option->value.length =
            (size_t)(option->key.text + option->key.length - equals - 1);
        option->value = cmdline_unquote(option->value);
        option->key.length = (size_t)(equals - option->key.text);
    }
    return true;
}

const char *
cmdline_arguments(const char *text)
{
    struct cmdline_option option;
    struct cmdline_iter it;

    cmdline_iter_init(&it, text);
    while (cmdline_next(&it, &option)) {
    }
    while (cmdline_is_blank(*it.next)) {
        it.next++;
    }
    return it.next;
}

bool
cmdline_word_is(const struct cmdline_word *word, const char *text)
{
    return word->text != NULL && strlen(text) == word->length &&
           memcmp(word->text, text, word->length) == 0;
}

status_t
cmdline_word_copy(const struct cmdline_word *word, char *buf, size_t size)
{
    const char *text, *end;
    size_t length;

    assert(size != 0);
    buf[0] = '\0';
    if (word->text == NULL) {
        return ERR_NOT_FOUND;
    }

    length = 0;
    end = word->text + word->length;
    for (text = word->text; text < end; text++) {
        if (cmdline_is_escape(text, end)) {
            text++;
        }
        if (length == size - 1) {
            buf[length] = '\0';
            return ERR_OVERFLOW;
        }
        buf[length++] = *text;
    }
    buf[length] = '\0';
    return OK;
}

status_t
cmdline_word_to_u64(const struct cmdline_word *word, uint64_t *out)
{
    char buf[CMDLINE_NUMBER_SIZE];

    if (cmdline_word_copy(word, buf, sizeof(buf)) != OK) {
        return ERR_INVALID;
    }
    return string_to_u64(buf, 0, out);
}
