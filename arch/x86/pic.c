/* SPDX-License-Identifier: MIT */
/*
 * The interrupt controllers of the PC/AT, masked for good.  Should one
 * interrupt all the same, its vectors are ones that nobody else has.
 *
 * This is done before the local APIC's line from them is masked: an interrupt
 * that waits, as firmware's timer does, is then withdrawn, not left behind.
 *
 * Source: Intel, "8259A Programmable Interrupt Controller".
 */
#include <kern/init.h>

#include "io.h"
#include "trap_frame.h"

#define PIC_MASTER   0x20
#define PIC_SLAVE    0xa0
#define PIC_MASK     1 /* its port, after the controller's */
#define PIC_MASK_ALL 0xff

/* Beginning of four command words; 8086 mode. */
#define PIC_ICW1      0x11
#define PIC_ICW4_8086 1

/* Line of the master that the slave is on, as a bit and as a number. */
#define PIC_CASCADE_BIT  4
#define PIC_CASCADE_LINE 2

static void
pic_disable(uint16_t port, uint8_t vector, uint8_t cascade)
{
    outb(port + PIC_MASK, PIC_MASK_ALL);
    outb(port, PIC_ICW1);
    outb(port + PIC_MASK, vector);
    outb(port + PIC_MASK, cascade);
    outb(port + PIC_MASK, PIC_ICW4_8086);
    outb(port + PIC_MASK, PIC_MASK_ALL);
}

static status_t
pic_setup(void)
{
    pic_disable(PIC_MASTER, VECTOR_PIC, PIC_CASCADE_BIT);
    pic_disable(PIC_SLAVE, VECTOR_PIC + 8, PIC_CASCADE_LINE);
    return OK;
}

INIT_OP(pic_setup, INIT_BOOT_CPU);
