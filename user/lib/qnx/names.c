/* SPDX-License-Identifier: MIT */
/*
 * A list of names.  There are few, so a list it is.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

/*
 * Keys: [M] names_mutex
 */
struct name {
    struct name *next; /* [M] */
    struct portolan_names_reply where;
    char text[PORTOLAN_NAMES_SIZE];
};

static pthread_mutex_t names_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct name *names; /* [M] */

/* The link that leads to a name, or to NULL. */
static struct name **
names_find_locked(const char *text)
{
    struct name **link = &names;

    while (*link != NULL && strcmp((*link)->text, text) != 0) {
        link = &(*link)->next;
    }
    return link;
}

static void
names_remove_locked(struct name **link)
{
    struct name *name = *link;

    *link = name->next;
    free(name);
}

static int
names_add_locked(const struct portolan_names_msg *msg, int pid)
{
    struct name *name;

    if (*names_find_locked(msg->name) != NULL) {
        return -EBUSY;
    }
    name = malloc(sizeof(*name));
    if (name == NULL) {
        return -ENOMEM;
    }
    name->where.pid = pid;
    name->where.chid = msg->chid;
    memcpy(name->text, msg->name, sizeof(name->text));
    name->next = names;
    names = name;
    return 0;
}

static int
names_do_locked(const struct portolan_names_msg *msg, int pid,
                struct portolan_names_reply *reply)
{
    struct name **link = names_find_locked(msg->name);

    switch (msg->type) {
    case PORTOLAN_NAMES_ADD:
        return names_add_locked(msg, pid);
    case PORTOLAN_NAMES_REMOVE:
        if (*link == NULL || (*link)->where.pid != pid ||
            (*link)->where.chid != msg->chid) {
            return -ENOENT;
        }
        names_remove_locked(link);
        return 0;
    case PORTOLAN_NAMES_FIND:
        if (*link == NULL) {
            return -ENOENT;
        }
        *reply = (*link)->where;
        return 0;
    default:
        return -ENOSYS;
    }
}

int
__names_do(const struct portolan_names_msg *msg, int pid,
           struct portolan_names_reply *reply)
{
    size_t size = strnlen(msg->name, sizeof(msg->name));
    int result;

    if (size == 0 || size == sizeof(msg->name)) {
        return -EINVAL;
    }
    pthread_mutex_lock(&names_mutex);
    result = names_do_locked(msg, pid, reply);
    pthread_mutex_unlock(&names_mutex);
    return result;
}

void
__names_forget(int pid)
{
    struct name **link;

    pthread_mutex_lock(&names_mutex);
    link = &names;
    while (*link != NULL) {
        if ((*link)->where.pid == pid) {
            names_remove_locked(link);
        } else {
            link = &(*link)->next;
        }
    }
    pthread_mutex_unlock(&names_mutex);
}
