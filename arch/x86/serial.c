/* SPDX-License-Identifier: MIT */
/*
 * 8250 and 16550 serial ports.
 *
 * A port is taken for one when its scratch register keeps two patterns and,
 * in loopback, the modem status shows what is written to modem control; both
 * tests need no time, and an absent port, which reads 0xff, fails the first.
 *
 * All waits are bounded.  A port that does not become ready in time is
 * "stuck": from then on a byte is dropped unless the port is ready at once,
 * until it is ready again.  So a port without a clock costs one time-out.
 *
 * write() and poll() run under the console's lock, the interrupt handler only
 * reads: transmit and receive registers are independent, and poll() is not
 * used once there is an interrupt, except in a panic.
 *
 * Source: National Semiconductor, PC16550D data sheet.
 */
#include <kern/console.h>
#include <kern/console_decoder.h>
#include <kern/init.h>
#include <kern/irq.h>
#include <kern/log.h>

#include "io.h"
#include "serial.h"

#define SERIAL_DATA    0 /* divisor, low byte, when DLAB is set */
#define SERIAL_IER     1 /* divisor, high byte, when DLAB is set */
#define SERIAL_IIR     2 /* read */
#define SERIAL_FCR     2 /* write */
#define SERIAL_LCR     3
#define SERIAL_MCR     4
#define SERIAL_LSR     5
#define SERIAL_MSR     6
#define SERIAL_SCRATCH 7

#define SERIAL_IER_RX 0x01

#define SERIAL_IIR_FIFO_MASK 0xc0 /* both bits: a FIFO that works */
#define SERIAL_FCR_ENABLE    0x01
#define SERIAL_FCR_CLEAR     0x06
#define SERIAL_FCR_TRIGGER_1 0x00

#define SERIAL_LCR_8N1  0x03
#define SERIAL_LCR_DLAB 0x80

#define SERIAL_MCR_DTR  0x01
#define SERIAL_MCR_RTS  0x02
#define SERIAL_MCR_OUT2 0x08 /* lets interrupts through */
#define SERIAL_MCR_LOOP 0x10

#define SERIAL_LSR_RX_READY 0x01
#define SERIAL_LSR_TX_EMPTY 0x20

/* In loopback RTS appears as CTS, OUT2 as DCD. */
#define SERIAL_MSR_LOOPED 0x90
#define SERIAL_MSR_INPUTS 0xf0

#define SERIAL_DIVISOR_115200 1
#define SERIAL_FIFO_SIZE      16

/* Reads of a register, about 1 us each on hardware. */
#define SERIAL_TX_TRIES 1000000

/* Bytes taken at once: a port that claims to have more is broken. */
#define SERIAL_RX_MAX 256

/*
 * Keys: [c] constant once found   [C] console lock   [I] interrupt handler, or
 * console lock before it exists and in a panic
 */
struct serial_port {
    struct console console;
    uint16_t base;                  /* [c] first I/O port, 0: none */
    unsigned irq;                   /* [c] ISA interrupt */
    unsigned fifo_size;             /* [c] bytes after which to wait */
    unsigned room;                  /* [C] bytes that fit for sure */
    bool is_stuck;                  /* [C] did not become ready in time */
    struct console_decoder decoder; /* [I] */
};

static const struct {
    uint16_t base;
    unsigned irq;
} serial_candidates[] = {
    { 0x3f8, 4 },
    { 0x2f8, 3 },
    { 0x3e8, 4 },
    { 0x2e8, 3 },
};

static struct serial_port serial_port;

static uint8_t
serial_get(const struct serial_port *port, unsigned reg)
{
    return inb((uint16_t)(port->base + reg));
}

static void
serial_set(const struct serial_port *port, unsigned reg, uint8_t value)
{
    outb((uint16_t)(port->base + reg), value);
}

static bool
serial_keeps_scratch(const struct serial_port *port, uint8_t pattern)
{
    serial_set(port, SERIAL_SCRATCH, pattern);
    return serial_get(port, SERIAL_SCRATCH) == pattern;
}

static bool
serial_is_present(const struct serial_port *port)
{
    uint8_t mcr, msr;

    if (!serial_keeps_scratch(port, 0x5a) ||
        !serial_keeps_scratch(port, 0xa5)) {
        return false;
    }

    mcr = serial_get(port, SERIAL_MCR);
    serial_set(port, SERIAL_MCR,
               SERIAL_MCR_LOOP | SERIAL_MCR_RTS | SERIAL_MCR_OUT2);
    msr = serial_get(port, SERIAL_MSR);
    serial_set(port, SERIAL_MCR, mcr);
    return (msr & SERIAL_MSR_INPUTS) == SERIAL_MSR_LOOPED;
}

