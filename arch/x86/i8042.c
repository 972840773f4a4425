/* SPDX-License-Identifier: MIT */
/*
 * PS/2 keyboard behind an i8042 controller, or what pretends to be one.
 *
 * The controller is asked only when the firmware's tables do not deny it.  A
 * status of all ones means that nobody answers.  All waits count reads of the
 * status, about 1 us each on hardware; firmware that emulates the controller
 * for a USB keyboard takes some milliseconds for a command.
 *
 * The controller translates to scan-code set 1.  A keyboard that does not
 * acknowledge may be plugged in later, so its interrupt is attached anyway.
 *
 * The interrupt handler is the only one that reads keys once it is attached,
 * except in a panic.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and
 * Auxiliary Device Controller".
 */
#include <kern/console.h>
#include <kern/init.h>
#include <kern/irq.h>
#include <kern/log.h>

#include "acpi.h"
#include "io.h"
#include "scancode.h"

#define I8042_DATA    0x60
#define I8042_STATUS  0x64 /* read */
#define I8042_COMMAND 0x64 /* write */

#define I8042_STATUS_OUTPUT_FULL 0x01
#define I8042_STATUS_INPUT_FULL  0x02
#define I8042_STATUS_AUX         0x20 /* the byte is the mouse's */
#define I8042_STATUS_ABSENT      0xff

#define I8042_COMMAND_READ_CONFIG  0x20
#define I8042_COMMAND_WRITE_CONFIG 0x60
#define I8042_COMMAND_DISABLE_AUX  0xa7
#define I8042_COMMAND_SELF_TEST    0xaa
#define I8042_COMMAND_TEST_KBD     0xab
#define I8042_COMMAND_DISABLE_KBD  0xad
#define I8042_COMMAND_ENABLE_KBD   0xae

#define I8042_CONFIG_KBD_IRQ   0x01
#define I8042_CONFIG_AUX_IRQ   0x02
#define I8042_CONFIG_KBD_OFF   0x10
#define I8042_CONFIG_AUX_OFF   0x20
#define I8042_CONFIG_TRANSLATE 0x40

#define I8042_SELF_TEST_OK 0x55
#define I8042_TEST_KBD_OK  0x00

#define I8042_KBD_ENABLE 0xf4
#define I8042_KBD_ACK    0xfa

#define I8042_IRQ 1

/* Reads of the status before a wait is given up. */
#define I8042_TRIES 200000

/* Bytes that may wait in controller and keyboard together. */
#define I8042_FLUSH_MAX 64

/*
 * Keys: [I] interrupt handler, or console lock before it exists and in a panic
 */
static struct {
    struct console console;
    struct scancode_decoder decoder; /* [I] */
} i8042;

/* Wait until bits of the status have a value; false when they do not. */
static bool
i8042_wait(uint8_t mask, uint8_t value)
{
    unsigned i;

    for (i = 0; i < I8042_TRIES; i++) {
        if ((inb(I8042_STATUS) & mask) == value) {
            return true;
        }
    }

    return false;
}

static status_t
i8042_put(uint16_t port, uint8_t value)
{
    if (!i8042_wait(I8042_STATUS_INPUT_FULL, 0)) {
        return ERR_TIMEOUT;
    }

    outb(port, value);
    return OK;
}

static status_t
i8042_get(uint8_t *valuep)
{
    if (!i8042_wait(I8042_STATUS_OUTPUT_FULL, I8042_STATUS_OUTPUT_FULL)) {
        return ERR_TIMEOUT;
    }

    *valuep = inb(I8042_DATA);
    return OK;
}

static void
i8042_flush(void)
{
    unsigned i;

    for (i = 0; i < I8042_FLUSH_MAX; i++) {
        if ((inb(I8042_STATUS) & I8042_STATUS_OUTPUT_FULL) == 0) {
            return;
        }
        (void)inb(I8042_DATA);
    }
}

/* Give a command that has an answer, and check that it is the right one. */
static status_t
i8042_check(uint16_t port, uint8_t command, uint8_t expected)
{
    status_t status;
    uint8_t answer;

    status = i8042_put(port, command);
    if (status != OK) {
        return status;
    }

    status = i8042_get(&answer);
    if (status != OK) {
        return status;
    }

    return answer == expected ? OK : ERR_IO;
}

static status_t
i8042_read_config(uint8_t *configp)
{
    status_t status;

    status = i8042_put(I8042_COMMAND, I8042_COMMAND_READ_CONFIG);
    return status == OK ? i8042_get(configp) : status;
}

