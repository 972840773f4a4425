/* SPDX-License-Identifier: MIT */
/*
 * Names of channels: what programs send to the right they are started with,
 * and the server that init runs.
 */
#ifndef PORTOLAN_NAMES_H
#define PORTOLAN_NAMES_H

#include <stdint.h>

/* Bytes of a name, with the zero at the end. */
#define PORTOLAN_NAMES_SIZE 104

#define PORTOLAN_NAMES_ADD    0x601 /* the sender's channel gets a name */
#define PORTOLAN_NAMES_REMOVE 0x602
#define PORTOLAN_NAMES_FIND   0x603 /* the reply is a portolan_names_reply */

struct portolan_names_msg {
    uint16_t type;
    uint16_t subtype; /* 0 */
    int32_t chid;
    char name[PORTOLAN_NAMES_SIZE];
};

struct portolan_names_reply {
    int32_t pid;
    int32_t chid;
};

/*
 * Answer those messages, for ever.
 *
 * Returns: -1 with errno, when the channel is gone
 */
int portolan_names_serve(int chid);

#endif /* PORTOLAN_NAMES_H */