static void
serial_program(struct serial_port *port)
{
    serial_set(port, SERIAL_IER, 0);
    serial_set(port, SERIAL_LCR, SERIAL_LCR_DLAB | SERIAL_LCR_8N1);
    serial_set(port, SERIAL_DATA, SERIAL_DIVISOR_115200);
    serial_set(port, SERIAL_IER, 0);
    serial_set(port, SERIAL_LCR, SERIAL_LCR_8N1);
    serial_set(port, SERIAL_MCR, SERIAL_MCR_DTR | SERIAL_MCR_RTS);

    serial_set(port, SERIAL_FCR,
               SERIAL_FCR_ENABLE | SERIAL_FCR_CLEAR | SERIAL_FCR_TRIGGER_1);
    port->fifo_size = 1;
    if ((serial_get(port, SERIAL_IIR) & SERIAL_IIR_FIFO_MASK) ==
        SERIAL_IIR_FIFO_MASK) {
        port->fifo_size = SERIAL_FIFO_SIZE;
    } else {
        /* A 16550 without A: its FIFO exists, but loses bytes. */
        serial_set(port, SERIAL_FCR, 0);
    }
}

/* Make room for a byte; false when there is none in time. */
static bool
serial_wait_tx(struct serial_port *port)
{
    unsigned i, nr_tries;

    if (port->room != 0) {
        return true;
    }

    nr_tries = port->is_stuck ? 1 : SERIAL_TX_TRIES;
    for (i = 0; i < nr_tries; i++) {
        if (serial_get(port, SERIAL_LSR) & SERIAL_LSR_TX_EMPTY) {
            port->is_stuck = false;
            port->room = port->fifo_size;
            return true;
        }
    }

    port->is_stuck = true;
    return false;
}

static void
serial_put(struct serial_port *port, char c)
{
    if (serial_wait_tx(port)) {
        port->room--;
        serial_set(port, SERIAL_DATA, (uint8_t)c);
    }
}

static void
serial_write(struct console *console, const char *text, size_t size)
{
    struct serial_port *port;
    size_t i;

    port = container_of(console, struct serial_port, console);
    for (i = 0; i < size; i++) {
        if (text[i] == '\n') {
            serial_put(port, '\r');
        }
        serial_put(port, text[i]);
    }
}

/* Whether a received byte waits; all ones is a port that was unplugged. */
static bool
serial_has_byte(const struct serial_port *port)
{
    uint8_t lsr;

    lsr = serial_get(port, SERIAL_LSR);
    return lsr != 0xff && (lsr & SERIAL_LSR_RX_READY) != 0;
}

static int
serial_poll(struct console *console)
{
    struct serial_port *port;
    unsigned i;
    int key;

    port = container_of(console, struct serial_port, console);
    key = -1;
    for (i = 0; i < SERIAL_RX_MAX && key < 0 && serial_has_byte(port); i++) {
        key =
            console_decoder_feed(&port->decoder, serial_get(port, SERIAL_DATA));
    }

    return key;
}

static void
serial_handle_irq(void *ctx)
{
    struct serial_port *port;
    unsigned i;
    int key;

    port = ctx;
    for (i = 0; i < SERIAL_RX_MAX && serial_has_byte(port); i++) {
        key =
            console_decoder_feed(&port->decoder, serial_get(port, SERIAL_DATA));
        if (key >= 0) {
            console_input(key);
        }
    }
}

void
serial_early_setup(void)
{
    struct serial_port *port;
    unsigned i;

    port = &serial_port;
    for (i = 0; i < ARRAY_SIZE(serial_candidates); i++) {
        port->base = serial_candidates[i].base;
        port->irq = serial_candidates[i].irq;
        if (serial_is_present(port)) {
            break;
        }
        port->base = 0;
    }
    if (port->base == 0) {
        return;
    }

    serial_program(port);
    port->console.name = "serial";
    port->console.write = serial_write;
    port->console.poll = serial_poll;
    console_register(&port->console);
    log_debug("serial: COM%u at port 0x%x, FIFO of %u", i + 1, port->base,
              port->fifo_size);
}

static status_t
serial_irq_setup(void)
{
    struct serial_port *port;
    status_t status;

    port = &serial_port;
    if (port->base == 0) {
        return OK;
    }

    status = irq_attach_isa(port->irq, "serial", serial_handle_irq, port);
    if (status != OK) {
        log_warning("serial: no interrupt, input is polled: %s",
                    status_string(status));
        return OK;
    }

    port->console.has_interrupt = true;
    serial_set(port, SERIAL_MCR,
               SERIAL_MCR_DTR | SERIAL_MCR_RTS | SERIAL_MCR_OUT2);
    serial_set(port, SERIAL_IER, SERIAL_IER_RX);
    return OK;
}

INIT_OP(serial_irq_setup, INIT_BOOT_CPU, AFTER(ioapic_setup));
