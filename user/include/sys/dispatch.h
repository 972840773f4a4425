/* SPDX-License-Identifier: MIT */
/*
 * Names of servers: one program attaches a name to a channel, others open it.
 */
#ifndef SYS_DISPATCH_H
#define SYS_DISPATCH_H

#include <stddef.h>
#include <sys/iomsg.h>
#include <sys/neutrino.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _dispatch dispatch_t;

typedef struct _name_attach {
    dispatch_t *dpp; /* NULL */
    int chid;
    int mntid; /* -1 */
    int zero[2];
} name_attach_t;

#define NAME_FLAG_ATTACH_GLOBAL  0x2 /* all names are local */
#define NAME_FLAG_DETACH_SAVEDPP 0x1 /* keep the channel */

/*
 * Make a channel, with unblock and disconnect pulses, and have others find it
 * by a name.
 *
 * Returns: to be given to name_detach(); NULL with errno
 */
name_attach_t *name_attach(dispatch_t *dpp, const char *path,
                           unsigned int flags);

/* Take the name back and destroy the channel; -1 with errno. */
int name_detach(name_attach_t *attach, unsigned int flags);

/* Connect to a name: a side channel; -1 with errno, ENOENT without a server. */
int name_open(const char *name, int flags);

/* Close what name_open() opened; -1 with errno. */
int name_close(int coid);

#ifdef __cplusplus
}
#endif

#endif /* SYS_DISPATCH_H */