static status_t
i8042_write_config(uint8_t config)
{
    status_t status;

    status = i8042_put(I8042_COMMAND, I8042_COMMAND_WRITE_CONFIG);
    return status == OK ? i8042_put(I8042_DATA, config) : status;
}

/* Stop both devices, so that answers are the controller's. */
static status_t
i8042_quiesce(void)
{
    status_t status;

    if (inb(I8042_STATUS) == I8042_STATUS_ABSENT) {
        return ERR_NOT_FOUND;
    }

    status = i8042_put(I8042_COMMAND, I8042_COMMAND_DISABLE_KBD);
    if (status != OK) {
        return status;
    }

    status = i8042_put(I8042_COMMAND, I8042_COMMAND_DISABLE_AUX);
    i8042_flush();
    return status;
}

/*
 * Test controller and interface.  Some laptops fail this and work, so a bad
 * result is only reported.
 */
static status_t
i8042_test(void)
{
    status_t status;

    status =
        i8042_check(I8042_COMMAND, I8042_COMMAND_SELF_TEST, I8042_SELF_TEST_OK);
    if (status != OK) {
        return status;
    }

    return i8042_check(I8042_COMMAND, I8042_COMMAND_TEST_KBD,
                       I8042_TEST_KBD_OK);
}

/* Let the keyboard send, translated; the mouse stays off. */
static status_t
i8042_configure(uint8_t config)
{
    status_t status;

    config |= I8042_CONFIG_KBD_IRQ | I8042_CONFIG_TRANSLATE |
              I8042_CONFIG_AUX_OFF;
    config &= (uint8_t)~(I8042_CONFIG_AUX_IRQ | I8042_CONFIG_KBD_OFF);
    status = i8042_write_config(config);
    if (status != OK) {
        return status;
    }

    return i8042_put(I8042_COMMAND, I8042_COMMAND_ENABLE_KBD);
}

static status_t
i8042_start(void)
{
    status_t status;
    uint8_t config;

    status = i8042_quiesce();
    if (status != OK) {
        return status;
    }

    status = i8042_read_config(&config);
    if (status != OK) {
        return status;
    }

    status = i8042_test();
    if (status != OK) {
        log_notice("i8042: self test failed: %s", status_string(status));
    }

    return i8042_configure(config);
}

/* Take a byte if there is one; returns a key or -1. */
static int
i8042_receive(uint8_t status)
{
    uint8_t byte;

    byte = inb(I8042_DATA);
    if (status & I8042_STATUS_AUX) {
        return -1;
    }

    return scancode_feed(&i8042.decoder, byte);
}

static bool
i8042_has_byte(uint8_t status)
{
    return status != I8042_STATUS_ABSENT &&
           (status & I8042_STATUS_OUTPUT_FULL) != 0;
}

static int
i8042_poll(struct console *console)
{
    uint8_t status;
    unsigned i;
    int key;

    (void)console;
    key = -1;
    status = inb(I8042_STATUS);
    for (i = 0; i < I8042_FLUSH_MAX && key < 0 && i8042_has_byte(status); i++) {
        key = i8042_receive(status);
        status = inb(I8042_STATUS);
    }

    return key;
}

static void
i8042_handle_irq(void *ctx)
{
    uint8_t status;
    unsigned i;
    int key;

    (void)ctx;
    status = inb(I8042_STATUS);
    for (i = 0; i < I8042_FLUSH_MAX && i8042_has_byte(status); i++) {
        key = i8042_receive(status);
        if (key >= 0) {
            console_input(key);
        }
        status = inb(I8042_STATUS);
    }
}

static void
i8042_attach(void)
{
    status_t status;

    i8042.console.name = "keyboard";
    i8042.console.poll = i8042_poll;
    status = irq_attach_isa(I8042_IRQ, "keyboard", i8042_handle_irq, NULL);
    i8042.console.has_interrupt = status == OK;
    if (status != OK) {
        log_warning("i8042: no interrupt, keyboard is polled: %s",
                    status_string(status));
    }

    console_register(&i8042.console);
}

static status_t
i8042_setup(void)
{
    status_t status;

    if (!acpi_has_i8042()) {
        log_debug("i8042: none, says the firmware");
        return OK;
    }

    status = i8042_start();
    if (status != OK) {
        log_notice("i8042: no keyboard controller: %s", status_string(status));
        return OK;
    }

    status = i8042_check(I8042_DATA, I8042_KBD_ENABLE, I8042_KBD_ACK);
    if (status != OK) {
        log_notice("i8042: no keyboard answers: %s", status_string(status));
    } else {
        log_info("i8042: keyboard");
    }

    i8042_attach();
    return OK;
}

INIT_OP(i8042_setup, INIT_BOOT_CPU, AFTER(ioapic_setup));
