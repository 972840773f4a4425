/* SPDX-License-Identifier: MIT */
/*
 * Messages of input and output: what read(), write() and their like send to
 * the server behind a descriptor, the kernel's console included.  They are
 * QNX's <sys/iomsg.h>.  Types only.
 *
 * The status of the reply is the number of bytes; errors are by msg_error().
 */
#ifndef PORTOLAN_IO_H
#define PORTOLAN_IO_H

#include <stdint.h>

#define PORTOLAN_IO_READ   0x101 /* the reply is the data */
#define PORTOLAN_IO_WRITE  0x102 /* the data come behind the struct */
#define PORTOLAN_IO_DEVCTL 0x106

/* Of PORTOLAN_IO_READ and PORTOLAN_IO_WRITE. */
struct portolan_io_rw {
    uint16_t type;
    uint16_t combine_len; /* 0, or the size of this */
    uint32_t nbytes;      /* to be read, or that come */
    uint32_t xtype;       /* 0 */
    uint32_t nbytes_hi;
};

/* Of PORTOLAN_IO_DEVCTL; data may come behind, and behind it in the reply. */
struct portolan_io_devctl {
    uint16_t type;
    uint16_t combine_len;
    int32_t dcmd;
    uint32_t nbytes;
    int32_t ret_val;
};

_Static_assert(sizeof(struct portolan_io_rw) == 16, "as in QNX");
_Static_assert(sizeof(struct portolan_io_devctl) == 16, "as in QNX");

#endif /* PORTOLAN_IO_H */
