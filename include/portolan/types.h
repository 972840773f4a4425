/* SPDX-License-Identifier: MIT */
/*
 * What the kernel and programs say to each other: names, kinds, numbers.
 * Types only; calls are in <portolan/calls.h>.
 *
 * Results of calls are >= 0, or -errno with Linux's numbers, and those of QNX
 * that Linux does not have.
 */
#ifndef PORTOLAN_TYPES_H
#define PORTOLAN_TYPES_H

#include <stdint.h>

#define PORTOLAN_ERESTART   85
#define PORTOLAN_ESRVRFAULT 312

/* Bytes of the name of an object, with the zero at the end. */
#define PORTOLAN_NAME_SIZE 32

/* Time in nanoseconds of clock_now(). */
#define PORTOLAN_NEVER UINT64_MAX

/* No right, or where a call says so the caller's own task, space, container. */
#define PORTOLAN_RIGHT_NONE (-1)
#define PORTOLAN_SELF       (-1)

/* Names from here on are side channels; the first one leads to process 1. */
#define PORTOLAN_SIDE_CHANNEL 0x40000000
#define PORTOLAN_SYSMGR       0x40000000

/* Rights that a program finds when it starts. */
#define PORTOLAN_RIGHT_INPUT     0
#define PORTOLAN_RIGHT_OUTPUT    1
#define PORTOLAN_RIGHT_ERROR     2
#define PORTOLAN_RIGHT_BOOTSTRAP 3

/* Flags of rights, and of connections; those of QNX have QNX's values. */
#define PORTOLAN_RIGHT_CLOEXEC   0x1U  /* closed when the program is replaced */
#define PORTOLAN_RIGHT_DEAD      0x2U  /* the channel is gone; shown only */
#define PORTOLAN_RIGHT_NOSHARE   0x40U /* a connection that no other right is */
#define PORTOLAN_RIGHT_NOEVENT   0x800U
#define PORTOLAN_RIGHT_INSECURE  0x1000U
#define PORTOLAN_RIGHT_REGEVENTS 0x2000U

/* How names are chosen. */
enum portolan_policy {
    PORTOLAN_POLICY_LOWEST, /* the lowest free one */
    PORTOLAN_POLICY_ANY,    /* near 0, another range for each CPU */
    PORTOLAN_POLICY_UNIQUE, /* one that was not used before */
};

/* What a right is to; the kernel asserts that its kinds are the same. */
enum portolan_kind {
    PORTOLAN_KIND_NONE,
    PORTOLAN_KIND_PORT,
    PORTOLAN_KIND_CONNECTION,
    PORTOLAN_KIND_TASK,
    PORTOLAN_KIND_THREAD,
    PORTOLAN_KIND_SPACE,
    PORTOLAN_KIND_MEMORY,
    PORTOLAN_KIND_CONTAINER,
    PORTOLAN_KIND_BOOTSTRAP, /* modules, physical memory, the machine */
};

/* What right_query() tells. */
struct portolan_right_info {
    uint32_t kind;  /* enum portolan_kind */
    uint32_t flags; /* PORTOLAN_RIGHT_... */
    uint64_t label;
    uint64_t object; /* the same for all rights to one object, never reused */
    char name[PORTOLAN_NAME_SIZE];
};

/* Who a task acts for. */
#define PORTOLAN_GROUPS_MAX 16

struct portolan_credentials {
    uint32_t uid;
    uint32_t gid;
    uint32_t nr_groups;
    uint32_t groups[PORTOLAN_GROUPS_MAX];
};

#endif /* PORTOLAN_TYPES_H */
