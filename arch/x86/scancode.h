/* SPDX-License-Identifier: MIT */
/*
 * What a PS/2 keyboard sends, scan-code set 1, as keys of a US layout.  Pure:
 * no lock, no device.
 */
#ifndef X86_SCANCODE_H
#define X86_SCANCODE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * All zero is the initial state: nothing is held down.
 */
struct scancode_decoder {
    bool is_extended;   /* after 0xe0 */
    uint8_t nr_skipped; /* bytes to come that mean nothing: Pause */
    uint8_t shifts;     /* bit for each shift key held down */
    uint8_t controls;   /* bit for each control key held down */
    bool is_caps_lock;
};

/*
 * Take the next byte.
 *
 * Returns: a character 0..255, an enum console_key, or -1 when the byte
 *          completes nothing that is a key of the console
 */
int scancode_feed(struct scancode_decoder *decoder, uint8_t byte);

#endif /* X86_SCANCODE_H */
