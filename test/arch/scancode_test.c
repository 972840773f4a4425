/* SPDX-License-Identifier: MIT */
/*
 * Scan codes of a keyboard.
 */
#include <arch/x86/scancode.h>
#include <kern/console_key.h>
#include <lib/string.h>
#include <test/test.h>

/* Feed codes; the last key that came out, -1 if none. */
static int
press(struct scancode_decoder *decoder, const char *codes)
{
    int key, last;

    last = -1;
    for (; *codes != '\0'; codes++) {
        key = scancode_feed(decoder, (uint8_t)*codes);
        last = key >= 0 ? key : last;
    }

    return last;
}

TEST(scancode, plain_keys)
{
    static const char keys[] = "1234567890-=\b\tqwertyuiop[]\n";
    struct scancode_decoder decoder = { 0 };
    uint8_t code;

    for (code = 0x02; code <= 0x1c; code++) {
        EXPECT_EQ(scancode_feed(&decoder, code), keys[code - 2]);
        EXPECT_EQ(scancode_feed(&decoder, code | 0x80), -1);
    }
    EXPECT_EQ(press(&decoder, "\x39"), ' ');
    EXPECT_EQ(press(&decoder, "\x35"), '/');
    EXPECT_EQ(press(&decoder, "\x2b"), '\\');
    EXPECT_EQ(press(&decoder, "\x29"), '`');
    EXPECT_EQ(press(&decoder, "\x2c"), 'z');
}

TEST(scancode, shift_is_held)
{
    struct scancode_decoder decoder = { 0 };

    EXPECT_EQ(press(&decoder, "\x2a\x1e"), 'A');
    EXPECT_EQ(press(&decoder, "\x02"), '!');
    EXPECT_EQ(press(&decoder, "\x36\xaa\x1e"), 'A');
    EXPECT_EQ(press(&decoder, "\xb6\x1e"), 'a');
}

TEST(scancode, caps_lock_is_for_letters)
{
    struct scancode_decoder decoder = { 0 };

    EXPECT_EQ(press(&decoder, "\x3a\xba\x1e"), 'A');
    EXPECT_EQ(press(&decoder, "\x02"), '1');
    EXPECT_EQ(press(&decoder, "\x2a\x1e"), 'a');
    EXPECT_EQ(press(&decoder, "\xaa\x3a\xba\x1e"), 'a');
}

TEST(scancode, control_makes_control_characters)
{
    struct scancode_decoder decoder = { 0 };

    EXPECT_EQ(press(&decoder, "\x1d\x1e"), 1);
    EXPECT_EQ(press(&decoder, "\x02"), -1);
    EXPECT_EQ(press(&decoder, "\x9d\x1e"), 'a');
    EXPECT_EQ(press(&decoder, "\xe0\x1d\x25"), 'K' & 0x1f);
    EXPECT_EQ(press(&decoder, "\xe0\x9d\x25"), 'k');
}

TEST(scancode, extended_keys)
{
    struct scancode_decoder decoder = { 0 };

    EXPECT_EQ(press(&decoder, "\xe0\x48"), CONSOLE_KEY_UP);
    EXPECT_EQ(press(&decoder, "\xe0\x50"), CONSOLE_KEY_DOWN);
    EXPECT_EQ(press(&decoder, "\xe0\x4b"), CONSOLE_KEY_LEFT);
    EXPECT_EQ(press(&decoder, "\xe0\x4d"), CONSOLE_KEY_RIGHT);
    EXPECT_EQ(press(&decoder, "\xe0\x47"), CONSOLE_KEY_HOME);
    EXPECT_EQ(press(&decoder, "\xe0\x4f"), CONSOLE_KEY_END);
    EXPECT_EQ(press(&decoder, "\xe0\x53"), CONSOLE_KEY_DELETE);
    EXPECT_EQ(press(&decoder, "\xe0\x49"), CONSOLE_KEY_PAGE_UP);
    EXPECT_EQ(press(&decoder, "\xe0\x51"), CONSOLE_KEY_PAGE_DOWN);
    EXPECT_EQ(press(&decoder, "\xe0\x1c"), '\n');
    EXPECT_EQ(press(&decoder, "\xe0\x35"), '/');
    EXPECT_EQ(press(&decoder, "\xe0\x1e"), -1);
}

TEST(scancode, fake_shifts_are_ignored)
{
    struct scancode_decoder decoder = { 0 };

    EXPECT_EQ(press(&decoder, "\xe0\x2a\xe0\x48"), CONSOLE_KEY_UP);
    EXPECT_EQ(press(&decoder, "\x1e"), 'a');
}

TEST(scancode, pause_is_skipped)
{
    struct scancode_decoder decoder = { 0 };

    EXPECT_EQ(press(&decoder, "\xe1\x1d\x45\xe1\x9d\xc5"), -1);
    EXPECT_EQ(press(&decoder, "\x1e"), 'a');
}

TEST(scancode, every_byte_is_survived)
{
    struct scancode_decoder decoder = { 0 };
    unsigned i;
    int key;

    for (i = 0; i < 10000; i++) {
        key = scancode_feed(&decoder, (uint8_t)rand_below(&t->rand, 256));
        ASSERT(key >= -1 && key <= CONSOLE_KEY_PAGE_DOWN);
    }
}
