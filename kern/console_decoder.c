/* SPDX-License-Identifier: MIT */
/*
 * Decoder of terminal input.
 *
 * A sequence is ESC O and a letter, or ESC [, parameters and a final byte.
 * Only the first parameter matters here; those of modifiers (ESC [1;5C) are
 * skipped, so a modified arrow is an arrow.  Sequences that are not known
 * vanish as a whole instead of leaving their letters in the line.
 */
#include <stddef.h>

#include <lib/macros.h>

#include <kern/console_key.h>
#include <kern/console_decoder.h>

#define ASCII_ESC 0x1b
#define ASCII_DEL 0x7f

/* Greater parameters mean nothing here. */
#define CONSOLE_DECODER_NUMBER_MAX 1000

static int
console_decoder_letter(uint8_t letter)
{
    switch (letter) {
    case 'A':
        return CONSOLE_KEY_UP;
    case 'B':
        return CONSOLE_KEY_DOWN;
    case 'C':
        return CONSOLE_KEY_RIGHT;
    case 'D':
        return CONSOLE_KEY_LEFT;
    case 'H':
        return CONSOLE_KEY_HOME;
    case 'F':
        return CONSOLE_KEY_END;
    default:
        return -1;
    }
}

/* ESC [ number ~ */
static int
console_decoder_number(unsigned number)
{
    switch (number) {
    case 1:
    case 7:
        return CONSOLE_KEY_HOME;
    case 3:
        return CONSOLE_KEY_DELETE;
    case 4:
    case 8:
        return CONSOLE_KEY_END;
    case 5:
        return CONSOLE_KEY_PAGE_UP;
    case 6:
        return CONSOLE_KEY_PAGE_DOWN;
    default:
        return -1;
    }
}

static int
console_decoder_plain(struct console_decoder *decoder, uint8_t byte)
{
    uint8_t last;

    last = decoder->last;
    decoder->last = byte;

    switch (byte) {
    case ASCII_ESC:
        decoder->state = CONSOLE_DECODER_ESCAPE;
        return -1;
    case '\r':
        return '\n';
    case '\n':
        return last == '\r' ? -1 : '\n';
    case ASCII_DEL:
        return '\b';
    default:
        return byte;
    }
}

static int
console_decoder_escape(struct console_decoder *decoder, uint8_t byte)
{
    decoder->number = 0;

    switch (byte) {
    case '[':
        decoder->state = CONSOLE_DECODER_CSI;
        return -1;
    case 'O':
        decoder->state = CONSOLE_DECODER_SINGLE;
        return -1;
    case ASCII_ESC:
        return -1;
    default:
        decoder->state = CONSOLE_DECODER_PLAIN;
        return -1;
    }
}

static int
console_decoder_csi(struct console_decoder *decoder, uint8_t byte)
{
    if (byte >= '0' && byte <= '9' &&
        decoder->number < CONSOLE_DECODER_NUMBER_MAX) {
        decoder->number = decoder->number * 10 + (byte - '0');
        return -1;
    }
    if (byte == ';') {
        /* What follows are modifiers: no digit changes the number again. */
        decoder->number += CONSOLE_DECODER_NUMBER_MAX;
        return -1;
    }
    if (byte >= 0x20 && byte < 0x40) {
        return -1;
    }

    decoder->state = CONSOLE_DECODER_PLAIN;
    if (byte == '~') {
        return console_decoder_number(decoder->number %
                                      CONSOLE_DECODER_NUMBER_MAX);
    }

    return console_decoder_letter(byte);
}

int
console_decoder_feed(struct console_decoder *decoder, uint8_t byte)
{
    switch (decoder->state) {
    case CONSOLE_DECODER_ESCAPE:
        return console_decoder_escape(decoder, byte);
    case CONSOLE_DECODER_SINGLE:
        decoder->state = CONSOLE_DECODER_PLAIN;
        return console_decoder_letter(byte);
    case CONSOLE_DECODER_CSI:
        return console_decoder_csi(decoder, byte);
    default:
        return console_decoder_plain(decoder, byte);
    }
}
