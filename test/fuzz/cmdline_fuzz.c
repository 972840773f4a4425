/* SPDX-License-Identifier: MIT */
/*
 * No command line may make its parser, or the patterns in it, look outside.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <lib/assert.h>
#include <lib/cmdline.h>
#include <lib/glob.h>

int fuzz_one(const uint8_t *data, size_t size);

/* A word lies within the text, and its value can be taken in any form. */
static void
cmdline_fuzz_word(const char *text, const struct cmdline_word *word)
{
    char copy[16];
    uint64_t number;

    if (word->text == NULL) {
        return;
    }
    verify(word->text >= text);
    verify(word->length <= strlen(text));
    verify(word->text + word->length <= text + strlen(text));
    (void)cmdline_word_copy(word, copy, sizeof(copy));
    (void)cmdline_word_to_u64(word, &number);
    (void)glob_match_list(copy, "module.fact");
}

int
fuzz_one(const uint8_t *data, size_t size)
{
    struct cmdline_option option;
    struct cmdline_word word;
    struct cmdline_iter it;
    char *text = malloc(size + 1);

    verify(text != NULL);
    if (size != 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';

    cmdline_iter_init(&it, text);
    while (cmdline_next(&it, &option)) {
        cmdline_fuzz_word(text, &option.key);
        cmdline_fuzz_word(text, &option.value);
    }
    while (cmdline_next_word(&it, &word)) {
        cmdline_fuzz_word(text, &word);
    }
    verify(strlen(cmdline_arguments(text)) <= strlen(text));
    free(text);
    return 0;
}
