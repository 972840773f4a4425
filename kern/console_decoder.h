/* SPDX-License-Identifier: MIT */
/*
 * What a terminal sends, as keys: escape sequences of ECMA-48 and of the VT220
 * become one enum console_key.  Pure: no lock, no device.
 */
#ifndef KERN_CONSOLE_DECODER_H
#define KERN_CONSOLE_DECODER_H

#include <stdint.h>

enum console_decoder_state {
    CONSOLE_DECODER_PLAIN,  /* no sequence begun */
    CONSOLE_DECODER_ESCAPE, /* after ESC */
    CONSOLE_DECODER_SINGLE, /* after ESC O: one byte follows */
    CONSOLE_DECODER_CSI,    /* after ESC [ */
};

/*
 * All zero is the initial state.
 */
struct console_decoder {
    enum console_decoder_state state;
    unsigned number; /* first parameter of the sequence */
    uint8_t last;    /* byte before, to make CR LF one key */
};

/*
 * Take the next byte.
 *
 * Returns: a character 0..255, an enum console_key, or -1 when the byte
 *          completes nothing or nothing known
 */
int console_decoder_feed(struct console_decoder *decoder, uint8_t byte);

#endif /* KERN_CONSOLE_DECODER_H */
