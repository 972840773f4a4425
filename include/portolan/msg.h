/* SPDX-License-Identifier: MIT */
/*
 * Messages: what is passed by pointer.  Types only.
 */
#ifndef PORTOLAN_MSG_H
#define PORTOLAN_MSG_H

#include <stddef.h>
#include <stdint.h>

#include <portolan/types.h>

/* Flags of channels, which are QNX's _NTO_CHF_... */
#define PORTOLAN_CHANNEL_FIXED_PRIORITY  0x1U
#define PORTOLAN_CHANNEL_UNBLOCK         0x2U
#define PORTOLAN_CHANNEL_THREAD_DEATH    0x4U
#define PORTOLAN_CHANNEL_DISCONNECT      0x8U
#define PORTOLAN_CHANNEL_NET_MSG         0x10U /* ignored */
#define PORTOLAN_CHANNEL_SENDER_LEN      0x20U /* always so */
#define PORTOLAN_CHANNEL_COID_DISCONNECT 0x40U
#define PORTOLAN_CHANNEL_REPLY_LEN       0x80U /* always so */
#define PORTOLAN_CHANNEL_PULSE_POOL      0x100U
#define PORTOLAN_CHANNEL_GLOBAL          0x800U /* ignored */
#define PORTOLAN_CHANNEL_PRIVATE         0x1000U

/* A part of a message: struct iovec of C libraries, iov_t of QNX. */
struct portolan_iov {
    uint64_t base;
    uint64_t size;
};

/* Parts of a message, at most. */
#define PORTOLAN_IOV_MAX 1024

/* Flags of portolan_msg_info. */
#define PORTOLAN_MSG_UNBLOCK_REQ 0x100 /* the sender wants to go on */
#define PORTOLAN_MSG_64BIT       0x1000

/* Who sent what: struct _msg_info of QNX, with the label for its type_id. */
struct portolan_msg_info {
    uint32_t nd;    /* 0 */
    uint32_t srcnd; /* 0 */
    int32_t pid;
    int32_t tid;
    int32_t chid;
    int32_t scoid;
    int32_t coid; /* the sender's right that was used */
    int16_t priority;
    int16_t flags;
    int64_t msglen;    /* bytes that were received */
    int64_t srcmsglen; /* that were sent */
    int64_t dstmsglen; /* room for the reply */
    uint64_t label;    /* that the right was minted with, 0 without one */
};

/* A pulse: struct _pulse of QNX. */
struct portolan_pulse {
    uint16_t type;    /* 0 */
    uint16_t subtype; /* 0 */
    int8_t code;
    uint8_t zero[3];
    uint64_t value;
    int32_t scoid;
    uint32_t reserved;
};

/* A right in a message. */
#define PORTOLAN_MSG_RIGHT_MOVE 0x1U /* the sender's is closed */

struct portolan_msg_right {
    int32_t name;
    uint32_t flags; /* sent: PORTOLAN_MSG_RIGHT_...; received: the kind */
    uint64_t label; /* received: of the right */
};

/* Rights in a message, at most. */
#define PORTOLAN_MSG_RIGHTS_MAX 16

/*
 * What else a message has.  Rights are transferred all or none; those for
 * which the receiver gave no room are not transferred.
 *
 * @timeout    the call fails with ETIMEDOUT if it is then in one of @states;
 *             PORTOLAN_NEVER if it may take for ever
 * @states     PORTOLAN_MSG_TIMEOUT_...
 * @send       nr_send struct portolan_msg_right that go with the message or
 *             the reply
 * @receive    room for max_receive of them, of the reply or the message
 * @nr_receive set to the number that came
 */
#define PORTOLAN_MSG_TIMEOUT_SEND    0x10U /* 1 << STATE_SEND, as in QNX */
#define PORTOLAN_MSG_TIMEOUT_RECEIVE 0x20U
#define PORTOLAN_MSG_TIMEOUT_REPLY   0x40U

#define PORTOLAN_MSG_MOVE_PAGES 0x1U /* whole pages may be moved, not copied */
#define PORTOLAN_MSG_RESTART    0x2U /* go on after ERESTART by itself */

struct portolan_msg_options {
    uint32_t flags;  /* PORTOLAN_MSG_MOVE_PAGES, ... */
    uint32_t states; /* 0: no timeout */
    uint64_t timeout;
    uint64_t send;
    uint64_t receive;
    uint32_t nr_send;
    uint32_t max_receive;
    uint64_t nr_receive; /* [out] */
};

/* What msg_reply_receive() receives, and where to. */
struct portolan_msg_receive {
    int32_t chid;
    uint32_t reserved; /* 0 */
    uint64_t msg;  /* buffer; of msg_reply_receivev(): struct portolan_iov */
    uint64_t size; /* its bytes, or how many parts */
    uint64_t info; /* struct portolan_msg_info; 0: not wanted */
};

/* struct _server_info and _client_info of QNX are made of these. */
struct portolan_server_info {
    uint32_t nd;
    int32_t pid;
    int32_t chid;
    int32_t scoid;
    uint32_t flags; /* PORTOLAN_RIGHT_... */
    int32_t coid;
};

struct portolan_client_info {
    uint32_t nd;
    int32_t pid;
    uint32_t flags;
    struct portolan_credentials credentials;
};

_Static_assert(sizeof(struct portolan_msg_info) == 64, "a cache line");
_Static_assert(offsetof(struct portolan_msg_info, msglen) == 32, "as in QNX");
_Static_assert(sizeof(struct portolan_pulse) == 24, "as in QNX");

#endif /* PORTOLAN_MSG_H */
