/* SPDX-License-Identifier: MIT */
/*
 * Consoles.  Those of the tests are no hardware: they keep what they get.
 */
#include <kern/console.h>
#include <kern/log.h>
#include <lib/string.h>
#include <test/test.h>

/* What console_try_read_key() tells besides. */
static bool console_test_polled;

#define TEXT_SIZE 2048

struct fake {
    struct console console;
    char text[TEXT_SIZE]; /* what was written last */
    size_t size;
    bool has_replayed; /* the marker of a test came */
    int key;           /* what poll() returns next */
};

static const char fake_marker[] = "console_test: marker";

static void
fake_write(struct console *console, const char *text, size_t size)
{
    struct fake *fake;

    fake = container_of(console, struct fake, console);
    if (fake->size + size >= TEXT_SIZE) {
        fake->size = 0;
    }
    size = MIN(size, TEXT_SIZE - 1 - fake->size);
    memcpy(&fake->text[fake->size], text, size);
    fake->size += size;
    fake->text[fake->size] = '\0';
    fake->has_replayed |= strstr(fake->text, fake_marker) != NULL;
}

static int
fake_poll(struct console *console)
{
    struct fake *fake;
    int key;

    fake = container_of(console, struct fake, console);
    key = fake->key;
    fake->key = -1;
    return key;
}

static void
fake_unregister(void *arg)
{
    console_unregister(arg);
}

static void
fake_register(struct test *t, struct fake *fake)
{
    memset(fake, 0, sizeof(*fake));
    fake->key = -1;
    fake->console.name = "fake";
    fake->console.write = fake_write;
    fake->console.poll = fake_poll;
    console_register(&fake->console);
    test_cleanup(t, fake_unregister, &fake->console);
}

/* Take all keys that wait. */
static void
drain_keys(void)
{
    while (console_try_read_key(&console_test_polled) >= 0) {
    }
}

static void
restore_level(void *level)
{
    log_set_level((unsigned)(uintptr_t)level);
}

TEST(console, gets_what_is_printed)
{
    static struct fake fake;

    fake_register(t, &fake);
    fake.console.enabled = true;
    console_printf("# console_test: %d\n", 42);
    console_flush();
    EXPECT(strstr(fake.text, "# console_test: 42\n") != NULL);
}

TEST(console, gets_the_log_when_it_registers)
{
    static struct fake fake;

    test_cleanup(t, restore_level, (void *)(uintptr_t)log_level());
    log_set_level(LOG_LEVEL_INFO);
    log_info("%s", fake_marker);
    fake_register(t, &fake);
    EXPECT_EQ(fake.has_replayed, fake.console.enabled);
}

TEST(console, gets_a_record_once)
{
    static struct fake fake;

    fake_register(t, &fake);
    fake.console.enabled = true;
    console_flush();
    fake.size = 0;
    console_write_log(0, "# old\n", 6);
    console_flush();
    EXPECT(strstr(fake.text, "# old\n") == NULL);
    console_write_log(log_next_sequence(), "# new\n", 6);
    console_flush();
    EXPECT(strstr(fake.text, "# new\n") != NULL);
}

TEST(console, long_text_is_cut)
{
    static struct fake fake;
    static char text[CONSOLE_PRINTF_MAX + 2];

    memset(text, '-', sizeof(text));
    text[0] = '#';
    text[sizeof(text) - 1] = '\0';
    fake_register(t, &fake);
    fake.console.enabled = true;
    console_flush();
    fake.size = 0;
    console_printf("%s\n", text);
    console_flush();
    EXPECT_EQ(fake.size, CONSOLE_PRINTF_MAX);
    console_printf("\n");
}

TEST(console, keys_come_in_order)
{
    drain_keys();
    console_input('a');
    console_input(CONSOLE_KEY_UP);
    console_input(0xff);
    EXPECT_EQ(console_try_read_key(&console_test_polled), 'a');
    EXPECT_EQ(console_try_read_key(&console_test_polled), CONSOLE_KEY_UP);
    EXPECT_EQ(console_try_read_key(&console_test_polled), 0xff);
    EXPECT_EQ(console_try_read_key(&console_test_polled), -1);
}

TEST(console, too_many_keys_are_dropped)
{
    unsigned i;

    drain_keys();
    for (i = 0; i < 300; i++) {
        console_input((int)(i % 250));
    }
    for (i = 0; i < 256; i++) {
        EXPECT_EQ(console_try_read_key(&console_test_polled), i % 250);
    }
    EXPECT_EQ(console_try_read_key(&console_test_polled), -1);
}

TEST(console, is_polled_without_interrupt)
{
    static struct fake fake;

    drain_keys();
    fake_register(t, &fake);
    fake.console.enabled = true;
    fake.key = 'p';
    EXPECT_EQ(console_try_read_key(&console_test_polled), 'p');

    fake.console.has_interrupt = true;
    fake.key = 'q';
    EXPECT_EQ(console_try_read_key(&console_test_polled), -1);
}

TEST(console, selection_with_unknown_names_is_refused)
{
    EXPECT_EQ(console_select("seriell"), ERR_INVALID);
    EXPECT_EQ(console_select("serial,printer"), ERR_INVALID);
    EXPECT_EQ(console_select(""), ERR_INVALID);
    EXPECT_EQ(console_select("serial,serial,serial,serial,serial,serial,"
                             "serial,serial,serial,serial"),
              ERR_OVERFLOW);
}
