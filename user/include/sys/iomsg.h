/* SPDX-License-Identifier: MIT */
/*
 * Messages of input and output, to the server behind a descriptor.
 */
#ifndef SYS_IOMSG_H
#define SYS_IOMSG_H

#include <stdint.h>
#include <sys/types.h>

#include <portolan/io.h>

#define _IO_BASE     0x100
#define _IO_MAX      0x1ff
#define _IO_CONNECT  0x100
#define _IO_READ     PORTOLAN_IO_READ
#define _IO_WRITE    PORTOLAN_IO_WRITE
#define _IO_STAT     0x104
#define _IO_NOTIFY   0x105
#define _IO_DEVCTL   PORTOLAN_IO_DEVCTL
#define _IO_PATHCONF 0x108
#define _IO_LSEEK    0x109
#define _IO_CHMOD    0x10a
#define _IO_CHOWN    0x10b
#define _IO_UTIME    0x10c
#define _IO_OPENFD   0x10d
#define _IO_FDINFO   0x10e
#define _IO_LOCK     0x10f
#define _IO_SPACE    0x110
#define _IO_SHUTDOWN 0x111
#define _IO_MMAP     0x112
#define _IO_MSG      0x113
#define _IO_DUP      0x115
#define _IO_CLOSE    0x116
#define _IO_SYNC     0x118

#define _IO_XTYPE_NONE   0
#define _IO_XTYPE_MASK   0xff
#define _IO_COMBINE_FLAG 0x8000

struct _io_read {
    uint16_t type;
    uint16_t combine_len;
    uint32_t nbytes;
    uint32_t xtype;
    uint32_t nbytes_hi;
};

struct _io_write {
    uint16_t type;
    uint16_t combine_len;
    uint32_t nbytes;
    uint32_t xtype;
    uint32_t nbytes_hi;
};

struct _io_devctl {
    uint16_t type;
    uint16_t combine_len;
    int32_t dcmd;
    uint32_t nbytes;
    int32_t zero;
};

struct _io_devctl_reply {
    uint32_t zero;
    int32_t ret_val;
    uint32_t nbytes;
    int32_t zero2;
};

struct _io_msg {
    uint16_t type;
    uint16_t combine_len;
    uint16_t mgrid;
    uint16_t subtype;
};

struct _io_connect {
    uint16_t type;
    uint16_t subtype;
    uint32_t file_type;
    uint16_t reply_max;
    uint16_t entry_max;
    uint32_t key;
    uint32_t handle;
    uint32_t ioflag;
    uint32_t mode;
    uint16_t sflag;
    uint16_t access;
    uint16_t zero;
    uint16_t path_len;
    uint8_t eflag;
    uint8_t extra_type;
    uint16_t extra_len;
    char path[1];
};

typedef union {
    struct _io_read i;
} io_read_t;

typedef union {
    struct _io_write i;
} io_write_t;

typedef union {
    struct _io_devctl i;
    struct _io_devctl_reply o;
} io_devctl_t;

typedef union {
    struct _io_msg i;
} io_msg_t;

#endif /* SYS_IOMSG_H */
