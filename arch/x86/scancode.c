/* SPDX-License-Identifier: MIT */
/*
 * Scan-code set 1.
 *
 * A byte is a key's number, with the highest bit when it was released; 0xe0
 * before it makes it another key, on modern keyboards the one that is twice
 * there.  Fake shifts (e0 2a, e0 36) are not shifts and are ignored.
 *
 * Source: Microsoft, "Keyboard Scan Code Specification".
 */
#include <lib/macros.h>

#include <kern/console_key.h>

#include "scancode.h"

#define SCANCODE_RELEASED 0x80
#define SCANCODE_EXTENDED 0xe0
#define SCANCODE_PAUSE    0xe1 /* five bytes follow, pressed and released */

#define SCANCODE_CONTROL     0x1d
#define SCANCODE_SHIFT_LEFT  0x2a
#define SCANCODE_SHIFT_RIGHT 0x36
#define SCANCODE_CAPS_LOCK   0x3a

#define SCANCODE_LEFT  0x01 /* bits of which key is held down */
#define SCANCODE_RIGHT 0x02

#define SCANCODE_PAUSE_SIZE 5

/* From 0x00 on, without and with shift; 0 is no character. */
static const char scancode_plain[] = "\0\0331234567890-=\b\tqwertyuiop[]\n\0"
                                     "asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char scancode_shifted[] = "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0"
                                       "ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static_assert(sizeof(scancode_plain) == 0x3a + 1, "space is key 0x39");
static_assert(sizeof(scancode_shifted) == sizeof(scancode_plain), "same keys");

/* The keypad, 0x47 to 0x53, as if Num Lock were off. */
static const uint16_t scancode_keypad[] = {
    CONSOLE_KEY_HOME,      CONSOLE_KEY_UP,
    CONSOLE_KEY_PAGE_UP,   '-',
    CONSOLE_KEY_LEFT,      '5',
    CONSOLE_KEY_RIGHT,     '+',
    CONSOLE_KEY_END,       CONSOLE_KEY_DOWN,
    CONSOLE_KEY_PAGE_DOWN, 0,
    CONSOLE_KEY_DELETE,
};

#define SCANCODE_KEYPAD_FIRST 0x47

static_assert(ARRAY_SIZE(scancode_keypad) == 0x53 - SCANCODE_KEYPAD_FIRST + 1,
              "from Home to Delete");

static void
scancode_set_held(uint8_t *held, uint8_t bit, bool is_released)
{
    if (is_released) {
        *held &= (uint8_t)~bit;
    } else {
        *held |= bit;
    }
}

/* Whether the key was one that changes what others mean. */
static bool
scancode_modify(struct scancode_decoder *decoder, uint8_t code,
                bool is_extended, bool is_released)
{
    switch (code) {
    case SCANCODE_CONTROL:
        scancode_set_held(&decoder->controls,
                          is_extended ? SCANCODE_RIGHT : SCANCODE_LEFT,
                          is_released);
        return true;
    case SCANCODE_SHIFT_LEFT:
    case SCANCODE_SHIFT_RIGHT:
        if (!is_extended) {
            scancode_set_held(&decoder->shifts,
                              code == SCANCODE_SHIFT_LEFT ? SCANCODE_LEFT
                                                          : SCANCODE_RIGHT,
                              is_released);
        }
        return true;
    case SCANCODE_CAPS_LOCK:
        decoder->is_caps_lock ^= !is_released && !is_extended;
        return true;
    default:
        return false;
    }
}

static int
scancode_character(const struct scancode_decoder *decoder, uint8_t code)
{
    bool is_shifted, is_letter;
    char plain;

    plain = scancode_plain[code];
    is_letter = plain >= 'a' && plain <= 'z';
    if (decoder->controls != 0) {
        return is_letter ? plain & 0x1f : -1;
    }

    is_shifted = decoder->shifts != 0;
    is_shifted ^= is_letter && decoder->is_caps_lock;
    return is_shifted ? scancode_shifted[code] : plain;
}

static int
scancode_press(const struct scancode_decoder *decoder, uint8_t code,
               bool is_extended)
{
    int key;

    key = 0;
    if (code >= SCANCODE_KEYPAD_FIRST &&
        code < SCANCODE_KEYPAD_FIRST + ARRAY_SIZE(scancode_keypad)) {
        key = scancode_keypad[code - SCANCODE_KEYPAD_FIRST];
    } else if (code < sizeof(scancode_plain) &&
               (!is_extended || scancode_plain[code] == '\n' ||
                scancode_plain[code] == '/')) {
        key = scancode_character(decoder, code);
    }

    return key == 0 ? -1 : key;
}

int
scancode_feed(struct scancode_decoder *decoder, uint8_t byte)
{
    bool is_extended, is_released;
    uint8_t code;

    if (decoder->nr_skipped > 0) {
        decoder->nr_skipped--;
        return -1;
    }
    if (byte == SCANCODE_PAUSE) {
        decoder->nr_skipped = SCANCODE_PAUSE_SIZE;
        return -1;
    }

    is_extended = decoder->is_extended;
    decoder->is_extended = byte == SCANCODE_EXTENDED;
    if (decoder->is_extended) {
        return -1;
    }

    code = byte & (uint8_t)~SCANCODE_RELEASED;
    is_released = (byte & SCANCODE_RELEASED) != 0;
    if (scancode_modify(decoder, code, is_extended, is_released) ||
        is_released) {
        return -1;
    }

    return scancode_press(decoder, code, is_extended);
}
